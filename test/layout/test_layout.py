"""The house rules: one import package over the folders at the root, imports only downward, a fast start."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sambaflow.passes.framework.registry import PASSES, class_name, load_own_pass, module_name

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("dialects", "machine", "frontends", "passes", "backends", "sim", "samba", "tools", "testing")

# A floor may import the floors it lists, and itself; the root package is the errors, on the ground.
FLOORS: dict[str, tuple[str, ...]] = {
    "machine": (),
    "dialects": ("machine",),
    "passes": ("dialects", "machine"),
    "backends": ("dialects", "machine"),
    "sim": ("passes", "backends", "dialects", "machine"),
    "frontends": ("passes", "backends", "dialects", "machine"),
    "samba": ("sim", "frontends", "passes", "backends", "dialects", "machine"),
    "tools": ("samba", "sim", "frontends", "passes", "backends", "dialects", "machine"),
    "testing": ("samba", "sim", "frontends", "passes", "backends", "dialects", "machine"),
}
# Inside a floor, rooms (folders) stand on floors of their own: a room may import those that it lists, and itself. Files
# that lie beside the rooms, the passes themselves say, may import all of them, and not one another.
ROOMS: dict[str, dict[str, tuple[str, ...]]] = {
    "passes": {
        "framework": (),
        "framework.instrumentation": ("framework",),
        "rewriting": ("framework",),
        "fusion": ("rewriting",),
        "fusion.rules": ("fusion", "rewriting"),
        "fusion.heuristics": ("fusion",),
        "layers": (),
        "parallel": ("framework",),
        "kernel_library": ("rewriting",),
        "planning": ("framework", "rewriting", "kernel_library"),
        "lowering": ("rewriting", "planning"),
        "physical": ("framework",),
    },
    "sim": {
        "functional": (),
        "reference": ("functional",),
        "timing": (),
        "checking": ("reference",),
    },
    "dialects": {
        "rdu": (),
        "kernel": ("rdu",),
        "samba": ("kernel", "rdu"),
        "text": (),
    },
}
TORCH_FLOORS = ("frontends", "sim", "samba", "testing")
HEAVY = ("torch", "numpy", "scipy", "ortools", "numba", "transformers")
LAZY_FLOORS = ("dialects", "machine", "passes", "backends")


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports_of(tree: ast.AST, *, at_import_time: bool = False, types: bool = False) -> Iterator[str]:
    """The modules that a file imports; `from sambaflow import machine` is `sambaflow.machine`.

    At import time: not inside functions. What only type checkers import counts when `types` is true.
    """
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() if at_import_time:
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) if not types:
                continue
            case _:
                yield from imports_of(node, at_import_time=at_import_time, types=types)


def test_every_folder_with_code_is_a_listed_package():
    listed = set(pyproject()["tool"]["setuptools"]["packages"])
    packages = {"sambaflow"}
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            packages.add("sambaflow." + ".".join(init.parent.relative_to(ROOT).parts))
    assert listed == packages


def test_every_python_file_lies_in_a_package():
    homeless = [path for folder in FOLDERS for path in sources(folder) if not (path.parent / "__init__.py").exists()]
    assert homeless == []


def test_package_dir_maps_each_folder():
    expected = {"sambaflow": "src/sambaflow"} | {f"sambaflow.{folder}": folder for folder in FOLDERS}
    assert pyproject()["tool"]["setuptools"]["package-dir"] == expected


def test_typecheck_links_point_at_the_same_files():
    links = {link.name: os.readlink(link) for link in (ROOT / "typecheck" / "sambaflow").iterdir()}
    root_files = [path.name for path in (ROOT / "src" / "sambaflow").iterdir() if path.is_file()]
    expected = {folder: f"../../{folder}" for folder in FOLDERS}
    expected |= {name: f"../../src/sambaflow/{name}" for name in root_files}
    assert links == expected


def test_every_data_file_that_is_read_is_installed():
    data = pyproject()["tool"]["setuptools"]["package-data"]
    missing = [
        path.relative_to(ROOT)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in (".yaml", ".lark", ".json")
        if not any(path.match(p) for p in data.get("sambaflow." + ".".join(path.parent.relative_to(ROOT).parts), []))
    ]
    assert missing == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_point_downward(folder: str):
    allowed = {folder, *(path.stem for path in (ROOT / "src" / "sambaflow").glob("*.py")), *FLOORS[folder]}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        for name in imports_of(ast.parse(path.read_text()), types=True)
        if name.startswith("sambaflow.") and (floor := name.split(".")[1]) not in allowed
        if not floor[0].isupper() and floor != "__version__"
    ]
    assert wrong == []


@cache
def modules_of(folder: str) -> dict[str, Path]:
    """The modules of a floor by their names."""
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sources(folder)}
    return {f"sambaflow.{name}".removesuffix(".__init__"): path for path, name in names.items()}


def arrows_of(folder: str) -> Iterator[tuple[str, str]]:
    """(importer, imported) modules of a floor, also for imports inside functions and those that type checkers see."""
    modules = modules_of(folder)
    for name, path in modules.items():
        for target in imports_of(ast.parse(path.read_text()), types=True):
            imported = target if target in modules else target.rpartition(".")[0]
            if imported in modules and imported != name:
                yield name, imported


def room_of(folder: str, module: str) -> str:
    """The folder of a module below its floor; the module itself when it lies beside the rooms."""
    modules = modules_of(folder)
    inside = modules[module].parent.relative_to(ROOT / folder)
    return ".".join(inside.parts) or f"{module.rpartition('.')[2]}.py"


@pytest.mark.parametrize("folder", ROOMS)
def test_every_room_is_listed(folder: str):
    rooms = {room for name in modules_of(folder) if not (room := room_of(folder, name)).endswith(".py")}
    assert rooms == set(ROOMS[folder])


@pytest.mark.parametrize("folder", ROOMS)
def test_rooms_import_downward(folder: str):
    """A room imports what it lists; a file beside the rooms imports rooms, not another such file."""
    wrong = [
        f"{importer} -> {imported}"
        for importer, imported in arrows_of(folder)
        if (room := room_of(folder, importer)) != (target := room_of(folder, imported))
        if target.endswith(".py") or target not in ROOMS[folder].get(room, ROOMS[folder])
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ROOMS)
def test_rooms_stand_on_floors(folder: str):
    """What a room lists is listed before it, so that there is no circle of rooms."""
    seen: set[str] = set()
    for room, below in ROOMS[folder].items():
        assert set(below) <= seen, room
        seen.add(room)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_import_closes_a_circle(folder: str):
    """Not one inside a function either: it hides a circle of modules, it does not break it."""
    arrows: dict[str, set[str]] = {name: set() for name in modules_of(folder)}
    for importer, imported in arrows_of(folder):
        if not imported_by_its_package(importer, imported):
            arrows[importer].add(imported)
    waiting = {name: set(targets) for name, targets in arrows.items()}
    while free := {name for name, targets in waiting.items() if not targets}:
        waiting = {name: targets - free for name, targets in waiting.items() if name not in free}
    assert waiting == {}


def imported_by_its_package(importer: str, imported: str) -> bool:
    """Whether a module imports the package that it is part of, as in `from sambaflow.sim.reference import semantics`:
    Python has imported the package by then."""
    return importer.startswith(f"{imported}.")


@pytest.mark.parametrize("folder", FOLDERS)
def test_torch_is_imported_only_where_it_may_be(folder: str):
    torch = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        for name in imports_of(ast.parse(path.read_text()))
        if name.split(".")[0] in ("torch", "transformers")
    ]
    assert folder in TORCH_FLOORS or torch == []


@pytest.mark.parametrize("folder", LAZY_FLOORS)
def test_heavy_libraries_are_imported_inside_functions(folder: str):
    heavy = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources(folder)
        for name in imports_of(ast.parse(path.read_text()), at_import_time=True)
        if name.split(".")[0] in HEAVY
    ]
    assert heavy == []


def test_samba_opt_starts_without_heavy_libraries():
    """Not even when all three dialects are met and the longest pipeline is parsed."""
    program = (
        "import sys\n"
        "from sambaflow.tools.opt_driver import SambaOpt\n"
        "from sambaflow.passes.framework.pipelines import parse_pipeline\n"
        "tool = SambaOpt(args=[])\n"
        "[tool.ctx.get_dialect(name) for name in ('samba', 'kernel', 'rdu')]\n"
        "parse_pipeline('o1')\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_ir_is_compiled_without_torch(tmp_path: Path):
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from sambaflow.tools.samba_compile import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    out = tmp_path / "out.pef"
    command = [sys.executable, "-c", program, str(ROOT / "examples" / "linear_relu.mlir"), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and out.exists()


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_has_one_name_everywhere(name: str):
    assert load_own_pass(name).name == name
    assert load_own_pass(name).__name__ == class_name(name)
    assert (ROOT / "passes" / (module_name(name).split(".")[-1] + ".py")).exists()
    assert (ROOT / "test" / "passes" / f"{name}.mlir").exists()
    assert load_own_pass(name).__doc__


def test_every_pass_file_is_registered():
    """A file in `passes/` that defines a pass class is one of PASSES."""
    registered = {module_name(name).split(".")[-1] for name in PASSES}
    unregistered = [
        path.name
        for path in sorted((ROOT / "passes").glob("*.py"))
        if path.stem not in registered | {"base"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Pass")
    ]
    assert unregistered == []


def test_test_folder_has_no_packages():
    """Import mode importlib: files are found by path, so their names must differ instead."""
    assert list((ROOT / "test").rglob("__init__.py")) == []
    names = [path.name for path in (ROOT / "test").rglob("test_*.py")]
    assert len(names) == len(set(names))
