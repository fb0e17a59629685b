"""The house of `docs/architecture.md`: its floors and rooms as a picture and as a table.

Which folders are floors and which of them is above which is the table of the layout test; what imports what is read
from the files, so that the picture shows the code as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from markup import ROOT, literal, summary, table

LAYOUT = ROOT / "test" / "layout" / "test_layout.py"
GROUND = "src/sambaflow"
"""The root package, which all floors stand on: errors, diagnostics, files."""

NOTES: Mapping[str, str] = {
    "machine": "what an RDU is",
    "dialects": "the three levels of IR",
    "passes": "IR to IR",
    "backends": "to PEF",
    "sim": "PEF to numbers and time",
    "frontends": "PyTorch to IR",
    "samba": "for PyTorch users",
    "tools": "for the command line",
    "testing": "for tests and fuzzing",
}
"""What stands beside the name of a floor in the picture."""


@dataclass(frozen=True)
class Room:
    """A folder of a floor, or the files that lie beside its folders."""

    path: str
    uses: tuple[str, ...]
    """The rooms of the same floor that its files import, without those that these import in turn."""

    level: int
    """0: imports no room of its floor; else one above the highest that it imports."""


@dataclass(frozen=True)
class Floor:
    """A folder at the root, its rooms, and the floors that it stands on."""

    path: str
    uses: tuple[str, ...]
    level: int
    rooms: tuple[Room, ...]

    @property
    def height(self) -> int:
        """How many rows of rooms it has."""
        return 1 + max(room.level for room in self.rooms)


@cache
def floors() -> Mapping[str, Floor]:
    """The floors from the ground up."""
    allowed = {GROUND: (), **{name: (GROUND, *below) for name, below in _allowed().items()}}
    arrows = {name: _imported_floors(name) for name in allowed}
    levels = _levels(allowed)
    return {name: Floor(name, _direct(arrows, name), levels[name], _rooms(name)) for name in allowed}


def _allowed() -> dict[str, tuple[str, ...]]:
    """Which floors each floor may import, by the layout test."""
    for node in ast.parse(LAYOUT.read_text()).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="FLOORS"), value=ast.Dict() as floors_of_house):
                return ast.literal_eval(floors_of_house)
            case _:
                pass
    raise ValueError(f"{LAYOUT} has no FLOORS")


def _imported_floors(floor: str) -> set[str]:
    if floor == GROUND:  # its entry points import the top floors, inside functions, by name
        return set()
    folders = {target.split("/")[0] for _, target in _imports(floor)}
    return {GROUND if folder == "src" else folder for folder in folders} - {floor}


def _rooms(floor: str) -> tuple[Room, ...]:
    arrows: dict[str, set[str]] = {_room_of(path): set() for path in _sources(floor)}
    for importer, imported in _imports(floor):
        if imported.startswith(f"{floor}/") and _room_of(importer) != _room_of(imported):
            arrows[_room_of(importer)].add(_room_of(imported))
    levels = _levels(arrows)
    rooms = [Room(name, _direct(arrows, name), levels[name]) for name in arrows]
    return tuple(sorted(rooms, key=lambda room: (room.level, room.path)))


# ---- the import graph


@cache
def _modules() -> Mapping[str, str]:
    """The file of every module, below the root of the repository."""
    modules: dict[str, str] = {}
    for floor in (GROUND, *_allowed()):
        for path in _sources(floor):
            name = path.removeprefix("src/sambaflow/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            modules["sambaflow" if name == "__init__" else f"sambaflow.{name}"] = path
    return modules


def _sources(floor: str) -> list[str]:
    """The files of a floor; an `__init__.py` only where its folder has rooms beside it, or is one."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / floor).rglob("*.py"))
    alone = [path for path in files if _room_of(path) == f"{floor}/*.py"]
    return [path for path in files if len(alone) > 1 or path not in alone]


def _imports(floor: str) -> Iterator[tuple[str, str]]:
    """(importer, imported): files, also for imports inside functions and those that only type checkers see."""
    for path in _sources(floor):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            match node:
                case ast.Import(names=names):
                    imported = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), names=names):
                    imported = [f"{module}.{alias.name}" for alias in names]
                case _:
                    continue
            for name in imported:
                target = _modules().get(name) or _modules().get(name.rpartition(".")[0])
                if target is not None:
                    yield path, target


def _room_of(path: str) -> str:
    """`passes/fusion/rules` of its files, `passes/*.py` of the files beside the rooms."""
    folder = str(Path(path).parent)
    return f"{folder}/*.py" if folder == GROUND or "/" not in folder else folder


def _levels(arrows: Mapping[str, Sequence[str] | set[str]]) -> dict[str, int]:
    """The longest way down from each name."""
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = 1 + max((level(below) for below in arrows[name]), default=-1)
        return levels[name]

    return {name: level(name) for name in arrows}


def _direct(arrows: Mapping[str, set[str]], name: str) -> tuple[str, ...]:
    """What `name` imports and reaches by no other of its imports."""

    def reached(start: str) -> set[str]:
        return arrows[start].union(*map(reached, arrows[start]))

    indirect = set[str]().union(*map(reached, arrows[name]))
    return tuple(sorted(arrows[name] - indirect))


# ---- the table


