"""The backend "samba" of torch.compile: each graph that dynamo finds, compiled once for every size it is called with.

    compiled = torch.compile(model, backend="samba", options={"mode": "o1", "chips": 2})
    with torch.no_grad():
        compiled(x)
    for exe in sambaflow.compiled_graphs(compiled):
        exe.input_shapes(), exe.timing().seconds

Parameters and buffers stay the module's: they are read at every call, and written where the graph updates them, as the
inputs are. What a graph returns of the memory of an input is a view of that input.
"""

from __future__ import annotations

import inspect
import re
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, MethodType
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.traceback import preserve_node_meta

from sambaflow.errors import InputError, did_you_mean
from sambaflow.frontends.locking import compile_lock
from sambaflow.samba.compiler import compile_imported
from sambaflow.samba.executable import Executable

OPTIONS = {"mode": "o3", "machine": "sn40l", "chips": 1, "tiles": None, "rules": ""}
"""The options of `sambaflow.compile` that torch.compile passes on, with their defaults."""

MOST_SIZES = 64
"""Sizes of one graph that are remembered (option "sizes"); the one that was not used for longest goes first."""

TRAINING = (
    "an input or parameter requires grad and training does not exist yet: call the compiled function under "
    "torch.no_grad(), or call requires_grad_(False) on the module"
)


