"""What a run reads and writes, checked before it starts: no output takes the place of another one, or of an input.

check_paths([Use("--report", "r.json"), Use("--trace", "r.json")], [])      refused: both write r.json
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sambaflow.errors import InputError, Location
from sambaflow.files import STANDARD, is_plain


class Use(NamedTuple):
    """A file of a run: how its diagnostics call it, and its path, None where it is not asked for."""

    name: str
    path: str | None


def check_paths(
    writes: Sequence[Use], reads: Sequence[Use], in_place: Collection[tuple[str, str]] = (), streamed: str = ""
) -> None:
    """InputError for two outputs at one path, for one at the path of an input, and for one that can be no file.

    `in_place`: names of an output and an input that may be one file. `streamed`: the output that may be standard
    output. Devices and FIFOs take what they are given.
    """
    taken: dict[str, str] = {}
    inputs = [(use, real) for use in reads if (real := _file(use.path)) is not None]
    for name, path in writes:
        if path == STANDARD and name != streamed:
            raise InputError(
                f"{name} writes a file, and '-' stands for standard output",
                location=Location(path),
                levers=["./- is a file of that name", "/dev/stdout"],
            )
        if path and not os.path.basename(path):
            raise InputError(
                f"{name} writes a file, and '{path}' names a folder",
                location=Location(path),
                levers=["name a file in that folder"],
            )
        real = _file(path)
        if path is None or real is None:
            continue
        if real in taken:
            raise InputError(
                f"{taken[real]} and {name} would be written to one file",
                location=Location(path),
                levers=["give each a path of its own"],
            )
        taken[real] = name
        lost = next(
            (use.name for use, read_path in inputs if read_path == real and (name, use.name) not in in_place), None
        )
        if lost is not None:
            raise InputError(
                f"{name} would replace {lost}, which this run reads",
                location=Location(path),
                levers=["write to another path, in another folder for example"],
            )


def files_in(name: str, path: str | None) -> list[Use]:
    """An input, and the files in it if it is a folder."""
    if path is None or not os.path.isdir(path):
        return [Use(name, path)]
    try:
        return [Use(f"{file_name} of {name}", os.path.join(path, file_name)) for file_name in sorted(os.listdir(path))]
    except OSError:  # said by who reads it
        return []


def with_suffix(path: str | None, suffix: str) -> str | None:
    """The path of the file that stands beside another one."""
    stem, _ = os.path.splitext(path or "")
    return stem + suffix if os.path.basename(stem) else None


def _file(path: str | None) -> str | None:
    """The file that a path leads to, or would; None for what is no file."""
    try:
        return os.path.realpath(path) if path and path != STANDARD and is_plain(path) else None
    except (OSError, ValueError):  # what no path may hold is said by who opens it
        return None
