"""Errors are data: facts, JSON, one family, and every shortfall with its figures."""

from __future__ import annotations

import ast
import json
import pickle
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from sambaflow import errors
from sambaflow.errors import CapacityError, InputError, Location, Note, SambaError, UnsupportedOperator, WeightError
from sambaflow.errors import UnsupportedOperators as Unsupported

ROOT = Path(__file__).resolve().parents[2]
CODE = ("src", "dialects", "machine", "frontends", "passes", "backends", "sim", "samba", "tools")


@cache
def code() -> dict[Path, str]:
    files = (path for folder in CODE for path in (ROOT / folder).rglob("*.py") if path.name != "errors.py")
    return {path: path.read_text() for path in files}


# A class of errors that nothing raises is a promise that nobody keeps.
def test_every_class_of_errors_is_used():
    family = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, SambaError)}
    raised = re.compile(r"\b([A-Z]\w+)\(|, ([A-Z]\w+)[,)\n]")
    used = {name for text in code().values() for names in raised.findall(text) for name in names}
    assert family - used == set()


# What does not fit says how much was asked, how much there is, and what can be changed.
def test_every_capacity_error_carries_its_figures():
    bare = [
        f"{path}:{node.lineno}"
        for path, text in code().items()
        if "CapacityError" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        if any(isinstance(child, ast.Name) and child.id == "CapacityError" for child in (node.func, *node.args))
        if not {"demand", "limit", "shortfall", "levers"} <= {keyword.arg for keyword in node.keywords}
    ]
    assert bare == []


def test_an_error_as_json():
    error = CapacityError("does not fit", op="kernel.section", location=Location("f", 1, 2), demand="3", limit="2")
    assert json.loads(json.dumps(error.as_json())) == {
        "type": "CapacityError",
        "severity": "error",
        "message": "does not fit",
        "op": "kernel.section",
        "file": "f",
        "line": 1,
        "column": 2,
        "module_path": "",
        "facts": {"demand": "3", "limit": "2"},
        "notes": [],
    }


def test_unsupported_operators_are_facts_too():
    places = tuple(Location("m.py", 1, module_path=f"layers.{i}") for i in range(20))
    error = Unsupported([UnsupportedOperator("aten.det", 20, places), UnsupportedOperator("aten.fft", 1)])
    row, other = error.as_json()["facts"]["operators"]  # pyright: ignore[reportIndexIssue]
    assert (row["name"], row["count"], row["places"][3]["module_path"]) == ("aten.det", 20, "layers.3")
    assert other == {"name": "aten.fft", "count": 1, "places": []}
    # People see the first places.
    first, second = error.all_notes
    assert first.message.startswith("aten.det: 20 use(s) in layers.0, layers.1") and first.message.endswith(", ...")
    assert "layers.9" not in first.message
    assert second == Note("aten.fft: 1 use(s)")


@pytest.mark.parametrize("kind", [WeightError, InputError, CapacityError])
def test_the_text_of_an_exception_says_all(kind: type[SambaError]):
    error = kind("m", op="a.b", location=Location("f", 3), demand="2", limit="1", levers=["l"], notes=[Note("n")])
    assert str(error) == "f:3: 'a.b' op m\n  needs 2, has 1\n  n\n  try: l"


# The ground floor costs no start-up: printing an error needs neither xDSL nor rich.
def test_reporting_imports_nothing_heavy():
    check = (
        "import sys, sambaflow.reporting, sambaflow.remarks\n"
        "assert not {'xdsl', 'yaml', 'rich', 'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


# Errors cross process borders: what a worker raises arrives whole.
@pytest.mark.parametrize(
    "error",
    [
        CapacityError("m", op="a.b", location=Location("f", 1), demand="3", levers=["l"], notes=[Note("n")]),
        Unsupported([UnsupportedOperator("aten.det", 2, (Location("f", 1),))], levers=["l"]),
    ],
)
def test_errors_are_pickled_whole(error: SambaError):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and copy.as_json() == error.as_json()
