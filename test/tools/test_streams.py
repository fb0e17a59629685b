"""Every command leaves files whole and what they are, says what it cannot write, and ends when it is told to."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sambaflow import files
from sambaflow.errors import InputError
from sambaflow.files import read_input, remedies, write_file, write_files
from sambaflow.frontends.archives import read_archive
from sambaflow.frontends.checkpoints import read_checkpoint
from sambaflow.frontends.hf.models import load_config

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
MODEL = (ROOT / "examples" / "linear_relu.mlir").read_text()


@dataclass(frozen=True)
class Command:
    """A run of a tool: what it reads, and the arguments with a place for an output file or (none) standard output."""

    reads: str
    to_file: tuple[str, ...]
    to_output: tuple[str, ...] | None


COMMANDS = {
    "samba-opt": Command("a.mlir", ("a.mlir", "-o"), ("a.mlir",)),
    "samba-translate": Command("a.pef", ("--from-pef", "a.pef", "-o"), ("--from-pef", "a.pef")),
    "samba-compile": Command("a.mlir", ("a.mlir", "-o"), None),
    "samba-run": Command("a.pef", ("a.pef", "--report"), ("a.pef",)),
}


def test_every_command_is_tried():
    assert set(SCRIPTS) == set(COMMANDS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files that commands read."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "a.mlir").write_text(MODEL)
    subprocess.run([BIN / "samba-compile", "a.mlir", "-o", "a.pef"], cwd=folder, check=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path, inputs: dict[str, bytes]) -> Path:
    for name, data in inputs.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def run(tool: str, arguments: tuple[str, ...], folder: Path, **streams: object) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / tool), *arguments]
    return subprocess.run(command, cwd=folder, text=True, stderr=subprocess.PIPE, timeout=60, **streams)  # pyright: ignore[reportCallIssue, reportArgumentType]


def refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    """One diagnostic, its remedy, and the exit code of a refusal."""
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert re.search(said, lines[0]), done.stderr
    assert all("note: try:" in line for line in lines[1:]), done.stderr


@pytest.mark.parametrize("tool", COMMANDS)
def test_a_fifo_is_written_to_and_stays_one(tool: str, folder: Path):
    os.mkfifo(folder / "fifo")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((folder / "fifo").read_bytes()))
    reader.start()
    done = run(tool, (*COMMANDS[tool].to_file, "fifo"), folder, stdout=subprocess.DEVNULL)
    reader.join(30)
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_ISFIFO((folder / "fifo").stat().st_mode)
    assert read[0]
    assert set(os.listdir(folder)) == {"a.mlir", "a.pef", "fifo"}


@pytest.mark.parametrize("tool", COMMANDS)
def test_a_path_that_cannot_be_written_is_refused(tool: str, folder: Path):
    done = run(tool, (*COMMANDS[tool].to_file, "no/out"), folder, stdout=subprocess.DEVNULL)
    refused(done, "no/out: error: No such file or directory")
    assert set(os.listdir(folder)) == {"a.mlir", "a.pef"}


@pytest.mark.parametrize("tool", COMMANDS)
def test_an_input_that_is_no_file_is_refused(tool: str, folder: Path):
    command = COMMANDS[tool]
    (folder / command.reads).unlink()
    (folder / command.reads).mkdir()
    done = run(tool, (*command.to_file, "out"), folder, stdout=subprocess.DEVNULL)
    refused(done, f"{command.reads}: error: Is a directory")
    assert set(os.listdir(folder)) == {"a.mlir", "a.pef"}


@pytest.mark.parametrize("tool", [tool for tool, command in COMMANDS.items() if command.to_output])
def test_standard_output_that_takes_nothing_is_said(tool: str, folder: Path):
    arguments = COMMANDS[tool].to_output
    assert arguments is not None
    with open("/dev/full", "w") as full:
        refused(run(tool, arguments, folder, stdout=full), "standard output: error: No space left on device")
    command = f"{BIN / tool} {' '.join(arguments)} >&-"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60)
    refused(done, "standard output: error: it is closed")


def test_a_refusal_without_standard_error_is_one(folder: Path):
    command = f"{BIN / 'samba-opt'} a.mlir -o no/out 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.fixture(autouse=True)
def interrupts_are_heard() -> Generator[None]:
    """A shell has what it starts in the background ignore them, and that is inherited: the suite may run there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


