"""Any string goes through text and back: as symbol, attribute, key, location and hint for the name of a value."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    FileLineColLoc,
    FusedLoc,
    IntAttr,
    ModuleOp,
    NameLoc,
    NoneAttr,
    StringAttr,
    SymbolRefAttr,
    UnitAttr,
    UnknownLoc,
    f32,
)
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region

from sambaflow.backends.rdu.decode import decode
from sambaflow.backends.rdu.encode import encode
from sambaflow.backends.rdu.from_ir import image_of
from sambaflow.backends.rdu.to_ir import module_of
from sambaflow.diagnostics import location_of
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.dialects.text.printing import FastPrinter
from sambaflow.errors import InputError, Location
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipelines import parse_pipeline, run_pipeline
from sambaflow.passes.framework.verification import verify_module
from sambaflow.remarks import Remark, remarks_as_json, remarks_as_yaml

ODD = (
    "",
    'a"b',
    "a\\b",
    "\\n",
    "\\41",
    "\\",
    "a\nb\r",
    "\0\x1f\x7f\x85",
    "größe",
    "😀",
    "e\u0301",
    "\u2028\ufeff",
    "%0",
    "a b",
)
HINTS = ("größe", "x", "x_1", "x_1_2", "_0", "²", "x_²", "bb1", "bb_1", "-", "$.")


def text_of(op: Operation, generic: bool, locations: bool = False) -> str:
    printer = FastPrinter(generic=generic, locations=locations)
    printer.print_op(op)
    return printer.text()


def assert_returns(module: ModuleOp, generic: bool, locations: bool = False) -> ModuleOp:
    """Print, read and print; what was read. `locations`: print them, too, all are known."""
    text = text_of(module, generic, locations)
    again = parse_module(text, "f.mlir", SambaContext())
    assert text_of(again, generic, locations) == text
    return again


def module_named(name: str) -> ModuleOp:
    """A function with the name wherever a string can be."""
    function = FuncOp(name, ((), ()))
    function.body.block.add_ops([CallOp(name, [], []), ReturnOp()])
    string = StringAttr(name)
    entries: dict[str, Attribute] = {name: string, f"{name}x": UnitAttr()} if name else {}
    function.attributes["test.values"] = ArrayAttr([string, SymbolRefAttr(name, [name]), DictionaryAttr(entries)])
    module = ModuleOp([function])
    for op in module.walk():
        op.location = NameLoc(string, FileLineColLoc(string, IntAttr(1), IntAttr(2)))
    module.location = FusedLoc((UnknownLoc(), NameLoc(string, NoneAttr())), NoneAttr())
    return module


def with_examples(test):  # pyright: ignore
    for name in ODD:
        test = example(name)(test)
    return test


@with_examples
@given(st.text())
@settings(max_examples=50, deadline=None)
def test_strings_return(name: str):
    module = module_named(name)
    for generic in (False, True):
        again = assert_returns(module, generic, locations=True)
        assert again.is_structurally_equivalent(module)
        assert [op.location for op in again.walk()] == [op.location for op in module.walk()]


# A file's name may have bytes that are no text: what is read is what was printed, every time.
def test_a_file_name_that_is_no_text():
    module = module_named("f\udcff.py")
    assert 'loc("f\\\\udcff.py"' in text_of(module, generic=True, locations=True)
    assert_returns(module, generic=True, locations=True)


# Hints are not names: letters and digits of other alphabets, and numbers behind that another value may get.
@given(
    st.lists(
        st.one_of(st.sampled_from(HINTS), st.from_regex(r"[A-Za-z_$.-][\w$.-]*", fullmatch=True)),
        min_size=1,
        max_size=6,
    )
)
@example(["x_1_2", "x_3", "x"])
@example(["größe", "gr__e", "gr_¹e"])
@example(["bb1", "bb1_1", "bb0"])
@settings(max_examples=50, deadline=None)
def test_hints_return(hints: list[str]):
    blocks = [Block(arg_types=[f32, f32]) for _ in hints]
    for block, hint in zip(blocks, hints, strict=True):
        named: list[object] = [block, *block.args]
        for holder in named:
            if Block.is_valid_name(hint):
                holder.name_hint = hint  # pyright: ignore
        block.add_op(ReturnOp())
    function = FuncOp("f", (tuple(blocks[0].arg_types), ()), Region(blocks))
    module = ModuleOp([function])
    for generic in (False, True):
        again = assert_returns(module, generic)
        assert again.is_structurally_equivalent(module)


class _Loader(yaml.SafeLoader):
    """Reads remarks whatever their tag."""


_Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_mapping(node, deep=True))  # pyright: ignore


@with_examples
@given(st.text())
@settings(max_examples=50, deadline=None)
def test_remarks_return(name: str):
    remark = Remark(
        "missed", "samba-fuse", name, op=name, location=Location(name, 1, 2), facts={"f": name}, function=name
    )
    (row,) = json.loads(remarks_as_json([remark]))
    assert (row["message"], row["function"], row["file"], row["facts"]) == (name, name, name, {"f": name})
    (document,) = yaml.load_all(remarks_as_yaml([remark]), _Loader)
    assert document["Function"] == (name or "builtin.module")
    assert document.get("DebugLoc", {"File": ""})["File"] == name
    assert {"String": name} in document["Args"] and {"f": name} in document["Args"]


# A name in a PEF, which is an ELF file, ends with a zero byte: it has none.
@pytest.mark.parametrize("name", [name.replace("\0", "") for name in ODD if name])
def test_pefs_return_names(name: str):
    (function,) = parse_module(
        """func.func @f(%x: tensor<4xf32> {samba.name = "a"}) -> tensor<4xf32> {
             %0 = samba.relu %x : tensor<4xf32>
             func.return %0 : tensor<4xf32>
           }""",
        "f.mlir",
        SambaContext(),
    ).ops
    assert isinstance(function, FuncOp)
    function.properties["sym_name"] = StringAttr(name)
    function.arg_attrs = ArrayAttr([DictionaryAttr({"samba.name": StringAttr(name)})])
    for op in function.walk():
        op.location = NameLoc(StringAttr(name), FileLineColLoc(StringAttr(name), IntAttr(1), IntAttr(2)))
    function.detach()
    module = ModuleOp([function])
    run_pipeline(module, parse_pipeline("o0"))
    data = encode(image_of(module))
    again = module_of(decode(data))
    verify_module(again)
    assert name in {symbol.name for symbol in decode(data).symbols}
    assert name in {place.module_path for op in again.walk() if (place := location_of(op))}
    read = parse_module(text_of(again, generic=False, locations=True), "f.mlir", SambaContext())
    assert encode(image_of(read, text_file="f.mlir")) == data


def test_a_name_that_is_no_text_is_refused():
    import torch

    from sambaflow.frontends.function_builder import FunctionBuilder

    with pytest.raises(InputError, match=r"the name '\\ud800.weight' of the param is no text"):
        FunctionBuilder().argument((4,), torch.float32, "\ud800.weight", "param")
    with pytest.raises(InputError, match=r"the name '__metadata__' of the input is kept for metadata in safetensors"):
        FunctionBuilder().argument((4,), torch.float32, "__metadata__", "input")
    with pytest.raises(InputError, match=r"the name 'a\\x00b' of the param holds a zero byte"):
        FunctionBuilder().argument((4,), torch.float32, "a\0b", "param")
    value = FunctionBuilder().argument((4,), torch.float32, "größe.weight", "param")
    assert value.name_hint == "gr__e_weight"
