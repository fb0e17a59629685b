"""Calls bind by name and structure, as the module's own signature would; what was compiled in must be what it was."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import sambaflow
from sambaflow.errors import InputError
from sambaflow.samba.convention import same_constant

X, Y, Z = torch.arange(6.0).reshape(2, 3), torch.full((2, 3), 2.0), torch.full((2, 3), -1.5)


class Affine(nn.Module):
    """Every kind of parameter that a call may name."""

    def forward(
        self, x: torch.Tensor, y: Any = None, *, flag: bool = True, scale: float = 1.0, kind: str = "add"
    ) -> torch.Tensor:
        x = x * scale if flag else -x
        return x if y is None else x + y if kind == "add" else x - y


class Nested(nn.Module):
    def forward(self, parts: dict[str, Any], pair: Any = (1, 2)) -> dict[str, torch.Tensor]:
        return {"out": parts["a"] - parts["b"]["c"] * pair[1]}


class Variadic(nn.Module):
    def forward(self, *args: torch.Tensor, **kwargs: torch.Tensor) -> torch.Tensor:
        return args[0] - args[1] * kwargs["p"] + kwargs["q"]


class Pair(NamedTuple):
    left: Any
    right: Any


class Updating(nn.Module):
    """Updates its first argument in place."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        return x * y


def compiled(module: nn.Module, *args: Any, **kwargs: Any) -> sambaflow.Executable:
    return sambaflow.compile(module, args, kwargs, mode="o0")


@pytest.fixture(scope="module")
def affine() -> sambaflow.Executable:
    return compiled(Affine(), X, y=Y)


@pytest.fixture(scope="module")
def nested() -> sambaflow.Executable:
    return compiled(Nested(), {"a": X, "b": {"c": Y}})


@pytest.fixture(scope="module")
def variadic() -> sambaflow.Executable:
    return compiled(Variadic(), X, Y, p=Z, q=X)


@pytest.fixture(scope="module")
def from_file(affine: sambaflow.Executable, tmp_path_factory: pytest.TempPathFactory) -> sambaflow.Executable:
    path = tmp_path_factory.mktemp("pef") / "affine.pef"
    affine.save(path)
    return sambaflow.load(path)


def test_every_spelling_of_a_call_is_the_same_call(affine: sambaflow.Executable):
    for result in (
        affine(X, y=Z),
        affine(X, Z),
        affine(y=Z, x=X),
        affine(X, Z, flag=True, kind="add"),
        affine(X.clone().requires_grad_(), Z, scale=1.0),
    ):
        assert torch.equal(result, X + Z)


def test_entries_of_dicts_and_keywords_are_found_by_name(nested: sambaflow.Executable, variadic: sambaflow.Executable):
    parts = {"b": {"c": Z}, "a": X}
    for result in (nested(parts), nested(parts=OrderedDict(parts)), nested(parts, (1, 2)), nested(parts, pair=(1, 2))):
        assert torch.equal(result["out"], X - 2 * Z)
    assert torch.equal(variadic(X, Y, q=Z, p=X), X - Y * X + Z)


