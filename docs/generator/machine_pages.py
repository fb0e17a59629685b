"""The reference pages of machines and of the instruction set, from the files that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from definitions import field_docs
from markup import ROOT, docstring, heading, literal, page, source, table
from sambaflow import machine as machines
from sambaflow.machine import opcodes
from sambaflow.machine.loading import OWN, TIERS
from sambaflow.machine.model import Machine, Tier
from sambaflow.machine.opcodes import DTYPES, OPCODES, Opcode


def machines_page() -> str:
    """`reference/machines.md`."""
    introduction = (
        "A machine file says what a chip is, in SI units. Every value is marked *published*, *derived* (by arithmetic "
        "from published figures) or *assumed* (nothing published was found: a parameter). A value in bold is "
        "structure: a PEF is mapped onto it, so it may not change at run time. "
        "[How to add a machine](../guides/add-a-machine.md)."
    )
    keys = {key: (rule, doc) for key, rule, doc in _keys(Machine, "")}
    provenance = {name: {row.key: row for row in machines.provenance(name)} for name in OWN}
    meanings = table(
        ("key", "unit", "allowed", "meaning"),
        ((literal(key), rule.unit, rule.allowed, doc) for key, (rule, doc) in keys.items()),
    )
    parts: list[str] = [heading(2, "Keys"), meanings]
    for name in OWN:
        rows = (
            (literal(key), _value(row.value, rule.structure), rule.unit, row.mark, row.source)
            for key, (rule, _) in keys.items()
            if (row := provenance[name].get(key)) is not None
        )
        file = ROOT / "machine" / f"{name}.yaml"
        parts += [heading(2, name), f"{_comment(file.read_text())} {source(file.relative_to(ROOT))}"]
        parts.append(table(("key", "value", "unit", "mark", "source"), rows))
    return page("Machines", introduction, *parts)


def _keys(cls: type, prefix: str) -> Iterator[tuple[str, Any, str]]:
    """The keys of a machine file with their rules and meanings, a tier's for each tier."""
    docs, hints = field_docs(cls), get_type_hints(cls)
    for field in fields(cls):
        key, rule = f"{prefix}{field.name}", field.metadata.get("rule")
        if rule is not None:
            yield key, rule, docs.get(field.name, "")
        elif field.name == "tiers":
            for tier in TIERS:
                yield from _keys(Tier, f"{key}.{tier}.")
        elif is_dataclass(hints[field.name]):
            yield from _keys(hints[field.name], f"{key}.")


def _value(value: object, structure: bool) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"**{text}**" if structure else text


def _comment(text: str) -> str:
    """The comment at the head of a YAML file."""
    lines = [line.removeprefix("#").strip() for line in text.split("\n\n")[0].splitlines() if line.startswith("#")]
    return " ".join(line if line.endswith((".", ":", ",")) else f"{line}." for line in lines)


def opcodes_page() -> str:
    """`reference/opcodes.md`."""
    instructions = table(
        ("number", "instruction", "sources", "class", "dtypes", "stands for"),
        (
            (
                opcode.number,
                literal(opcode.name),
                opcode.arity,
                opcode.op_class,
                ", ".join(opcode.dtypes),
                _stands_for(opcode),
            )
            for opcode in OPCODES
        ),
    )
    dtypes = table(
        ("number", "name", "bytes"), ((dtype.number, literal(dtype.name), dtype.bytes) for dtype in DTYPES.values())
    )
    parts = (heading(2, "Instructions"), instructions, heading(2, "Dtypes"), dtypes)
    return page("Opcodes", docstring(opcodes.__doc__ or "", "text"), *parts)


def _stands_for(row: Opcode) -> str:
    if row.mlir is None:
        return ""
    name, predicate = row.mlir
    return literal(name) if predicate is None else f"{literal(name)}, predicate {predicate}"
