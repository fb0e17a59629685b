"""YAML from people is read as plain data, in bounds; whatever is not is refused with its line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sambaflow import yaml_files
from sambaflow.errors import MachineError
from sambaflow.machine import from_dict, load, to_dict
from sambaflow.yaml_files import YamlProblem

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\n"


def value(text: str) -> object:
    node = yaml_files.compose(text)
    return None if node is None else yaml_files.plain(node)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (BOMB, 1, "anchors and aliases are not read here"),
        ("a: *a", 1, "anchors and aliases are not read here"),
        ("a: &a [*a]", 1, "anchors and aliases are not read here"),
        ("a: 1\nb: 2\na: 3", 3, "'a' is given twice: first in line 1"),
        ("a: {x: 1, x: 1}", 1, "'x' is given twice"),
        ("? [a]\n: 1", 1, "a key is a name, not a collection"),
        ("a: " + "[" * 33 + "]" * 33, 1, "more than 32 collections"),
        ("a: " + "[" * 3000 + "]" * 3000, 1, "more than 32 collections|maximum nesting depth"),
        ("a: " + "[" * 3000, 1, "more than 32 collections|maximum nesting depth"),
        ("\na: " + "9" * 5000, 2, "no plain value: Exceeds the limit"),
        ("a: .inf", 1, ".inf is no finite number"),
        ("a: -.INF", 1, "-.INF is no finite number"),
        ("a: .nan", 1, ".nan is no finite number"),
        ("a: 1.0e+999", 1, "is no finite number"),
        ("a: 2026-99-99", 1, "no plain value: month must be in"),
        ("a: !!python/object/apply:os.system [true]", 1, "tags are not read here"),
        ("a: !!binary aaaa", 1, "tags are not read here"),
        ("a: !!int 7", 1, "tags are not read here"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("a: \0", 0, "special characters are not allowed|control characters"),
        ("a: {", 2, "did not find expected node content"),
        ("a:\n\t- 1", 2, "found character that cannot start any token"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_line(text: str, line: int, said: str):
    with pytest.raises(YamlProblem, match=said) as caught:
        value(text)
    assert caught.value.line == line


def test_plain_data_is_read():
    text = "﻿a: 1\nb: [true, 1.5, x, null, '7', 0x10, 1_000]\nc: {d: {}}\n".removeprefix("﻿")
    assert value(text) == {"a": 1, "b": [True, 1.5, "x", None, "7", 16, 1000], "c": {"d": {}}}
    assert value("") is None
    assert value(text.replace("\n", "\r\n")) == value(text)


@given(st.text(alphabet="ab:-[]{}&*!#|>'\"\n \t?,0.~%@é", max_size=40))
def test_any_text_is_data_or_a_problem(text: str):
    try:
        value(text)
    except YamlProblem as problem:
        assert problem.message


def test_only_files_of_a_believable_size_are_read(tmp_path: Path):
    (tmp_path / "large.yaml").write_text("a: 1\n" + "#" * yaml_files.MOST_BYTES)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfea\0")
    (tmp_path / "marked.yaml").write_bytes(b"\xef\xbb\xbfa: 1")
    os.mkfifo(tmp_path / "fifo.yaml")
    for name, said in (("large", "more than 1048576"), ("binary", "not UTF-8 text"), ("fifo", "is no file")):
        with pytest.raises(YamlProblem, match=said):
            yaml_files.read(tmp_path / f"{name}.yaml")
        with pytest.raises(MachineError, match=said):
            load(str(tmp_path / f"{name}.yaml"))
    with pytest.raises(YamlProblem, match="is no file"):
        yaml_files.read(Path("/dev/zero"))
    assert yaml_files.read(tmp_path / "marked.yaml") == "a: 1"


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (["clock"], float("nan"), "found nan, allowed: a number from 1 to 1e+21"),
        (["clock"], float("inf"), "found inf, allowed: a number from 1 to 1e+21"),
        (["clock"], 10**400, "allowed: a number from 1 to 1e+21"),
        (["clock"], 5e-324, "allowed: a number from 1 to 1e+21"),
        (["clock"], True, "found True, allowed: a number"),
        (["clock"], "1e9", "found '1e9', allowed: a number"),
        (["pcu", "count"], 1 << 31, "'pcu.count': found 2147483648, allowed: an integer from 1 to 65536"),
        (["pcu", "count"], 1040.0, "allowed: an integer from 1 to 65536"),
        (["pmu", "bytes"], 1 << 62, "'pmu.bytes': found"),
        (["pcu", "pipeline_cycles"], -1, "allowed: an integer from 0 to 4294967296"),
        (["launch", "hardware"], -1e-9, "allowed: a number from 0 to 1e+06"),
        (["tiers", "hbm", "efficiency"], 0, "allowed: a number from 1e-06 to 1"),
        (["tiers"], {}, "'tiers'"),
        (["tiers"], {"sram": {}}, "'tiers.sram'"),
        (["tiers", "hbm"], 7, "'tiers.hbm': found 7"),
        (["links", "topology"], ["ring"], "allowed: one of full, ring, torus"),
        (["links", "chips"], 1 << 20, "allowed: an integer from 1 to 4096"),
        (["name"], 7, "'name': found 7, allowed: a string"),
        (["pcu"], None, "'pcu': found None"),
        (["more"], 1, "'more'"),
    ],
)
def test_every_number_of_a_machine_is_typed_finite_and_bounded(keys: list[str], value: object, said: str):
    """Also where no YAML is read: a PEF embeds its machine as JSON."""
    data = to_dict(load("sn40l"))
    part = data
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    with pytest.raises(MachineError) as caught:
        from_dict(data)
    assert said in caught.value.message
