"""samba-opt as a process: exit codes, diagnostics, output files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = "func.func @f(%a: i32) -> i32 {\n  %0 = arith.addi %a, %a : i32\n  return %0 : i32\n}\n"
WRONG = GOOD.replace("%a, %a", "%b, %a")
SAMBA_OPT = [str(Path(sys.executable).parent / "samba-opt")]


def samba_opt(*arguments: str, text: str = GOOD) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SAMBA_OPT, *arguments], input=text, capture_output=True, text=True, check=False)


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


def test_remarks_and_counters_are_printed_and_written_as_json(tmp_path: Path):
    text = "func.func @f(%a: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x3xf32> {\n"
    text += "  %0 = samba.linear %a, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>\n"
    text += "  return %0 : tensor<2x3xf32>\n}\n"
    path = tmp_path / "remarks.json"
    flags = ("--remarks", "--remarks-file", str(path), "--pass-statistics")
    done = samba_opt("--pass-pipeline=samba-fuse", *flags, text=text)
    assert "stdin:2:8: remark: [samba-fuse] applied: rule 'base_gemm' made a module (ops = 1)" in done.stderr
    assert "samba-fuse: modules = 1" in done.stderr
    (remark,) = json.loads(path.read_text())
    assert (remark["pass"], remark["kind"], remark["location"]) == ("samba-fuse", "applied", "stdin:2:8")
    assert remark["facts"] == {"ops": 1}


def test_verify_diagnostics_fails_on_missing_and_unexpected_errors():
    missing = samba_opt("--verify-diagnostics", text="// expected-error@+2 {{nothing}}\n" + GOOD)
    assert missing.returncode == 1
    assert 'stdin:1:4: error: expected error "nothing" was not produced' in missing.stderr
    unexpected = samba_opt("--verify-diagnostics", text=GOOD.replace("addi", "nothing"))
    assert unexpected.returncode == 1
    assert "unexpected error: unknown op 'arith.nothing'" in unexpected.stderr
    met = samba_opt(
        "--verify-diagnostics", text=f"// expected-error@+2 {{{{nothing}}}}\n{GOOD.replace('addi', 'nothing')}"
    )
    assert (met.returncode, met.stderr) == (0, "")
