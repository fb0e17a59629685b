"""A compiled model that can be called: the numbers by the functional engine, the time by the timing engine.

exe = sambaflow.compile(model, (x,), mode="o1")
y = exe(x)                         # what the module returns
exe.state["key_cache_0"]           # state of the model, read and assigned
exe.timing().seconds               # device time of one call
exe.save("m.pef")                  # and m.safetensors beside it
exe = sambaflow.load("m.pef")      # with the weights beside it, or weights=FILE or FOLDER
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sambaflow.backends.rdu.image import Image, Schedule, Symbol
from sambaflow.errors import InputError, Location, PefError, WeightError
from sambaflow.files import Content, is_plain, read_bytes, write_files
from sambaflow.samba.convention import Convention, check_written, usable
from sambaflow.sim.functional.engine import Engine, schedule_of, whole_shape

if TYPE_CHECKING:
    from sambaflow.machine import Machine
    from sambaflow.sim.timing.program import ProgramTime


class State(MutableMapping[str, torch.Tensor]):
    """What calls carry on, by name: state, and the buffers that some graph updates.

    Read (a copy) and assigned; names cannot be added or deleted.
    """

    def __init__(self, engine: Engine, lock: threading.RLock) -> None:
        self._engine, self._lock = engine, lock
        image = engine.image
        numbers = [n for n, symbol in enumerate(image.symbols) if symbol.role == "state"]
        numbers += [n for schedule in image.schedules for n in _updated(schedule) if image.symbols[n].role != "input"]
        self._numbers = {image.symbols[n].name: n for n in numbers}

    def __getitem__(self, name: str) -> torch.Tensor:
        with self._lock:
            return self._engine.read(self._numbers[name])

    def __setitem__(self, name: str, value: torch.Tensor) -> None:
        if name not in self._numbers:
            raise WeightError(f"no state named '{name}'", limit=f"state: {', '.join(self._numbers) or 'none'}")
        with self._lock:
            self._engine.load({name: usable(value, f"state '{name}'")})

    def __delitem__(self, name: str) -> None:
        raise InputError(f"state '{name}' is part of the program and cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def _updated(schedule: Schedule) -> list[int]:
    """The symbols of a graph's arguments that it gives new values."""
    return [int(schedule.inputs[tied]) for tied in schedule.tied if tied >= 0]


