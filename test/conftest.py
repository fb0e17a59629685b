"""What compiles can be read, run and timed: what a test compiles is decoded, run once on random inputs, and timed.

Programs that the test itself runs or times are not run or timed again, nor is one that an earlier test compiled.
Those whose memory is larger than `MOST_BYTES` are timed only. `--pef-digests FOLDER` writes down what each test
compiled, so that a change that should not alter any PEF can be shown not to; weights that no test seeds are then the
same in every run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from xdsl.dialects.builtin import ModuleOp

from sambaflow import plugins
from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.encode import encode
from sambaflow.backends.rdu.image import Image
from sambaflow.dialects.rdu import ProgramOp
from sambaflow.samba import module_compiler
from sambaflow.sim.checking.random_inputs import random_tensors
from sambaflow.sim.functional.engine import Engine
from sambaflow.sim.reference import rdu_reference
from sambaflow.sim.reference.semantics import graphs_of
from sambaflow.sim.timing import program as timing

MOST_BYTES = 1 << 26
"""Memory of all chips: what a test would not compute with either."""


@dataclass
class Compiled:
    """What the tests of this process compiled, and what has been seen of it since."""

    waiting: list[tuple[Image, ModuleOp]] = field(default_factory=list[tuple[Image, ModuleOp]])
    run: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    """Images (by identity, they are kept) and graphs that a test ran."""
    timed: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])
    known: set[bytes] = field(default_factory=set[bytes])
    """PEFs that have been checked."""

    digests: Path | None = None
    """Where the digests of PEFs go: one line a PEF, the test and the SHA-256 of the bytes."""

    def check(self, test: str) -> None:
        """Run and time what `test` compiled and has not run or timed."""
        waiting, self.waiting = self.waiting, []
        for image, module in waiting:
            data = encode(image)
            if self.digests is not None:
                with self.digests.open("a") as file:
                    print(test, hashlib.sha256(data).hexdigest(), file=file)
            if data in self.known:
                continue
            self.known.add(data)
            decode(data)
            small = sum(symbol.bytes for symbol in image.symbols) * max(1, image.target.chips) <= MOST_BYTES
            for graph in graphs_of(module).values():
                if small and (id(image), graph.name) not in self.run:
                    program = graph.op.parent_op()
                    assert isinstance(program, ProgramOp)
                    rdu_reference.run(program, graph.name, random_tensors(module, graph))
                if (id(image), graph.name) not in self.timed:
                    timing.time_graph(image, graph.name)
        self.run.clear()
        self.timed.clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pef-digests", type=Path, help="a folder for the digests of the PEFs that tests compile")


@pytest.fixture(scope="session", autouse=True)
def compiled(request: pytest.FixtureRequest) -> Generator[Compiled]:
    """Notes every program that is compiled, and every graph that is run or timed."""
    folder: Path | None = request.config.getoption("--pef-digests")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    seen = Compiled(digests=folder and folder / os.environ.get("PYTEST_XDIST_WORKER", "main"))
    compile_module, run, time_graph = module_compiler.compile_module, Engine.run, timing.time_graph

    def compiling(module: ModuleOp, **options: Any) -> Image:
        image = compile_module(module, **options)
        seen.waiting.append((image, module))
        return image

    def running(engine: Engine, graph: str | None, *arguments: Any) -> Any:
        results = run(engine, graph, *arguments)
        seen.run.add((id(engine.image), engine.schedule(graph).graph))
        return results

    def timed(image: Image, graph: str | None = None, *arguments: Any) -> Any:
        timing = time_graph(image, graph, *arguments)
        seen.timed.add((id(image), timing.graph))
        return timing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_compiler, "compile_module", compiling)
        patch.setattr(Engine, "run", running)
        patch.setattr(timing, "time_graph", timed)
        yield seen


@pytest.fixture(autouse=True)
def compiled_programs_run_and_are_timed(
    request: pytest.FixtureRequest, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> Generator[None]:
    """Looks before `monkeypatch` undoes what the test set: the working directory of a machine's path, say."""
    if compiled.digests is not None:
        torch.manual_seed(0)
    yield
    compiled.check(request.node.nodeid)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[..., None]]:
    """`installed(sources, entries)`: Python modules by name, and entry points `module:object` by kind and name, as if
    a package with them were installed."""
    names: list[str] = []
    caches = [plugins.plugins, plugins.load, plugins._packages]  # pyright: ignore[reportPrivateUsage]

    def forget() -> None:
        for cache in caches:
            cache.cache_clear()
        for name in names:
            sys.modules.pop(name, None)

    def install(sources: Mapping[str, str], entries: Mapping[str, Mapping[str, str]]) -> None:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)
        names.extend(sources)
        monkeypatch.syspath_prepend(str(tmp_path))

        def entry_points(group: str) -> list[EntryPoint]:
            ours = entries.get(group.removeprefix("sambaflow."), {})
            return [EntryPoint(name, value, group) for name, value in ours.items()]

        monkeypatch.setattr(plugins, "entry_points", entry_points)
        forget()

    yield install
    forget()
