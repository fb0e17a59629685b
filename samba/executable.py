"""A compiled model that can be called: the numbers by the functional engine, the time by the timing engine.

exe = sambaflow.compile(model, (x,), mode="o1")
y = exe(x)                         # what the module returns
exe.state["key_cache_0"]           # state of the model, read and assigned
exe.timing().seconds               # device time of one call
exe.save("m.pef")                  # and m.safetensors beside it
exe = sambaflow.load("m.pef", weights="m.safetensors")
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree

from sambaflow.backends.rdu.image import Image
from sambaflow.errors import InputError, PefError, WeightError
from sambaflow.sim.functional import Engine

if TYPE_CHECKING:
    from sambaflow.machine import Machine
    from sambaflow.sim.timing.program import ProgramTime


@dataclass(frozen=True)
class Convention:
    """How a graph is called from Python: the structures of its arguments and of what it returns.

    `inputs` and `outputs` run over the flattened structures: the name of a tensor, or None for a leaf that is no
    tensor; `constants` has what the outputs give for such leaves.
    """

    inputs: tuple[str | None, ...]
    outputs: tuple[str | None, ...]
    constants: tuple[Any, ...]
    in_spec: pytree.TreeSpec
    out_spec: pytree.TreeSpec


class State(MutableMapping[str, torch.Tensor]):
    """What calls carry on, by name: state, and the buffers that some graph updates.

    Read (a copy) and assigned; names cannot be added or deleted.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        image = engine.image
        numbers = [n for n, symbol in enumerate(image.symbols) if symbol.role == "state"]
        for schedule in image.schedules:
            numbers += [int(schedule.inputs[tied]) for tied in schedule.tied if tied >= 0]
        self._numbers = {image.symbols[n].name: n for n in numbers}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._engine.read(self._numbers[name])

    def __setitem__(self, name: str, value: torch.Tensor) -> None:
        if name not in self._numbers:
            raise WeightError(f"no state named '{name}'", limit=f"state: {', '.join(self._numbers) or 'none'}")
        self._engine.load({name: value})

    def __delitem__(self, name: str) -> None:
        raise InputError(f"state '{name}' is part of the program and cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class Executable:
    """An Image with its weights and, when it was compiled in this process, the calling conventions of its graphs."""

    def __init__(
        self,
        image: Image,
        weights: Mapping[str, torch.Tensor] | None = None,
        conventions: Mapping[str, Convention] | None = None,
        *,
        tiled: bool = False,
    ) -> None:
        self.image = image
        self.weights = dict(weights or {})
        self.conventions = dict(conventions or {})
        self._tiled = tiled

    @cached_property
    def engine(self) -> Engine:
        """The functional engine; its memory is allocated and filled on the first call. Raises WeightError."""
        meta = [name for name, tensor in self.weights.items() if tensor.is_meta]
        if meta:
            raise WeightError(
                f"{len(meta)} weights have no data (device meta): '{meta[0]}'" + (", ..." if meta[1:] else ""),
                levers=["build the model with weights, or ask for timing() only"],
            )
        engine = Engine(self.image, tiled=self._tiled)
        engine.load(self.weights)
        return engine

    @cached_property
    def state(self) -> State:
        """KV caches, running statistics and other tensors that calls update, by name."""
        return State(self.engine)

    @property
    def graphs(self) -> list[str]:
        return [schedule.graph for schedule in self.image.schedules]

    def __call__(self, *args: Any, graph: str | None = None, **kwargs: Any) -> Any:
        """One call of a graph in the functional simulator.

        The arguments are those of the module; state may be given, which assigns it, or left out. Without a calling
        convention (a PEF from a file) the arguments are the tensors of the graph's inputs in order or by name, and the
        result is a tensor, or a tuple of them when the graph has several that are not state.
        """
        schedule = self.engine.schedule(graph)
        convention = self.conventions.get(schedule.graph)
        inputs, state = self._names(schedule.graph)
        tensors = self._bound(schedule.graph, convention, args, kwargs)
        for one in state:
            if one in tensors:
                self.state[one] = tensors[one]
        missing = [one for one in inputs if one not in tensors]
        if missing:
            raise InputError(f"graph '{schedule.graph}' also needs {', '.join(missing)}", demand=", ".join(inputs))
        results = self.engine.run(schedule.graph, [tensors[one] for one in inputs])
        if convention is None:
            return results[0] if len(results) == 1 else tuple(results)
        following = iter(results)
        leaves = [
            constant if one is None else self.state[one] if one in state else next(following)
            for one, constant in zip(convention.outputs, convention.constants, strict=True)
        ]
        return pytree.tree_unflatten(leaves, convention.out_spec)

    def run(self, graph: str | None, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One call by names: the "input" symbols in, the outputs that are not state out."""
        schedule = self.engine.schedule(graph)
        names, _ = self._names(schedule.graph)
        unknown = [name for name in inputs if name not in names]
        missing = [name for name in names if name not in inputs]
        if unknown or missing:
            what = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unknown {', '.join(unknown)}"] * bool(unknown)
            raise InputError(
                f"the inputs do not fit graph '{schedule.graph}': {'; '.join(what)}",
                demand=f"inputs {', '.join(names)}",
            )
        outputs = self.engine.run(schedule.graph, [inputs[name] for name in names])
        free = [int(n) for n, tied in zip(schedule.outputs, schedule.tied, strict=True) if tied < 0]
        return {self._label(schedule.graph, n): value for n, value in zip(free, outputs, strict=True)}

    def timing(self, graph: str | None = None, machine: Machine | None = None) -> ProgramTime:
        """The timing simulation of one call: seconds, per section, per tier, stalls. Needs no weights.

        `machine` may give other rates than the PEF's own, not another structure.
        """
        from sambaflow.sim.timing.program import time_graph

        return time_graph(self.image, graph, machine)

    def save(self, path: str | Path) -> None:
        """Writes the PEF and, beside it with the suffix .safetensors, the weights: whole files or none at all."""
        from sambaflow.backends.rdu.encode import encode
        from sambaflow.frontends.weights import save_weights

        target = Path(path)
        steps: list[tuple[Path, Callable[[Path], object]]] = [
            (target, lambda file: file.write_bytes(encode(self.image)))
        ]
        if self.weights and not any(tensor.is_meta for tensor in self.weights.values()):
            steps.append((target.with_suffix(".safetensors"), lambda file: save_weights(file, self.weights)))
        written: list[tuple[Path, Path]] = []
        try:
            for final, write in steps:
                handle, name = tempfile.mkstemp(dir=final.absolute().parent, prefix=".samba-")
                os.close(handle)
                written.append((Path(name), final))
                write(Path(name))
                os.chmod(name, 0o644)
            for temporary, final in written:
                os.replace(temporary, final)
        finally:
            for temporary, _ in written:
                temporary.unlink(missing_ok=True)

    def _names(self, graph: str) -> tuple[list[str], list[str]]:
        """The names of a graph's inputs and of its state."""
        numbers = [int(n) for n in self.engine.schedule(graph).inputs]
        inputs = [self._label(graph, n) for n in numbers if self.image.symbols[n].role == "input"]
        return inputs, [self._label(graph, n) for n in numbers if self.image.symbols[n].role == "state"]

    def _label(self, graph: str, number: int) -> str:
        """A symbol's name in a graph: `decode.logits` is `logits` there (two graphs may differ in its shape)."""
        return self.image.symbols[number].name.removeprefix(f"{graph}.")

    def _bound(
        self, graph: str, convention: Convention | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, torch.Tensor]:
        """The tensors of a call by the names that `_names` gives."""
        inputs, state = self._names(graph)
        if convention is None:
            return self._tensors(dict(zip(inputs, args, strict=False)) | dict(kwargs))
        following = iter(inputs)  # a graph's inputs stand in the order of its module's arguments
        names = [one if one is None or one in state else next(following) for one in convention.inputs]
        leaves = pytree.tree_flatten((args, dict(kwargs)))[0]
        free = [one for one in names if one not in state]
        if len(leaves) == len(free) and len(free) < len(names):
            names = free  # state is left out
        if len(leaves) != len(names):
            raise InputError(
                f"graph '{graph}' takes {len(names)} arguments, got {len(leaves)}",
                demand=", ".join(name or "a constant" for name in names),
            )
        return self._tensors({name: leaf for name, leaf in zip(names, leaves, strict=True) if name is not None})

    @staticmethod
    def _tensors(values: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        for name, value in values.items():
            if not isinstance(value, torch.Tensor):
                raise InputError(f"input '{name}' is {type(value).__name__}, not a tensor")
        return dict(values)


def load(path: str | Path, weights: str | Path | Mapping[str, torch.Tensor] | None = None) -> Executable:
    """The executable in a PEF, with its weights from a safetensors file or a mapping.

    Raises PefError for a file that cannot be trusted, WeightError for weights that do not fit.
    """
    from sambaflow.backends.rdu.decode import decode

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise PefError(f"cannot read {path}: {error.strerror or error}") from error
    image = decode(data, str(path))
    if weights is None or isinstance(weights, Mapping):
        return Executable(image, weights)
    from sambaflow.frontends.weights import load_weights

    return Executable(image, load_weights(weights))
