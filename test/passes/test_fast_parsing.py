"""The lexer, parser and printer of our own beside xDSL's, which they replace: the same tokens, ops, errors and text."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.parser import Parser, ParserState
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Input
from xdsl.utils.mlir_lexer import MLIRLexer, MLIRTokenKind

from sambaflow.dialects.text.fast_parsing import FastParser
from sambaflow.dialects.text.lexing import FastLexer
from sambaflow.dialects.text.printing import FastPrinter
from sambaflow.dialects.text.xdsl_private import OpenLexer, OpenParser
from sambaflow.passes.framework.context import SambaContext

TESTS = Path(__file__).parents[1]
FILES = sorted(path for path in TESTS.rglob("*.mlir") if path.name != "signed-zeros.mlir")
"""Without what xDSL prints as something else."""


def ours(text: str) -> ModuleOp:
    return FastParser(SambaContext(), text, "text").parse_module()


def theirs(text: str) -> ModuleOp:
    parser = Parser(SambaContext(), "")
    OpenParser.resume_from(parser, ParserState(OpenLexer(Input(text, "text"))))
    return parser.parse_module()


def fast_text(module: ModuleOp, full: bool) -> str:
    printer = FastPrinter(generic=full, locations=full)
    printer.print_op(module)
    return printer.text()


def text(module: ModuleOp, full: bool) -> str:
    stream = StringIO()
    Printer(stream, print_generic_format=full, print_debuginfo=full).print_op(module)
    return stream.getvalue()


def outcomes(text: str, parse: Callable[[str], ModuleOp], *prints: Callable[[ModuleOp, bool], str]) -> list[object]:
    """What each way to print makes of the module in both forms, or all that the error says."""
    try:
        module = parse(text)
        return [print_(module, full) for print_ in prints for full in (False, True)]
    except ParseError as error:
        return [type(error), error.msg, error.span.start, error.span.end] * len(prints)
    except Exception as error:
        return [type(error), str(error)] * len(prints)


# Every module that another test reads gives the same ops or the same error, and is printed as the same text.
@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(TESTS)) for path in FILES])
def test_all_files(path: Path) -> None:
    for piece in path.read_text().split("// -----"):
        assert outcomes(piece, ours, text, fast_text) == outcomes(piece, theirs, text, text)


# Any text at all is cut into the same tokens, up to the same error.
FRAGMENTS = [
    *("%", "%a", "%0", "%0x", "%-.$", "@", "@f", '@"a b"', "@-1", "#", "#0", "#a.b", "#-}", "{-#", "{", "}", "-#", "!"),
    *("!t.x", "^", "^bb0", "-", "->", "-->", "<", ">", "(", ")", "[", "]", ":", "::", ",", "...", ".", "..", "=", "+"),
    *(
        "*",
        "?",
        "|",
        "/",
        "//",
        "/a",
        "a",
        "_b.c$",
        "x4",
        "4x",
        "4",
        "0",
        "00",
        "0x",
        "0xF",
        "0xg",
        "12.5",
        "1.",
        "1.e3",
    ),
    *("1.5e-7", "1.5e", "1e5", '""', '"s"', '"a\\n"', '"\\0A"', '"\\FF"', '"\\q"', '"', "é", "%é", "²", "a²", "true"),
    *(" ", "\n", "\t", "\r\n", "// note\n", "\f", "\x00"),
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_same_tokens(text: str) -> None:
    fast, reference = FastLexer(Input(text, "text")), OpenLexer(Input(text, "text"))
    while True:
        expected = _token(reference)
        assert _token(fast) == expected
        if expected[0] in (ParseError, MLIRTokenKind.EOF):
            return


def _token(lexer: MLIRLexer) -> tuple[object, ...]:
    try:
        token = lexer.lex()
    except ParseError as error:
        return ParseError, error.msg, error.span.start, error.span.end
    span = token.span
    return token.kind, token.text, span.start, span.end, type(span), lexer.pos


# A text that was read before means the same again, whatever stands around it and however it is spaced.
SPACES = ["", " ", "\n", " // note\n"]
TYPES = [
    *(
        "f32",
        "i1",
        "index",
        "none",
        "tensor<4x8xf32>",
        "tensor<?xbf16>",
        "tensor<f32>",
        "tensor<*xf32>",
        "tensor<0x4xf32>",
    ),
    *("tensor<4xf32, #e>", "vector<4xi8>", "vector<[4]xf32>", "memref<2xf32>", "complex<f32>", "tuple<f32, i1>"),
    *("(f32) -> f32", "() -> ()", "() -> (f32, f32)", "!rdu.stream<tensor<4xf32>, 2>", "tensor<4xtensor<2xf32>>"),
]
ATTRIBUTES = [
    *("1 : i64", "-1 : i64", "1.5e-3 : f64", "0x7F : i8", "true", '"s"', "[1, 2]", "unit", "@f::@g", "f32"),
    *("#arith.fastmath<none>", "#arith.fastmath<nnan,nsz>", "#samba.shard<1, 1, 8>", "affine_map<(d0) -> (d0)>"),
    *(
        "affine_map<(d0)[s0] -> (d0 floordiv s0, (d0 + 1) * 2)>",
        "dense<1> : tensor<2xi8>",
        "dense<[1, 2]> : tensor<2xi8>",
    ),
]
REFUSED = [
    *("300 : i8", "1 : tensor<2xf32>", "1.5.5 : f32", "1 : none", "#nothing.here<1>", "affine_map<(d0) -> (d9)>"),
    *(
        "#arith.fastmath<slow>",
        "dense<1> : f32",
        "dense<1> : tensor<?xi8>",
        "tensor<4x>",
        "tensor<-1xf32>",
        "tensor<2xf99>",
    ),
]


@given(
    st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(SPACES)), min_size=1, max_size=4),
    st.lists(st.sampled_from(ATTRIBUTES), max_size=4),
    st.sampled_from([*TYPES, *REFUSED] + ATTRIBUTES * 2),
)
def test_types_and_attributes(inputs: list[tuple[str, str]], attributes: list[str], last: str) -> None:
    arguments = ", ".join(f"%{i}: {kind}" for i, (kind, _) in enumerate(inputs))
    entries = ", ".join(f"a{i} = {value}" for i, value in enumerate([*attributes, *reversed(attributes), last]))
    types = ",".join(f"{space}{kind}{space}" for kind, space in inputs)
    op = f'"test.op"({", ".join(f"%{i}" for i in range(len(inputs)))}) {{{entries}}} : ({types}) -> ({inputs[0][0]})'
    module = f"#e = 1 : i8\nfunc.func @f({arguments}) {{\n  {op}\n  {op}\n  func.return\n}}\n"
    assert outcomes(module, ours, text, fast_text) == outcomes(module, theirs, text, text)


# A text that was read before is not the same as one that starts with it.
@pytest.mark.parametrize(
    ("known", "longer"),
    [
        *(("(f32) -> f32", f"(f32) -> f32{more}") for more in ("$x", ".5", "<4>", " f32", "")),
        *(("() -> vector<4xi8>", f"() -> vector{more}") for more in ("<[4]xi8>", "<4xi8", "")),
        *(("() -> vector<[4]xi8>", again) for again in ("() -> vector<[4]xi8>", "() -> vector<[2]xi8>")),
        *(("1 : i64", f"1 : i64{more}") for more in ("$", ".5", "<1>", "4", " : i64")),
        *(("1.5 : f32", f"1.5{more}") for more in ("", ".5 : f32", "e : f32", "e3 : f32")),
        *(("tensor<4xf32>", f"tensor<4xf32{more}") for more in (", 1 : i8>", "", "x>", ">>")),
        ("#arith.fastmath<none>", "#arith.fastmath<none"),
    ],
)
def test_longer_texts(known: str, longer: str) -> None:
    for last in (longer, f"{known}, c = {longer}"):
        module = f'"test.op"() {{a = {known}, b = {last}}} : () -> ()'
        assert outcomes(module, ours, text, fast_text) == outcomes(module, theirs, text, text)


# Types that live no longer than they are printed have their own texts, although they stand at one address in turn.
def test_types_that_are_made_while_printing() -> None:
    printer = FastPrinter()
    for size in range(8):
        printer.print_attribute(TensorType(f32, [size]))
    assert printer.text() == "".join(f"tensor<{size}xf32>" for size in range(8))
