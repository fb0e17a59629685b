"""docs/architecture.md names what is there, and what it says happens does happen."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def steps() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Of each step of the walks: what happens, the files that it names, and the functions."""
    for line in PAGE.splitlines():
        cells = line.strip("| ").split(" | ")
        if len(cells) == 3 and (files := re.findall(r"\]\(\.\./([^)]+\.py)\)", cells[1])):
            yield cells[0], tuple(files), tuple(re.findall(r"`([^`]+)`", cells[2]))


STEPS = tuple(steps())


@cache
def defined_in(file: str) -> frozenset[str]:
    """The functions of a file and the methods of its classes."""
    names: set[str] = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
    return frozenset(names)


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) < 150
    assert len(STEPS) > 30


# A path of the text is one of the repository. (The site's strict build checks the links.)
def test_every_path_exists() -> None:
    paths = [path for path in re.findall(r"`([\w./-]+)`", PAGE) if "/" in path]
    assert [path for path in paths if not (ROOT / path).exists()] == []


# Every function of a step is defined in one of the step's files, and no file is there for nothing.
@pytest.mark.parametrize(("files", "functions"), [step[1:] for step in STEPS], ids=[step[0] for step in STEPS])
def test_every_function_exists(files: tuple[str, ...], functions: tuple[str, ...]) -> None:
    owners = {function: [file for file in files if function in defined_in(file)] for function in functions}
    assert [function for function, defining in owners.items() if not defining] == []
    assert {file for defining in owners.values() for file in defining} == set(files)


WATCHED = """
import os, runpy, sys
root, walked = sys.argv[1], set()

def watch(frame, event, argument):
    if event == "call":
        walked.add((frame.f_code.co_filename, frame.f_code.co_qualname))

def leave(code):
    raise SystemExit(code)

os._exit = leave
sys.setprofile(watch)
from sambaflow.tools.entry import run_command
for command in (
    ["samba-compile", "model.py:linear", "--mode", "o1", "-o", "linear.pef"],
    ["samba-run", "linear.pef", "--inputs", "in.safetensors", "--outputs", "out.safetensors", "--timing"],
):
    sys.argv = command
    try:
        run_command(command[0].replace("-", "_"))
    except SystemExit as end:
        assert end.code == 0, command
sys.setprofile(None)
for file, function in walked:
    if file.startswith(root):
        print(os.path.relpath(file, root), function)
"""
MODEL = """
import torch

def linear():
    return torch.nn.Linear(32, 64, dtype=torch.bfloat16), (torch.zeros(16, 32, dtype=torch.bfloat16),)
"""
INPUTS = """
import torch
from safetensors.torch import save_file

save_file({"input": torch.zeros(16, 32, dtype=torch.bfloat16)}, "in.safetensors")
"""


# What the walks name is called when a linear layer is compiled and run.
def test_the_walks_are_walked(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL)
    subprocess.run([sys.executable, "-c", INPUTS], cwd=tmp_path, check=True)
    command = [sys.executable, "-c", WATCHED, str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    walked = {tuple(line.split(" ", 1)) for line in done.stdout.splitlines()}
    missed = [
        f"{file}: {function}"
        for _, files, functions in STEPS
        for file in files
        for function in functions
        if function in defined_in(file) and (file, function) not in walked
    ]
    assert missed == []
