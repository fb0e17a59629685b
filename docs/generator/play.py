"""Does what a guide says, word for word, in a copy of the repository; fails where the guide is wrong.

    python docs/generator/play.py docs/guides/add-a-machine.md

What a reader would do with each fenced block is done in order:

* a block whose first line is a comment with the name of a file is written to that file; where the repository has a
  file of that name, the block quotes it, and must stand there (a line `...` skips);
* a `diff` is applied to the copy;
* in a `console` block, what follows `$ ` is run, and must print what stands below it: `...` in a line is any text, on
  a line of its own any lines. A command that shows `error:` must fail, any other must not.

Every other block is refused: nobody would notice when it is wrong.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markup import ROOT

COPIED = ("src", "dialects", "machine", "frontends", "passes", "backends", "sim", "samba", "tools", "typecheck")
ALSO_COPIED = ("examples", "test", "lit.cfg.py", "pyproject.toml")
SCRIPTS = ("samba-opt", "samba-compile", "samba-run", "samba-translate", "lit", "filecheck", "pytest", "pip")
SECONDS = 300
"""The longest that a command may take."""

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|//|<!--) ([\w./-]+\.\w+)(?: -->)?")


class GuideError(Exception):
    """A guide that cannot be followed."""


@dataclass(frozen=True)
class Block:
    """A fenced block: the line that it starts on, its language and what stands in it."""

    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the first line names."""
        named = _FILE.fullmatch(self.text.partition("\n")[0])
        return named[1] if named else None


def blocks_of(text: str) -> Iterator[Block]:
    """The fenced blocks of a guide."""
    for match in _FENCE.finditer(text):
        yield Block(text.count("\n", 0, match.start()) + 1, match["language"], match["text"])


class Player:
    """Follows a guide in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (*COPIED, *ALSO_COPIED):
            _copy(ROOT / name, folder / name)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment of commands."""
        return _make_environment(self.folder)

    def play(self, block: Block) -> None:
        """Do what a block says."""
        if block.language == "console":
            for command, expected in commands_of(block.text):
                self.run(command, expected)
        elif block.language == "diff":
            self.apply(block.text)
        elif block.file is None:
            raise GuideError("names no file, is no diff and no console: nothing checks it")
        elif (ROOT / block.file).exists():
            check_quote(block.text.partition("\n")[2], (self.folder / block.file).read_text(), block.file)
        else:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)

    def run(self, command: str, expected: str) -> None:
        """Run a command and compare what it prints."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if (done.returncode != 0) != bool(re.search(r"\berror:", expected)):
            raise GuideError(f"$ {command}\nends with {done.returncode}:\n{done.stdout}")
        if not matches(expected, done.stdout):
            raise GuideError(f"$ {command}\nprints\n{done.stdout}\nand not\n{expected}")

    def apply(self, text: str) -> None:
        """Apply a diff to the copy."""
        command = ["git", "apply", "--unidiff-zero", "--recount", "-"]
        done = subprocess.run(command, cwd=self.folder, input=text, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise GuideError(f"does not apply: {done.stderr}")


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, with what each prints; a line that ends in a backslash goes on."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:.*\\\n)*.*", part)
        assert command is not None
        yield command[0], part[command.end() :].removeprefix("\n")


def matches(expected: str, printed: str) -> bool:
    """Whether a text is what is expected; `...` stands for any text of a line, or for any lines."""
    pattern = ""
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += r"[^\n]*?".join(map(re.escape, line.rstrip().split("..."))) + r"[ \t]*\n"
    return re.fullmatch(pattern, f"{printed.rstrip()}\n" if printed.strip() else "") is not None


def check_quote(quote: str, text: str, file: str) -> None:
    """Whether the lines of a quote stand in a file, in this order and whatever their indentation."""
    lines = [line.strip() for line in text.splitlines()]
    at = 0
    for piece in re.split(r"^ *\.\.\.\n", quote, flags=re.MULTILINE):
        wanted = [line.strip() for line in piece.strip("\n").splitlines()]
        start = next((i for i in range(at, len(lines)) if lines[i : i + len(wanted)] == wanted), None)
        if start is None:
            raise GuideError(f"{file} does not say:\n{piece}")
        at = start + len(wanted)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("Output", "*.egg-info")
        shutil.copytree(source, target, symlinks=True, ignore=ignored)
    else:
        shutil.copy2(source, target)


def _make_environment(folder: Path) -> dict[str, str]:
    """A virtual environment in which `sambaflow` is the copy, and what a guide installs stays."""
    home = folder / ".venv"
    venv.create(home, symlinks=True)
    site = next(home.glob("lib/python*/site-packages"))
    ours = [path for path in sys.path if path.endswith("site-packages")]
    lines = [str(folder / "typecheck"), *(f"import site; site.addsitedir({path!r})" for path in ours)]
    (site / "sambaflow.pth").write_text("\n".join(lines) + "\n")
    for name in SCRIPTS:
        _, _, script = (Path(sys.executable).parent / name).read_text().partition("\n")
        (home / "bin" / name).write_text(f"#!{home}/bin/python\n{script}")
        (home / "bin" / name).chmod(0o755)
    return {
        "PATH": f"{home}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
        # what a guide installs is on the disk, with all that it needs
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_DEPS": "1",
        "PIP_QUIET": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def play(guide: str) -> str | None:
    """Follow a guide; the first thing that is wrong with it, with its line."""
    with tempfile.TemporaryDirectory() as folder:
        player = Player(Path(folder).resolve())
        for block in blocks_of(Path(guide).read_text()):
            try:
                player.play(block)
            except GuideError as error:
                return f"{guide}:{block.line}: {error}"
    return None


def main(guides: list[str]) -> int:
    """Play the guides; returns the exit code."""
    wrong = [failure for guide in guides if (failure := play(guide)) is not None]
    for failure in wrong:
        print(failure, file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