class Executable:
    """An Image with its weights and, when it was compiled in this process, the calling conventions of its graphs.

    Calls, and whatever else touches its memory, are serialised: threads may share one. With `live` weights they stay
    the caller's tensors, read at every call and written back where a graph updates them (torch.compile); else they are
    what they were when it was made.
    """

    def __init__(
        self,
        image: Image,
        weights: Mapping[str, torch.Tensor] | None = None,
        conventions: Mapping[str, Convention] | None = None,
        *,
        tiled: bool = False,
        live: bool = False,
    ) -> None:
        self.image = image
        self.weights = dict(weights or {})
        self.conventions = dict(conventions or {})
        self._tiled, self._live = tiled, live
        self._lock = threading.RLock()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The functional engine; its memory is allocated and filled on the first call. Raises WeightError."""
        with self._lock:
            if self._engine is None:
                self._engine = self._filled()
            return self._engine

    def _filled(self) -> Engine:
        meta = [name for name, tensor in self.weights.items() if tensor.is_meta]
        if meta:
            raise WeightError(
                f"{len(meta)} weights have no data (device meta): '{meta[0]}'" + (", ..." if meta[1:] else ""),
                levers=["build the model with weights, or ask for timing() only"],
            )
        engine = Engine(self.image, tiled=self._tiled)
        engine.load(self.weights)
        if not self._live:
            self._keep_once(engine)
        return engine

    def _keep_once(self, engine: Engine) -> None:
        """Weights that no call changes are read from the engine's memory from now on: one copy of them is enough."""
        changed = {number for schedule in self.image.schedules for number in _updated(schedule)}
        for name in self.weights:
            number = engine.by_name.get(name, -1)
            if engine.chips > 1 or number < 0 or number in changed:
                continue
            symbol = self.image.symbols[number]
            if symbol.role in ("param", "buffer") and symbol.shard is None:
                self.weights[name] = engine.storage(number, 0).view(whole_shape(symbol))

    @cached_property
    def state(self) -> State:
        """KV caches, running statistics and other tensors that calls update, by name."""
        return State(self.engine, self._lock)

    @property
    def graphs(self) -> list[str]:
        return [schedule.graph for schedule in self.image.schedules]

    def input_shapes(self, graph: str | None = None) -> dict[str, tuple[int, ...]]:
        """The shapes of a graph's inputs by name; state and weights are none."""
        schedule = schedule_of(self.image, graph)
        symbols = [self.image.symbols[int(n)] for n in schedule.inputs]
        return {
            self._label(schedule.graph, symbol): whole_shape(symbol) for symbol in symbols if symbol.role == "input"
        }

    def __call__(self, *args: Any, graph: Any = None, **kwargs: Any) -> Any:
        """One call of a graph in the functional simulator.

        The arguments are those of the module, by position or name as its signature allows; state may be given, which
        assigns it, or left out. Without a calling convention (a PEF from a file) the arguments are the tensors of the
        graph's inputs in order or by name, and the result is a tensor, or a tuple of them when the graph has several
        that are not state. What the module updates in place is updated in the tensors that were given. Raises
        InputError for arguments that do not fit, naming them.
        """
        if graph is not None and not isinstance(graph, str):
            kwargs, graph = {**kwargs, "graph": graph}, None  # an argument of the module that is called so
        with self._lock:
            return self._call(graph, args, kwargs)

    def call_with(self, weights: Mapping[str, torch.Tensor], args: tuple[Any, ...]) -> Any:
        """One call of the only graph on live weights: read now, and updated where the graph updates them."""
        with self._lock:
            self.weights = dict(weights)
            return self._call(None, args, {})

    def _call(self, graph: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        schedule = schedule_of(self.image, graph)
        convention = self.conventions.get(schedule.graph)
        inputs, state = self._names(schedule)
        tensors = self._bound(schedule.graph, convention, args, kwargs)
        missing = [name for name in inputs if name not in tensors]
        if missing:
            raise InputError(f"graph '{schedule.graph}' also needs {', '.join(missing)}", demand=", ".join(inputs))
        for name in state:
            if name in tensors:
                self.state[name] = tensors[name]
        results = self._run(schedule, {name: tensors[name] for name in inputs})
        if convention is None:
            return results[0] if len(results) == 1 else tuple(results)
        following = iter(results)
        return convention.result(
            constant if name is None else self.state[name] if name in state else next(following)
            for name, constant in zip(convention.outputs, convention.constants, strict=True)
        )

    def run(self, graph: str | None, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One call by names: the "input" symbols in, the outputs that are not state out.

        An input that the graph updates is an output of the same name.
        """
        schedule = schedule_of(self.image, graph)
        names, _ = self._names(schedule)
        unknown = [name for name in inputs if name not in names]
        missing = [name for name in names if name not in inputs]
        if unknown or missing:
            what = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unknown {', '.join(unknown)}"] * bool(unknown)
            raise InputError(
                f"the inputs do not fit graph '{schedule.graph}': {'; '.join(what)}",
                demand=f"inputs {', '.join(names)}",
            )
        with self._lock:
            outputs = self._run(schedule, {name: self._tensor(name, inputs[name]) for name in names})
            symbols = {self._label(schedule.graph, self.image.symbols[n]): n for n in _updated(schedule)}
            updated = {name: self.engine.read(number) for name, number in symbols.items() if name in names}
        free = [int(n) for n, tied in zip(schedule.outputs, schedule.tied, strict=True) if tied < 0]
        labels = [self._label(schedule.graph, self.image.symbols[n]) for n in free]
        return dict(zip(labels, outputs, strict=True)) | updated

    def _run(self, schedule: Schedule, inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        """Runs a graph on its inputs; those that it updates in place, and live weights, get their new values."""
        symbols = self.image.symbols
        updated = {self._label(schedule.graph, symbols[n]): n for n in _updated(schedule)}
        written = {name: inputs[name] for name in updated if name in inputs}
        check_written(written, inputs)
        with torch.inference_mode(False), torch.no_grad():
            engine = self.engine
            if self._live:
                engine.load(self.weights)
            results = engine.run(schedule.graph, list(inputs.values()))
        if self._live:
            written |= {name: self.weights[name] for name in updated if name in self.weights}
        with torch.no_grad():
            for name, tensor in written.items():
                tensor.copy_(engine.read(updated[name]))
        return results

    def timing(self, graph: str | None = None, machine: Machine | None = None) -> ProgramTime:
        """The timing simulation of one call: seconds, per section, per tier, stalls. Needs no weights.

        `machine` may give other rates than the PEF's own, not another structure.
        """
        from sambaflow.sim.timing.program import time_graph

        return time_graph(self.image, graph, machine)

    def save(self, path: str | Path) -> None:
        """Writes the PEF and, beside it with the suffix .safetensors, the weights: whole files or none at all.

        The weights are those of the compile, whatever calls have updated since.
        """
        with self._lock:
            self._save(Path(path))

    def _save(self, target: Path) -> None:
        from sambaflow.backends.rdu.encode import encode
        from sambaflow.frontends.weights import weights_content

        files: list[tuple[str | Path, Content]] = [(target, encode(self.image))]
        has_weights = bool(self.weights) and not any(tensor.is_meta for tensor in self.weights.values())
        if has_weights and is_plain(target):
            if target.suffix == ".safetensors":
                raise InputError(
                    "the PEF and the weights beside it would be written to one file",
                    location=Location(str(target)),
                    levers=[f"save it as {target.with_suffix('.pef').name}"],
                )
            files.append((target.with_suffix(".safetensors"), weights_content(self.weights)[0]))
        write_files(files)

    def _names(self, schedule: Schedule) -> tuple[list[str], list[str]]:
        """The names of a graph's inputs and of its state."""
        symbols = [self.image.symbols[int(n)] for n in schedule.inputs]
        inputs, state = (
            [self._label(schedule.graph, symbol) for symbol in symbols if symbol.role == role]
            for role in ("input", "state")
        )
        return inputs, state

    @staticmethod
    def _label(graph: str, symbol: Symbol) -> str:
        """A symbol's name in a graph: `decode.logits` is `logits` there (two graphs may differ in its shape)."""
        return symbol.name.removeprefix(f"{graph}.")

    def _bound(
        self, graph: str, convention: Convention | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, torch.Tensor]:
        """The tensors of a call by the names that `_names` gives."""
        inputs, state = self._names(schedule_of(self.image, graph))
        if convention is None:
            return self._by_name(graph, inputs, state, args, kwargs)
        bound = convention.bind(args, kwargs, state)
        following = iter(inputs)  # a graph's inputs stand in the order of its module's arguments
        names = {name: name if name in state else next(following) for name in convention.inputs if name is not None}
        return {names[name]: tensor for name, tensor in bound.items()}

    def _by_name(
        self, graph: str, inputs: list[str], state: list[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, torch.Tensor]:
        if len(args) > len(inputs):
            raise InputError(
                f"graph '{graph}' takes {len(inputs)} inputs, got {len(args)}", demand=", ".join(inputs) or "none"
            )
        by_position = dict(zip(inputs, args, strict=False))
        unknown = [name for name in kwargs if name not in inputs and name not in state]
        twice = [name for name in kwargs if name in by_position]
        if unknown or twice:
            what = f"has no input {', '.join(unknown)}" if unknown else f"got {', '.join(twice)} twice"
            raise InputError(f"graph '{graph}' {what}", demand=f"inputs {', '.join((*inputs, *state)) or 'none'}")
        return {name: self._tensor(name, value) for name, value in {**by_position, **kwargs}.items()}

    @staticmethod
    def _tensor(name: str, value: Any) -> torch.Tensor:
        if not isinstance(value, torch.Tensor):
            raise InputError(f"input '{name}' is {type(value).__name__}, not a tensor")
        return usable(value, f"input '{name}'")


def load(path: str | Path, weights: str | Path | Mapping[str, torch.Tensor] | None = None) -> Executable:
    """The executable in a PEF, with its weights: those of a mapping or of files, see `weight_files.weights_of`.

    Raises PefError for a file that cannot be trusted, WeightError for weights that do not fit.
    """
    from sambaflow.backends.rdu.decode import decode

    try:
        data = read_bytes(path)
    except OSError as error:
        raise PefError(f"cannot read {path}: {error.strerror or error}") from error
    image = decode(data, str(path))
    if isinstance(weights, Mapping):
        return Executable(image, snapshot(weights))
    from sambaflow.samba.weight_files import weights_of

    return Executable(image, weights_of(image, path, weights))


def snapshot(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies of tensors as they are now: what their owner does to them later changes nothing."""
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