def backend(
    graph_module: fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> CompiledGraph:
    """What torch.compile calls for each graph; nothing is compiled before the graph is called."""
    graph = CompiledGraph(graph_module, {**({} if mode is None else {"mode": mode}), **(options or {})})
    _remember(graph)
    return graph


class CompiledGraph:
    """A graph of dynamo that compiles itself for the sizes it is called with.

    Raises, at the call, InputError for unknown options and where training is asked for, and what `sambaflow.compile`
    raises.
    """

    def __init__(self, graph_module: fx.GraphModule, options: Mapping[str, Any]) -> None:
        self.graph_module = graph_module
        self.options = dict(options)
        self.places = _places(graph_module)
        self.sizes: OrderedDict[tuple[Any, ...], Compiled] = OrderedDict()
        self._made = 0

    def __call__(self, *inputs: Any) -> Any:
        if torch.is_grad_enabled() and any(isinstance(value, torch.Tensor) and value.requires_grad for value in inputs):
            raise InputError(TRAINING)
        key = tuple(map(_key, inputs, self.places))
        compiled = self.sizes.get(key) or self._compile(key, inputs)
        with suppress(KeyError):  # another thread may just have put it out
            self.sizes.move_to_end(key)
        return compiled(inputs)

    @property
    def executables(self) -> list[Executable]:
        """One for each size that is remembered, in the order in which they were compiled."""
        ordered = sorted(self.sizes.values(), key=lambda compiled: compiled.number)
        return [compiled.executable for compiled in ordered if compiled.executable is not None]

    def _compile(self, key: tuple[Any, ...], inputs: Sequence[Any]) -> Compiled:
        with compile_lock():
            if key not in self.sizes:
                most, options = self._settings()
                self.sizes[key] = _compiled(self.graph_module, self.places, inputs, options, self._made)
                self._made += 1
                if len(self.sizes) > most:
                    self._forget(most)
            return self.sizes[key]

    def _forget(self, most: int) -> None:
        self.sizes.popitem(last=False)
        warnings.warn(
            f"torch.compile(backend='samba'): a graph was called with more than {most} sizes; the one that was not "
            f"used for longest is compiled again when it comes back (options={{'sizes': {2 * most}}} keeps more)",
            stacklevel=4,
        )

    def _settings(self) -> tuple[int, dict[str, Any]]:
        """How many sizes to remember, and the options of `sambaflow.compile`."""
        options = dict(self.options)
        most = options.pop("sizes", MOST_SIZES)
        known = [*OPTIONS, "sizes"]
        for name in options:
            if name not in OPTIONS:
                raise InputError(
                    f"torch.compile(backend='samba') has no option '{name}'{did_you_mean(name, known)}",
                    limit=f"options: {', '.join(known)}",
                )
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise InputError(f"option 'sizes' is {most!r}", limit="an integer of at least 1")
        return most, {**OPTIONS, **options}


@dataclass(frozen=True)
class Place:
    """What stands at a placeholder of a graph: a tensor of the module by its name, a number, or an input."""

    name: str
    is_weight: bool
    is_number: bool
    """A Python float that dynamo hands over as a tensor: it is compiled in."""


@dataclass(frozen=True)
class View:
    """A result that is memory of an input, or of an earlier result: its place there."""

    base: int
    of_input: bool
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Results:
    """What a graph returns: views of its inputs, plain values, and at the other places what the program computes."""

    count: int
    views: Mapping[int, View]
    values: Mapping[int, Any]
    updates: bool
    """Whether the graph changes an input or a weight in place."""

    @property
    def computed(self) -> list[int]:
        return [index for index in range(self.count) if index not in self.views and index not in self.values]


@dataclass(frozen=True)
class Compiled:
    """A graph for one size; one that computes nothing needs no program."""

    executable: Executable | None
    places: tuple[Place, ...]
    results: Results
    number: int

    def __call__(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        results: dict[int, Any] = dict(self.results.values)
        if self.executable is not None:
            here = list(zip(self.places, inputs, strict=True))
            weights = {place.name: tensor for place, tensor in here if place.is_weight}
            arguments = tuple(value for place, value in here if _is_input(place, value))
            results |= zip(self.results.computed, self.executable.call_with(weights, arguments), strict=True)
        for index, view in self.results.views.items():
            base = inputs[view.base] if view.of_input else results[view.base]
            start = base.storage_offset() if view.of_input else 0
            results[index] = base.as_strided(view.size, view.stride, start + view.offset)
        return tuple(results[index] for index in range(self.results.count))


class _Number:
    """A Python float that dynamo hands over as a tensor of which it takes the item."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.value: float = tensor.item()

    def item(self) -> float:
        return self.value


def _places(graph_module: fx.GraphModule) -> tuple[Place, ...]:
    places: list[Place] = []
    for node in graph_module.graph.nodes:
        if node.op != "placeholder":
            continue
        argument = node.meta.get("grapharg")
        source = str(getattr(getattr(argument, "source", None), "name", ""))
        example = node.meta.get("example_value")
        static = "_dynamo_static_input_type" in node.meta.get("tensor_dict", {})
        # a static tensor that a call hands over (a StaticCache) is an input all the same
        is_weight = isinstance(example, nn.Parameter) or (static and bool(_MEMBER.search(source)))
        is_weight = is_weight and isinstance(example, torch.Tensor)
        name = _member_name(source) if is_weight else _ARGUMENT.sub(r"\1", source)
        is_number = getattr(argument, "pass_arg_as_tensor", False) and all(user.target == "item" for user in node.users)
        known = {place.name for place in places}
        places.append(Place(str(node.name) if name in ("", *known) else name, is_weight, is_number))
    return tuple(places)


_ARGUMENT = re.compile(r"L\['(\w+)'\]")
_MEMBER = re.compile(r"_(?:modules|parameters|buffers)\['([^']+)'\]")


def _member_name(source: str) -> str:
    """PyTorch's name of a tensor: `L['self']._modules['fc']._parameters['weight']` is `fc.weight`."""
    return ".".join(_MEMBER.findall(source))


def _is_input(place: Place, value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not place.is_weight and not place.is_number


def _key(value: Any, place: Place) -> Any:
    """What a program depends on: numbers by value, tensors by what they are."""
    if not isinstance(value, torch.Tensor):
        return type(value), value
    if place.is_number:
        return repr(value.item())
    return value.dtype, tuple(value.shape), value.stride()


def _compiled(
    graph_module: fx.GraphModule, places: tuple[Place, ...], inputs: Sequence[Any], options: dict[str, Any], number: int
) -> Compiled:
    from sambaflow.frontends.torch_export import import_model

    with torch.inference_mode(False), torch.no_grad():
        results = _results(graph_module, places, inputs)
        if not results.computed and not results.updates:
            return Compiled(None, places, results, number)
        caller = _Caller(graph_module, places, inputs, results.computed)
        examples = tuple(
            _example(value) for place, value in zip(places, inputs, strict=True) if _is_input(place, value)
        )
        names = [place.name for place, value in zip(places, inputs, strict=True) if _is_input(place, value)]
        imported = import_model(caller, examples, input_names=names, strip=_HELD)
        return Compiled(compile_imported(imported, **options, live=True), places, results, number)


def _example(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor like it; those of inference mode cannot be exported."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)


_HELD = "held."
"""Where the weights stand in a `_Caller`."""


class _Caller(nn.Module):
    """A graph as a module: its weights are parameters and buffers under their own names, numbers are constants.

    It returns the results at the places `computed`.
    """

    def __init__(
        self, graph_module: fx.GraphModule, places: tuple[Place, ...], inputs: Sequence[Any], computed: Sequence[int]
    ) -> None:
        super().__init__()
        self.held = nn.Module()
        self._computed = computed
        self._graph = [graph_module]  # in a list: no submodule, whose tensors would be exported as this one's
        self._values: list[Any] = []
        """For each placeholder: the holder and name of a weight, a number, or None for an input."""
        for place, value in zip(places, inputs, strict=True):
            if place.is_weight:
                self._values.append(self._hold(place.name, value))
            elif _is_input(place, value):
                self._values.append(None)
            else:
                self._values.append((None, _Number(value) if place.is_number else value))

    def _hold(self, name: str, tensor: torch.Tensor) -> tuple[nn.Module, str]:
        holder = self.held
        *path, last = name.split(".")
        for part in path:
            if part not in holder._modules:
                holder.add_module(part, nn.Module())
            holder = holder.get_submodule(part)
        plain = tensor.clone() if tensor.is_inference() else tensor.detach()
        if isinstance(tensor, nn.Parameter):
            holder.register_parameter(last, nn.Parameter(plain, requires_grad=False))
        else:
            holder.register_buffer(last, plain)
        return holder, last

    def forward(self, *inputs: torch.Tensor) -> Any:
        following = iter(inputs)
        values = [self._value(held, following) for held in self._values]
        with preserve_node_meta():  # operators keep the lines of the model's code
            results = fx.Interpreter(self._graph[0]).run(*values)
        return tuple(results[index] for index in self._computed)

    @staticmethod
    def _value(held: Any, following: Iterator[torch.Tensor]) -> Any:
        if held is None:
            return next(following)
        holder, value = held
        return value if holder is None else getattr(holder, value)


def _results(graph_module: fx.GraphModule, places: tuple[Place, ...], inputs: Sequence[Any]) -> Results:
    """What the graph returns for inputs like these, found by running it on fake tensors."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    fakes = [
        _Number(value) if place.is_number else _fake(mode, value) if isinstance(value, torch.Tensor) else value
        for place, value in zip(places, inputs, strict=True)
    ]
    with mode:
        before = [fake._version if isinstance(fake, torch.Tensor) else 0 for fake in fakes]
        try:
            results = graph_module(*fakes)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(
                f"a graph of torch.compile cannot be traced: {type(error).__name__}: {lines[0]}"
            ) from error
    updates = [isinstance(fake, torch.Tensor) and fake._version > old for fake, old in zip(fakes, before, strict=True)]
    views: dict[int, View] = {}
    values: dict[int, Any] = {}
    storages: dict[Any, tuple[int, bool, int]] = {}
    for index, fake in enumerate(fakes):
        if isinstance(fake, torch.Tensor):
            storages.setdefault(_storage(fake), (index, True, int(fake.storage_offset())))
    for index, result in enumerate(results):
        if not isinstance(result, torch.Tensor):
            values[index] = result
        elif (known := storages.get(_storage(result))) is not None:
            base, of_input, start = known
            views[index] = View(
                base, of_input, tuple(result.shape), result.stride(), int(result.storage_offset()) - start
            )
        elif result.is_contiguous() and result.storage_offset() == 0:
            storages[_storage(result)] = (index, False, 0)
    return Results(len(results), views, values, any(updates))


def _fake(mode: FakeTensorMode, tensor: torch.Tensor) -> torch.Tensor:
    """A fake tensor like it; one of inference mode would not count its updates."""
    if not tensor.is_inference():
        return mode.from_tensor(tensor)
    with mode:
        return _example(tensor)


def _storage(tensor: torch.Tensor) -> Any:
    return getattr(tensor.untyped_storage(), "_cdata")  # noqa: B009, fake tensors have no address


# -- what was compiled for whom --------------------------------------------------------------------------------------

_GRAPHS: weakref.WeakKeyDictionary[Any, list[CompiledGraph]] = weakref.WeakKeyDictionary()


def compiled_graphs(model: Any) -> list[Executable]:
    """The executables that torch.compile(backend="samba") made for a model or function, in the order of its graphs.

    `model` is what torch.compile was given or gave. A graph has one for each size it was called with
    (`Executable.input_shapes`); graphs of a model whose forward breaks follow each other.
    """
    return [exe for graph in _GRAPHS.get(_owner(model), []) for exe in graph.executables]


def _remember(graph: CompiledGraph) -> None:
    """Note for whom a graph is made: the function whose call dynamo is compiling."""
    frame: FrameType | None = inspect.currentframe()
    called: Any = None
    while frame is not None:
        if frame.f_code.co_name == "compile_wrapper" and "fn" in frame.f_locals:
            called = frame.f_locals["fn"]
        frame = frame.f_back
    if called is not None:
        with suppress(TypeError):  # what cannot be a key of a dictionary cannot be asked about
            _GRAPHS.setdefault(_owner(called), []).append(graph)


def _owner(called: Any) -> Any:
    """The module whose method is called, or the function itself, whatever torch.compile has put around it."""
    while True:
        for name in ("_orig_mod", "_torchdynamo_orig_callable", "__self__", "__wrapped__"):
            inner = getattr(called, name, None)
            if inner is not None and (name != "__self__" or isinstance(called, MethodType)):
                called = inner
                break
        else:
            return called