CALLS: list[tuple[str, Callable[[Any], Any], str]] = [
    ("affine", lambda exe: exe(X, Y, zzz=Y), "unexpected keyword argument 'zzz'"),
    ("affine", lambda exe: exe(X, Y, Z), "too many positional arguments"),
    ("affine", lambda exe: exe(X, Y, y=Z), "multiple values for argument 'y'"),
    ("affine", lambda exe: exe(y=Y), "missing argument 'x'"),
    ("affine", lambda exe: exe(X), "missing argument 'y': it was a tensor at compile, its default is None"),
    ("affine", lambda exe: exe(X, None), "'y' of graph 'forward' is None, not a tensor"),
    ("affine", lambda exe: exe(X, 2.0), "'y' of graph 'forward' is 2.0, not a tensor"),
    ("affine", lambda exe: exe(X, Y.numpy()), "'y' of graph 'forward' is array.*, not a tensor"),
    ("affine", lambda exe: exe(X, Y, flag=False), "'flag' of graph 'forward' is False, compiled with True"),
    ("affine", lambda exe: exe(X, Y, flag=1), "'flag' of graph 'forward' is 1, compiled with True"),
    ("affine", lambda exe: exe(X, Y, scale=1), "'scale' of graph 'forward' is 1, compiled with 1.0"),
    ("affine", lambda exe: exe(X, Y, scale=torch.ones(())), "'scale' .* is a tensor float32\\[\\], compiled with 1.0"),
    ("affine", lambda exe: exe(X, Y, kind="sub"), "'kind' of graph 'forward' is 'sub', compiled with 'add'"),
    ("affine", lambda exe: exe([X], Y), "'x' of graph 'forward' is \\[\\*\\], compiled for \\*"),
    ("affine", lambda exe: exe(X.double(), Y), "'x' of graph 'forward' is float64\\[2, 3\\], compiled for float32"),
    (
        "affine",
        lambda exe: exe(X, Y[:1]),
        "'y' of graph 'forward' is float32\\[1, 3\\], compiled for float32",
    ),
    ("affine", lambda exe: exe(X.to("meta"), Y), "'x' of graph 'forward' has no data"),
    ("affine", lambda exe: exe(X.to_sparse(), Y), "'x' of graph 'forward' is no dense tensor"),
    ("nested", lambda exe: exe({"a": X}), "is {'a': \\*}, compiled for {'a': \\*, 'b': {'c': \\*}}"),
    ("nested", lambda exe: exe({"a": X, "b": {"c": Y}, "d": Y}), "'d': \\*}, compiled for"),
    ("nested", lambda exe: exe({"a": X, "b": [Y]}), r"'parts\['b'\]' of graph 'forward' is \[\*\], compiled for {'c'"),
    ("nested", lambda exe: exe({"a": X, "b": {"c": Y}}, (1, 3)), r"'pair\[1\]' .* is 3, compiled with 2"),
    ("nested", lambda exe: exe({"a": X, "b": {"c": Y}}, [1, 2]), r"is \[\*, \*\], compiled for \(\*, \*\)"),
    ("variadic", lambda exe: exe(X, Y, q=Z), r"missing argument 'kwargs\['p'\]'"),
    ("variadic", lambda exe: exe(X, Y, q=Z, p=Z, r=Z), "argument 'r' was not there at compile"),
    ("variadic", lambda exe: exe(X, Y, Z, q=Z, p=Z), "argument 2 was not there at compile"),
    ("variadic", lambda exe: exe(X, q=Z, p=Z), r"missing argument 'args\[1\]'"),
    ("from_file", lambda exe: exe(X, Y, Z), "takes 2 inputs, got 3"),
    ("from_file", lambda exe: exe(X, Y, z=Z), "has no input z"),
    ("from_file", lambda exe: exe(X, x=X), "got x twice"),
    ("from_file", lambda exe: exe(X), "also needs y"),
    ("from_file", lambda exe: exe(X, None), "'y' is NoneType, not a tensor"),
]


@pytest.mark.parametrize(("which", "call", "message"), CALLS, ids=[f"{case[0]}-{case[2][:40]}" for case in CALLS])
def test_a_call_that_does_not_fit_is_refused_by_name(
    which: str, call: Callable[[Any], Any], message: str, request: pytest.FixtureRequest
):
    with pytest.raises(InputError, match=message):
        call(request.getfixturevalue(which))


def test_values_given_at_compile_are_due_at_the_call_unless_they_are_the_default():
    exe = compiled(Affine(), X, scale=2.5, flag=True)
    assert torch.equal(exe(X, scale=2.5), X * 2.5)
    for kwargs, message in (
        ({}, "'scale' of graph 'forward' is 1.0, compiled with 2.5"),
        ({"scale": 2.5, "y": Y}, r"'y' .* is a tensor float32\[2, 3\], compiled with None"),
    ):
        with pytest.raises(InputError, match=message):
            exe(X, **kwargs)


def test_exported_programs_bind_by_the_names_that_they_remember(tmp_path: Path):
    program = torch.export.export(Affine(), (X,), {"y": Y, "scale": 2.0})
    torch.export.save(program, tmp_path / "affine.pt2")
    for model in (program, tmp_path / "affine.pt2"):
        exe = sambaflow.compile(model, mode="o0")
        for result in (exe(X, y=Z, scale=2.0), exe(X, scale=2.0, y=Z), exe(x=X, y=Z, scale=2.0)):
            assert torch.equal(result, 2 * X + Z)
        for kwargs in ({"y": Z}, {"y": Z, "scale": 3.0}, {"y": Z, "scale": 2.0, "flag": True}):
            with pytest.raises(InputError, match=r"scale|flag"):
                exe(X, **kwargs)


