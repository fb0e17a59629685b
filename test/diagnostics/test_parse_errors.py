"""What is not MLIR is refused where it is wrong, with what was expected and what was found."""

from __future__ import annotations

import pytest

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError
from sambaflow.passes.framework.context import SambaContext

BODY = "func.func @f(%a: i32) -> i32 {\n  %0 = arith.addi %a, %a : i32\n  return %0 : i32\n}\n"

TWICE = BODY.replace("return", "%0 = arith.addi %a, %a : i32\n  return")


def refusal(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_module(text, "f", SambaContext())
    return caught.value


CASES = [
    # A token that is missing at the end of a line is missed there, behind the last word and before comments.
    ("missing at the end of a line", BODY.replace(" : i32\n  return", "\n  return"), "f:2:25: expected ':'"),
    (
        "missing before a comment",
        BODY.replace(" : i32\n  return", "  // sum: i32\n\n  // done\n  return"),
        "f:2:25: expected ':'",
    ),
    ("missing in a line", BODY.replace("%a :", "%a i32 :"), "f:2:26: expected ':', found 'i32'"),
    (
        "the text ends",
        BODY[: BODY.index(" return")],
        "f:2:31: expected an op, a block or '}', found the end of the text",
    ),
    ("the text ends in an op", "func.func @f(", "f:1:14: expected an argument or type, found the end of the text"),
    ("no op", "[1, 2]", "f:1:1: expected an op, found '['"),
    ("nothing", "", "f:1:1: expected an op, found the end of the text"),
    ("an op of no dialect", "hello", "f:1:1: unknown op 'hello'"),
    (
        "an op that is misspelt",
        BODY.replace("addi", "addii"),
        "f:2:8: unknown op 'arith.addii'; did you mean 'arith.addi'?",
    ),
    (
        "a dialect that is misspelt",
        BODY.replace("arith", "aritth"),
        "f:2:8: unknown op 'aritth.addi'; did you mean 'arith.addi'?",
    ),
    (
        "a type that is misspelt",
        "func.func private @f(!rdu.streem<i32, 1>)",
        "f:1:22: unknown type 'rdu.streem'; did you mean 'rdu.stream'?",
    ),
    (
        "an attribute that is misspelt",
        "module attributes {a = #rdu.targe<>} {}",
        "f:1:24: unknown attribute 'rdu.targe'; did you mean 'rdu.target'?",
    ),
    ("no type", BODY.replace(": i32)", ": tensr<2xf32>)"), "f:1:18: expected a type, found 'tensr'"),
    ("a second definition", TWICE, "f:3:3: redefinition of SSA value '%0'"),
    (
        "a value that nobody defines",
        BODY.replace("%a, %a", "%a, %b"),
        "f:2:8: 'arith.addi' op uses %b, which is not defined",
    ),
    ("more names than results", BODY.replace("%0 =", "%0, %1 ="), "f:2:3: the op has 1 results, names are given to 2"),
    ("no such block", BODY.replace("return %0 : i32", "cf.br ^end"), "f:3:9: reference to an undefined block '^end'"),
    (
        "a block twice",
        BODY.replace("return %0 : i32", "cf.br ^x\n^x:\n  cf.br ^x\n^x:\n  cf.br ^x"),
        "f:6:1: redefinition of block '^x'",
    ),
    ("CRLF", BODY.replace("addi", "addii").replace("\n", "\r\n"), "f:2:8: unknown op 'arith.addii'"),
]


@pytest.mark.parametrize(("text", "said"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_the_place_and_the_words(text: str, said: str):
    error = refusal(text)
    assert f"{error.location}: {error.headline}".startswith(said), str(error)


# The second definition says where the first is.
def test_a_redefinition_notes_the_first_definition():
    (note,) = refusal(TWICE).notes
    assert (note.message, str(note.location)) == ("the first definition is here", "f:2:8")


# Lines count from the start of the file, whichever piece of it is parsed.
@pytest.mark.parametrize("text", [BODY.replace("addi", "addii"), BODY.replace("%a :", "%a i32 :"), "[", "\n^"])
def test_lines_of_a_later_piece(text: str):
    with pytest.raises(InputError) as later:
        parse_module(text, "f", SambaContext(), line_offset=7)
    first, moved = refusal(text).location, later.value.location
    assert first is not None and moved is not None
    assert (moved.line, moved.column) == (first.line + 7, first.column)