def architecture() -> str:
    """`docs/architecture.md` with the table of floors and rooms between its markers."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    marked = r"(<!-- house -->\n).*?(\n<!-- /house -->)"
    return re.sub(marked, lambda match: match[1] + _table() + match[2], text, flags=re.DOTALL)


def _table() -> str:
    """The floors from the top, each with its rooms, and what each is for by the docstring of its package."""
    rows: list[tuple[str, str, str]] = []
    for floor in reversed([*floors().values()]):
        rows.append((f"**{floor.path}**", _purpose(floor.path), ", ".join(map(literal, floor.uses))))
        for room in reversed(floor.rooms):
            if not room.path.endswith("*.py"):
                rows.append((literal(room.path), _purpose(room.path), ", ".join(map(literal, room.uses))))
    return table(("floor, room", "what", "stands on"), rows)


def _purpose(folder: str) -> str:
    return summary(ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text())) or "")


# ---- the picture

WIDTH, ROW, PAD, HEAD, GAP, LANE = 1080, 46, 12, 24, 34, 40
"""Of the picture in pixels: its width, a row of rooms, inside a floor, its name, between floors, beside them."""

STYLE = (
    "text{font:13px sans-serif}.small{font-size:10.5px;fill:#555}.name{font-weight:bold}.note{text-anchor:end}"
    ".floor{fill:#eef2f7;stroke:#8a9bb0}.room{fill:#fff;stroke:#b5c0cd}.arrow{fill:none;stroke:#4a6fa5;stroke-width:1.5}"
)
HEADER = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#4a6fa5"/></marker>'
)


@dataclass(frozen=True)
class Box:
    """A rectangle of the picture."""

    x: float
    y: float
    width: float
    height: float

    def svg(self, kind: str, title: str) -> str:
        """Its element, which shows `title` under the pointer."""
        size = f'x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" height="{self.height:g}"'
        return f'<rect class="{kind}" {size} rx="4"><title>{escape(title)}</title></rect>'


def picture() -> str:
    """`docs/architecture.svg`: floors upon floors, in each its rooms, arrows from a floor to those that it imports."""
    boxes = _boxes()
    bottom = max(box.y + box.height for box in boxes.values()) + PAD
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom:g}">', f"<style>{STYLE}</style>"]
    parts.append(f"<defs>{HEADER}</defs>")
    for floor in floors().values():
        parts += _floor(floor, boxes[floor.path])
    parts += _arrows(boxes)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _boxes() -> dict[str, Box]:
    """Where each floor stands: those of one level side by side, as wide as their rooms ask."""
    boxes: dict[str, Box] = {}
    y = float(PAD)
    for level in sorted({floor.level for floor in floors().values()}, reverse=True):
        row = [floor for floor in floors().values() if floor.level == level]
        height = HEAD + ROW * max(floor.height for floor in row) + PAD
        widths = [max(sum(room.level == at for room in floor.rooms) for at in range(floor.height)) for floor in row]
        unit = (WIDTH - 2 * LANE - GAP * (len(row) - 1)) / sum(widths)
        x = float(LANE)
        for floor, width in zip(row, widths, strict=True):
            boxes[floor.path] = Box(x, y, unit * width, height)
            x += unit * width + GAP
        y += height + GAP
    return boxes


def _floor(floor: Floor, box: Box) -> list[str]:
    parts = [box.svg("floor", _purpose(floor.path))]
    parts.append(_text(box.x + PAD, box.y + 17, f"{floor.path}/", "name"))
    parts.append(_text(box.x + box.width - PAD, box.y + 17, NOTES.get(floor.path, ""), "note small"))
    for level in range(floor.height):
        rooms = [room for room in floor.rooms if room.level == level]
        width = (box.width - PAD) / len(rooms)
        y = box.y + box.height - PAD - ROW * (level + 1) + 6
        for number, room in enumerate(rooms):
            x = box.x + PAD + width * number
            purpose = "the files beside the rooms" if room.path.endswith("*.py") else _purpose(room.path)
            parts.append(Box(x, y, width - PAD, ROW - 8).svg("room", purpose))
            parts.append(_text(x + 7, y + 15, room.path.removeprefix(f"{floor.path}/")))
            below = ", ".join(name.removeprefix(f"{floor.path}/") for name in room.uses)
            parts += [_text(x + 7, y + 30, f"on {below}", "small")] if below else []
    return parts


def _arrows(boxes: Mapping[str, Box]) -> list[str]:
    """Down to a floor that is next; along the side past those between."""
    levels = sorted({floor.level for floor in floors().values()})
    lines: list[str] = []
    for floor in floors().values():
        for below in floor.uses:
            start, end = boxes[floor.path], boxes[below]
            if levels.index(floor.level) - levels.index(floors()[below].level) == 1:
                left, right = max(start.x, end.x), min(start.x + start.width, end.x + end.width)
                x, to = ((left + right) / 2,) * 2 if left < right else (right - GAP, left + GAP)
                y = start.y + start.height
                lines.append(f"M{x:g} {y:g}V{y + GAP / 3:g}H{to:g}V{end.y:g}")
            else:
                side, turn = start.x + start.width, WIDTH - LANE / 2
                lines.append(f"M{side:g} {start.y + HEAD:g}H{turn:g}V{end.y + HEAD:g}H{end.x + end.width:g}")
    return [f'<path class="arrow" marker-end="url(#head)" d="{line}"/>' for line in lines]


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:g}" y="{y:g}">{escape(text)}</text>'
