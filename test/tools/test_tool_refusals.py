"""What the tools themselves refuse: each in words, from the command line."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

import pytest

from sambaflow.errors import InputError
from sambaflow.tools import entry, expected, opt_arguments, report_arguments
from sambaflow.tools.expected import expectations_of
from sambaflow.tools.models import call_function, import_from


def test_a_model_is_ir_an_archive_or_a_function():
    with pytest.raises(InputError, match=r"'model\.onnx' is no model") as caught:
        import_from(Namespace(model="model.onnx", hf=None))
    assert list(caught.value.levers) == ["a .mlir or .pt2 file", "file.py:function", "--hf FOLDER or config.json"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def other(): pass", "has no function 'model'"),
        ("model = 7", "has no function 'model'"),
        ("def model():\n    return 1 // 0", "raised ZeroDivisionError: integer division or modulo by zero"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("def model(:", "raised SyntaxError"),
        ("def model():\n    return 7", r"returned int, not \(module, inputs\)"),
        ("def model():\n    return 1, 2", r"returned tuple, not \(module, inputs\)"),
    ],
)
def test_a_function_that_makes_no_model_is_refused_at_its_line(text: str, said: str, tmp_path: Path):
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        call_function(str(tmp_path / "model.py"), "model")
    assert caught.value.location is not None and caught.value.location.file == str(tmp_path / "model.py")
    if "1 // 0" in text:
        assert caught.value.location.line == 2


def test_a_file_that_is_not_there_has_no_function(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        call_function(str(tmp_path / "model.py"), "model")


def test_arguments_that_are_none():
    with pytest.raises(ArgumentTypeError, match="expected a number of seeds from 1 on, got '0'"):
        opt_arguments._positive("0")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ArgumentTypeError, match=r"'remarks\.txt' does not end with one of"):
        report_arguments._remarks_file("remarks.txt")  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ArgumentTypeError, match="unterminated"):
        report_arguments._filter("[")  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("regex", "said"), [("a{{b", "found start of regex with no end '}}'"), ("{{(}}", "invalid regex: missing )")]
)
def test_expected_diagnostics_that_are_no_expressions(regex: str, said: str):
    """A problem of the comment, which the driver reports at its line."""
    (expectation,) = expectations_of(f"// expected-error-re@below {{{{{regex}}}}}\n", "f.mlir", 0)
    assert said in expectation.problem
    with pytest.raises(ValueError, match=re.escape(said)):
        expected._pattern(regex)  # pyright: ignore[reportPrivateUsage]


def test_standard_output_that_is_closed_takes_nothing():
    with pytest.raises(OSError, match="it is closed") as caught:
        entry._Closed().write("text")  # pyright: ignore[reportPrivateUsage]
    assert caught.value.filename == "standard output"