SIGNALS = [(tool, signal.SIGINT, "interrupted") for tool in COMMANDS] + [("samba-opt", signal.SIGTERM, "terminated")]


@pytest.mark.parametrize(("tool", "number", "said"), SIGNALS)
def test_a_signal_ends_it_with_one_line(tool: str, number: signal.Signals, said: str, folder: Path):
    """While it waits for its input, which is a FIFO."""
    command = COMMANDS[tool]
    (folder / command.reads).unlink()
    os.mkfifo(folder / command.reads)
    process = subprocess.Popen(
        [BIN / tool, *command.to_file, "out"], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    with open(folder / command.reads, "wb"):  # it reads now
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (128 + number, f"{tool}: {said}\n")
    assert set(os.listdir(folder)) == {"a.mlir", "a.pef"}


def ended(code: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def test_a_signal_ends_it_while_its_handler_has_nothing_to_call(tmp_path: Path):
    """The signal comes while `sambaflow.files` is imported, half of which is there."""
    code = """
import importlib.abc, os, sys
class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "tempfile":
            os.kill(os.getpid(), 2)
from sambaflow.tools import entry
for name in ("tempfile", "sambaflow.files"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Interrupt())
entry.run_command("samba_opt")
"""
    assert ended(code, tmp_path) == (130, "samba-opt: interrupted\n")


@pytest.mark.parametrize("arguments", [("--list-passes",), ("--help-pass", "samba-cse")])
def test_lists_that_cannot_be_written_are_said(arguments: tuple[str, ...], folder: Path):
    with open("/dev/full", "w") as full:
        refused(run("samba-opt", arguments, folder, stdout=full), "standard output: error: No space left on device")


@pytest.mark.parametrize("where", ["importing", "writing"])
def test_a_signal_ends_it_wherever_it_is(where: str, tmp_path: Path):
    interrupt = "lambda *_: __import__('os').kill(__import__('os').getpid(), 2)"
    places = {
        "importing": f"entry.import_module = {interrupt}",
        "writing": "from types import SimpleNamespace; from sambaflow.files import write_file\n"
        f"entry.import_module = lambda _: SimpleNamespace(main=lambda: write_file('out', {interrupt}))",
    }
    code = f"from sambaflow.tools import entry\n{places[where]}\nentry.run_command('samba_opt')"
    assert ended(code, tmp_path) == (130, "samba-opt: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_a_mistake_of_ours_is_a_diagnostic_too(tmp_path: Path):
    code = (
        "import sys; from sambaflow.reporting import Reporter; from sambaflow.tools.report_arguments import run\n"
        "sys.exit(run(Reporter(), lambda: 1 // 0, 'x'))"
    )
    returned, said = ended(code, tmp_path)
    assert returned == 1
    assert "error: this is a mistake of sambaflow, not of the input: ZeroDivisionError" in said
    assert "Traceback" not in said


# ---- the library under them


def test_what_stands_at_the_path_stays_what_it_is(tmp_path: Path):
    """A file keeps its permissions, a link leads to the new contents, also one that led nowhere."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("created")
    for name in ("link", "dangling"):
        write_file(tmp_path / name, name)
        assert (tmp_path / name).is_symlink()
    assert ((tmp_path / "file").read_text(), (tmp_path / "created").read_text()) == ("link", "dangling")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["created", "dangling", "file", "link"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no/out", "No such file"),
        (".", "Is a directory"),
        ("x" * 300, "File name too long"),
        ("file/out", "Not a dir"),
    ],
)
def test_paths_that_no_file_can_have(path: str, said: str, tmp_path: Path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(OSError, match=said) as caught:
        write_file(tmp_path / path, "new")
    assert caught.value.filename == str(tmp_path / path)
    assert remedies(caught.value)
    assert os.listdir(tmp_path) == ["file"]


def test_a_path_of_a_folder_names_no_file(tmp_path: Path):
    (tmp_path / "file").write_text("old")
    for path in ("new/", "file/"):
        with pytest.raises(OSError, match=r"No such file|Not a dir"):
            write_file(f"{tmp_path}/{path}", "new")
    assert os.listdir(tmp_path) == ["file"]


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> Generator[None]:
    """A function of `os` or `tempfile` that fails as a disk that is full, or a folder that may not be written."""

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), arguments[0] if name == "replace" else None)

    with monkeypatch.context() as patch:
        patch.setattr(files.tempfile if name == "mkstemp" else files.os, name, fail)
        yield


@pytest.mark.parametrize(
    ("name", "number"),
    [("mkstemp", errno.EROFS), ("mkstemp", errno.EACCES), ("chmod", errno.EPERM), ("replace", errno.ENOSPC)],
)
def test_a_failure_leaves_everything_as_it_was(name: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a").write_text("old")
    with failing(monkeypatch, name, number), pytest.raises(OSError, match=os.strerror(number)) as caught:
        write_files([(tmp_path / "a", "new"), (tmp_path / "b", b"new")])
    assert caught.value.filename == str(tmp_path / "a")
    assert remedies(caught.value)
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_the_second_of_two_files_fails_before_the_first_is_moved(tmp_path: Path):
    def fail(path: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").write_text("old")
    with pytest.raises(OSError, match="No space left") as caught:
        write_files([(tmp_path / "a", "new"), (tmp_path / "b", fail)])
    assert caught.value.filename == str(tmp_path / "b")
    assert (tmp_path / "a").read_text() == "old" and os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folders_and_files_that_may_not_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o400)
    (tmp_path / "folder").mkdir(0o500)
    for path in (tmp_path / "file", tmp_path / "folder" / "a"):
        with pytest.raises(PermissionError):
            write_file(path, "new")
    assert (tmp_path / "file").read_text() == "old"


def test_a_full_disk_leaves_nothing(tmp_path: Path):
    """A real one, where this process may mount a small one."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(OSError, match="No space left on device"):
            write_file(tmp_path / "large", bytes(1 << 20))
        assert os.listdir(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_devices_are_written_to(tmp_path: Path):
    try:
        os.mknod(tmp_path / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("making devices is not allowed here")
    write_file(tmp_path / "null", "text")
    write_file(tmp_path / "null", lambda path: Path(path).write_text("text"))
    assert stat.S_ISCHR((tmp_path / "null").stat().st_mode)
    assert os.listdir(tmp_path) == ["null"]


def test_what_never_ends_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MOST_STREAMED", 1000)
    with pytest.raises(InputError, match="gives more than 1000 bytes"):
        read_input("/dev/zero")
    with pytest.raises(InputError, match="embedded null byte"):
        read_input("a\0b")
    assert read_input("/dev/null") == b""
    (tmp_path / "config.json").write_text("{}" * 8)
    with pytest.raises(InputError, match="gives more than 15 bytes"):
        read_input(str(tmp_path / "config.json"), most=15)
    assert read_input(str(tmp_path / "config.json"), most=16) == b"{}" * 8
    with open("/dev/zero") as endless, pytest.raises(InputError, match="-: gives more than 1000 bytes"):
        monkeypatch.setattr("sys.stdin", endless)
        read_input("-")


def test_links_to_what_never_ends_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MOST_STREAMED", 1000)
    for name in ("m.pt2", "config.json", "model.safetensors.index.json"):
        (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"m\.pt2: .* gives more than 1000 bytes"):
        read_archive(tmp_path / "m.pt2")
    with pytest.raises(InputError, match=r"config\.json: gives more than 16777216 bytes"):
        load_config(tmp_path)
    with pytest.raises(InputError, match="cannot read the index: gives more than 16777216 bytes"):
        read_checkpoint(tmp_path)