def test_a_file_binds_by_the_names_of_its_inputs(from_file: sambaflow.Executable):
    assert from_file.input_shapes() == {"x": (2, 3), "y": (2, 3)}
    for result in (from_file(X, Z), from_file(X, y=Z), from_file(y=Z, x=X)):
        assert torch.equal(result, X + Z)


@pytest.mark.parametrize(
    ("before", "value", "same"),
    [
        (0, False, False),
        (1, 1.0, False),
        (0.0, -0.0, False),
        (math.nan, math.nan, True),
        (1j, 1j, True),
        (complex(0, math.nan), complex(0, math.nan), True),
        (None, 0, False),
        ("a", "a", True),
        (torch.float32, torch.float32, True),
        (torch.ones(1), torch.ones(1), False),
    ],
)
def test_which_constants_are_one_value(before: object, value: object, same: bool):
    assert same_constant(before, value) is same


def test_what_a_graph_updates_in_place_is_updated_at_the_caller():
    exe = compiled(Updating(), X.clone(), Y)
    x = X.clone().requires_grad_()
    assert torch.equal(exe(x.detach(), Y), (X + 1) * Y)
    assert torch.equal(x, X + 1)
    assert not exe.state
    plain = X.clone()
    assert set(exe.run(None, {"x": plain, "y": Y})) == {"output", "x"}
    assert torch.equal(plain, X + 1)
    base = torch.zeros(4, 3)
    exe(base[:2], base[2:])
    assert torch.equal(base, torch.tensor([[1.0], [1.0], [0.0], [0.0]]).expand(4, 3))
    for arguments, message in (
        ((plain, plain), "inputs 'x' and 'y' share memory"),
        ((base[:2], base[1:3]), "inputs 'x' and 'y' share memory"),
        ((torch.zeros(1, 3).expand(2, 3), Y), "elements of it share memory"),
    ):
        with pytest.raises(InputError, match=message):
            exe(*arguments)


class Returning(nn.Module):
    """Containers and values of every kind that a module may return beside tensors."""

    def forward(self, x: torch.Tensor) -> Any:
        ordered = OrderedDict([("z", x.shape[0]), ("a", x.ndim)])
        by_size = defaultdict(list, {"sizes": [x.shape, x[:0].shape, x[0, 0].shape]})
        plain = [None, True, 2.5, "name"]
        return (x + 1).max(dim=0), ordered, by_size, plain, Pair(x.shape, (x.numel(), torch.Size([1])))


def test_a_result_has_the_containers_of_the_module():
    want, got = Returning()(X), compiled(Returning(), X)(X)
    assert repr(got) == repr(want)
    assert [type(item) for item in got] == [type(item) for item in want]
    assert type(got[-1].left) is torch.Size


def test_weights_are_those_of_the_compile(tmp_path: Path):
    """An optimizer step, load_state_dict, an assignment after it change nothing: not at the first call, nor later."""

    class Model(nn.Module):
        shift: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)
            self.register_buffer("shift", torch.ones(2))
            self.table = torch.arange(600.0).reshape(300, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x) + self.shift + self.table[:2]

    module = Model().eval()
    with torch.no_grad():
        want = module(X)
        exe = compiled(module, X)
        exe.save(tmp_path / "m.pef")
        weights = {name: tensor.clone() for name, tensor in exe.weights.items()}
        loaded = sambaflow.load(tmp_path / "m.pef", weights)
        for tensor in (*module.parameters(), *module.buffers(), module.table, *weights.values()):
            tensor.zero_()
    for executable in (exe, loaded):
        assert torch.allclose(executable(X), want, atol=1e-6)
        executable.save(tmp_path / "again.pef")
        assert torch.allclose(
            sambaflow.load(tmp_path / "again.pef", tmp_path / "again.safetensors")(X), want, atol=1e-6
        )
