"""samba-opt: exit codes, diagnostics, output files. (lit runs it as a process.)"""

import contextlib
import io
import os
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from sambaflow.tools.samba_opt import main

GOOD = "func.func @f(%a: i32) -> i32 {\n  %0 = arith.addi %a, %a : i32\n  return %0 : i32\n}\n"
WRONG = GOOD.replace("%a, %a", "%b, %a")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def samba_opt(*arguments: str, text: str = GOOD) -> Done:
    """Calls the tool's entry point in this process."""
    out, err = io.StringIO(), io.StringIO()
    stdin = patch("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    with stdin, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


REFUSED = [
    ("a use that is never defined", (), WRONG, "stdin:2:8: error: 'arith.addi' op uses %b, which is not defined"),
    ("no MLIR", (), "hello, world\n", "stdin:1:1: error: unknown op 'hello'"),
    ("no op at all", (), "[1, 2]\n", "stdin:1:1: error: expected an op, found '['"),
    ("an unknown op", (), "samba.frobnicate\n", "stdin:1:1: error: unknown op 'samba.frobnicate'"),
    ("an unknown pass", ("--pass-pipeline=samba-fues",), GOOD, "unknown pass 'samba-fues'; did you mean 'samba-fuse'?"),
    ("a pipeline that does not parse", ("--pass-pipeline=samba-fuse{",), GOOD, "<pass-pipeline>:1:12: error: expected"),
    ("a missing file", ("missing.mlir",), "", "missing.mlir: error: No such file or directory"),
    ("a folder", ("/",), "", "/: error: Is a directory"),
    (
        "a shape mismatch",
        (),
        "func.func @f(%a: tensor<2x4xf32>, %w: tensor<3x5xf32>) {\n"
        "  %0 = samba.linear %a, %w : (tensor<2x4xf32>, tensor<3x5xf32>) -> tensor<2x3xf32>\n  return\n}\n",
        "stdin:2:8: error: 'samba.linear' op",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused_input_gives_one_diagnostic_and_exit_code_1(arguments: tuple[str, ...], text: str, message: str):
    done = samba_opt(*arguments, text=text)
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count(" error: ") + done.stderr.startswith("error: ") == 1
    assert "Traceback" not in done.stderr


def test_the_diagnostic_shows_the_line_and_a_caret():
    done = samba_opt(text=GOOD.replace("addi", "addf"))
    assert done.stderr.splitlines()[1:3] == ["  %0 = arith.addf %a, %a : i32", "       ^~~~~~~~~~"]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path):
    path = tmp_path / "model.mlir"
    path.write_bytes(b"\x7fELF\xff\xfe")
    done = samba_opt(str(path))
    assert (done.returncode, done.stderr) == (1, f"{path}: error: not a text file: byte 4 is not UTF-8\n")


@pytest.mark.parametrize("arguments", [("--no-such-flag",), ("-p", "cse", "--pass-pipeline=cse"), ("-t", "nothing")])
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...]):
    done = samba_opt(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_failure_leaves_the_output_file_as_it_was(tmp_path: Path):
    out = tmp_path / "out.mlir"
    assert samba_opt("-o", str(out), text=WRONG).returncode == 1
    assert os.listdir(tmp_path) == []
    out.write_text("old")
    assert samba_opt("-o", str(out), text=WRONG).returncode == 1
    assert (os.listdir(tmp_path), out.read_text()) == (["out.mlir"], "old")
    assert samba_opt("-o", str(out)).returncode == 0
    assert (os.listdir(tmp_path), out.read_text()) == (["out.mlir"], samba_opt().stdout)


def test_an_output_file_that_cannot_be_written_is_refused(tmp_path: Path):
    done = samba_opt("-o", str(tmp_path / "missing" / "out.mlir"))
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr and "Traceback" not in done.stderr


def test_all_pieces_of_a_file_are_processed_though_one_is_refused():
    done = samba_opt("--split-input-file", text=f"{WRONG}// -----\n{GOOD}")
    assert done.returncode == 1
    assert "arith.addi" in done.stdout
    assert "uses %b, which is not defined" in done.stderr


def test_places_in_later_pieces_count_from_the_start_of_the_file():
    done = samba_opt("--split-input-file", text=f"{GOOD}// -----\n{GOOD.replace('addi', 'nothing')}")
    assert "stdin:7:8: error: unknown op 'arith.nothing'" in done.stderr
