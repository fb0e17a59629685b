"""Remarks: filters, JSON rows, and YAML that LLVM's viewers read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sambaflow.diagnostics import symbols_around
from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError, Location
from sambaflow.passes.framework.context import SambaContext
from sambaflow.remarks import Fact, Remark, RemarkFilter, RemarkKind, name_of, remarks_as_json, remarks_as_yaml
from sambaflow.remarks import remarks_text as text_for

FUSED = Remark(
    "applied", "samba-fuse", "rule 'gemm' made a module", "samba.linear", Location("f.mlir", 2, 8), {"ops": 1}, "main"
)


class _Loader(yaml.SafeLoader):
    """Reads a remark as opt-viewer does: a class for each tag, its fields as they stand."""


def _read(loader: _Loader, tag: str, node: yaml.MappingNode) -> dict[str, Any]:
    return {"tag": tag, **cast("dict[str, Any]", loader.construct_mapping(node, deep=True))}


_Loader.add_multi_constructor("!", _read)


def read(text: str) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", list(yaml.load_all(text, _Loader)))


def message_of(document: dict[str, Any]) -> str:
    """What opt-viewer shows (llvm/tools/opt-viewer/optrecord.py): the values of all arguments put together."""
    return "".join(value for argument in document["Args"] for value in argument.values())


# The form is that of llvm/lib/Remarks/YAMLRemarkSerializer.cpp, which quotes only where it must.
def test_yaml_is_llvms():
    assert remarks_as_yaml([FUSED]) == (
        "--- !Passed\n"
        "Pass:            'samba-fuse'\n"
        "Name:            'RuleMadeAModule'\n"
        "DebugLoc:        { File: 'f.mlir', Line: 2, Column: 8 }\n"
        "Function:        'main'\n"
        "Args:\n"
        "  - Op:              'samba.linear'\n"
        "  - String:          ': '\n"
        "  - String:          'rule ''gemm'' made a module'\n"
        "  - String:          ' (ops = '\n"
        "  - ops:             '1'\n"
        "  - String:          ')'\n"
        "...\n"
    )


# As LLVM's reader wants them: a tag of its own for each kind, Pass, Name and Function not empty.
@pytest.mark.parametrize(("kind", "tag"), [("applied", "Passed"), ("missed", "Missed"), ("analysis", "Analysis")])
def test_a_remark_without_place_function_and_facts(kind: RemarkKind, tag: str):
    (document,) = read(remarks_as_yaml([Remark(kind, "p", "12")]))
    assert document == {
        "tag": tag,
        "Pass": "p",
        "Name": "Remark",
        "Function": "builtin.module",
        "Args": [{"String": "12"}],
    }


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
names = st.sampled_from(["ops", "bytes", "slowdown"])
remarks = st.builds(
    Remark,
    kind=st.sampled_from(["applied", "missed", "analysis"]),
    pass_name=texts,
    message=texts,
    op=texts,
    location=st.none() | st.builds(Location, file=texts, line=st.integers(0, 99), column=st.integers(0, 99)),
    facts=st.dictionaries(names, cast("st.SearchStrategy[Fact]", texts | st.integers() | st.booleans())),
    function=texts,
)


# Whatever a message holds (quotes, colons, line ends, other alphabets), a reader gets the same strings.
@given(st.lists(remarks, max_size=3))
def test_yaml_is_read_back(many: list[Remark]):
    documents = read(remarks_as_yaml(many))
    assert len(documents) == len(many)
    for document, remark in zip(documents, many, strict=True):
        facts = ", ".join(f"{name} = {value}" for name, value in remark.facts.items())
        sentence = remark.message + (f" ({facts})" if facts else "")
        assert message_of(document) == (f"{remark.op}: {sentence}" if remark.op else sentence)
        assert (document["Pass"], document["Function"]) == (remark.pass_name, remark.function or "builtin.module")
        place = remark.location
        if place is not None and place.file:
            assert document["DebugLoc"] == {"File": place.file, "Line": place.line, "Column": place.column}


@given(st.lists(remarks, max_size=3))
def test_json_rows_hold_every_field(many: list[Remark]):
    rows = json.loads(remarks_as_json(many))
    assert [(r["kind"], r["pass"], r["message"], r["op"], r["function"], r["facts"]) for r in rows] == [
        (r.kind, r.pass_name, r.message, r.op, r.function, dict(r.facts)) for r in many
    ]
    assert [(r["file"], r["line"], r["column"]) for r in rows] == [
        (r.location.file, r.location.line, r.location.column) if r.location else ("", 0, 0) for r in many
    ]


def test_the_name_of_the_file_says_the_format():
    assert text_for([FUSED], "a.json") == remarks_as_json([FUSED])
    assert text_for([FUSED], "b.opt.yaml") == text_for([FUSED], "b.yml") == remarks_as_yaml([FUSED])
    with pytest.raises(InputError, match="these do"):
        text_for([FUSED], "a.txt")


# Names count kinds of remarks: what differs from one remark to the next is not in them.
@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("rule 'base_gemm' made a module", "RuleMadeAModule"),
        ("folded 3 layers into @layer_0", "FoldedLayersInto"),
        ("wire length in hops", "WireLengthInHops"),
        ("uses %0", "Uses"),
        ("'x'", "Remark"),
    ],
)
def test_names_are_the_words_of_messages(message: str, name: str):
    assert name_of(message) == name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ["samba-fuse", "kernel-fuse-stages", "kernel-tile"]),
        ("samba-fuse", ["samba-fuse"]),
        ("kernel-.*", ["kernel-fuse-stages", "kernel-tile"]),
        ("kernel-tile,samba-fuse", ["samba-fuse", "kernel-tile"]),
        ("fuse", []),  # a name is meant whole
    ],
)
def test_filters(text: str, wanted: list[str]):
    every = [Remark("applied", name, "m") for name in ("samba-fuse", "kernel-fuse-stages", "kernel-tile")]
    assert [remark.pass_name for remark in RemarkFilter(text).select(every)] == wanted


def test_a_filter_that_is_no_regular_expression_is_refused():
    with pytest.raises(InputError, match=r"'kernel-\(' names no passes"):
        RemarkFilter("samba-fuse,kernel-(")


def ops_of(text: str) -> Iterator[tuple[str, str]]:
    for op in parse_module(text, "f", SambaContext()).walk():
        yield op.name, symbols_around(op)


# A remark says where it belongs: the function, and the section in it; a symbol counts itself.
def test_the_symbols_around_an_op():
    symbols = dict(
        ops_of(
            "module @m { func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {\n"
            "  %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {\n"
            "    kernel.yield %a : tensor<8xf32>\n"
            "  }\n"
            "  func.return %0 : tensor<8xf32>\n"
            "} }"
        )
    )
    assert symbols == {
        "builtin.module": "m",
        "func.func": "m::f",
        "kernel.section": "m::f::s",
        "kernel.yield": "m::f::s",
        "func.return": "m::f",
    }


def test_facts_of_a_remark_are_no_notes():
    """A limit that an analysis found is a fact of the remark; only an error falls short of one."""
    remark = Remark("analysis", "rdu-plan-memory", "plan of hbm", facts={"limit": 64, "demand": 32})
    assert remark.diagnostic.all_notes == ()
