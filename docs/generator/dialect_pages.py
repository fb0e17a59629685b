"""The reference pages of the dialects: the samba operators from their table, other ops and attributes from irdl."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xdsl.ir import Attribute, Dialect, Operation
from xdsl.irdl import IRDLOperation

from definitions import attribute_name, constraint_text, field_docs, literal_keys, parameters_of
from lit_examples import examples
from markup import anchor, code, docstring, file_of, heading, literal, page, source, summary, table, without_code
from sambaflow.dialects.kernel import STAGES, Kernel
from sambaflow.dialects.rdu import Rdu
from sambaflow.dialects.rdu.instructions import Instruction
from sambaflow.dialects.samba import Samba, SambaOp
from sambaflow.dialects.samba.table import GROUPS, REQUIRED, Attr, Row, Trait
from sambaflow.passes.kernel_library import CONVERSIONS


def samba_page() -> str:
    """`reference/samba.md`."""
    introduction = (
        f"{docstring(_module_doc(Samba))}\n\n"
        "An operator is called what ATen calls it and takes what ATen's operator takes; `?` marks an operand that may "
        "be left out, `*` a list. Attributes at their defaults are not printed. Results are inferred by the rule, and "
        f"checked by the verifier. The table is {source('dialects/samba/table.py')}."
    )
    groups = [f"* {_link(name)}: {', '.join(_link(row.op_name, row.name) for row in rows)}" for name, rows in _groups()]
    parts = ["\n".join(groups)]
    for name, rows in _groups():
        parts += [heading(2, name), *(_row(row) for row in rows)]
    others = [op for op in Samba.operations if not issubclass(op, SambaOp)]
    parts += [heading(2, "Other ops"), *(_operation(op) for op in others)]
    parts += [heading(2, "Traits"), _traits_table(), heading(2, "From PyTorch"), _from_pytorch()]
    parts += [heading(2, "Attributes and types"), *map(_attribute, Samba.attributes)]
    return page("samba", introduction, *parts)


def kernel_page() -> str:
    """`reference/kernel.md`."""
    rules = table(
        ("stage", "dimensions", "must have", "accumulators", "body", "results by index", "one chip"),
        (
            (
                _link(op.name),
                ", ".join(r.kinds),
                ", ".join(r.required),
                *map(_yes, (r.accumulators, r.body, r.indexed_results, r.local)),
            )
            for op in STAGES
            for r in (op.RULES,)
        ),
    )
    more = "[One example of each kind of operator](../levels/kernel.md) shows them at work."
    return _dialect_page(Kernel, f"{more}\n\nWhat a kind of stage allows:\n\n{rules}")


def rdu_page() -> str:
    """`reference/rdu.md`."""
    return _dialect_page(
        Rdu, "The instructions of tile programs stand in the [opcode table](opcodes.md), one op for each row."
    )


def _dialect_page(dialect: Dialect, more: str) -> str:
    parts: list[str] = []
    families = _families(dialect)
    for base, ops in families.items():
        if base is not IRDLOperation:
            parts += [heading(2, _plural(base)), _base(base, ops)]
        else:
            parts.append(heading(2, "Ops"))
        parts += [_operation(op, base) for op in ops]
    parts += [heading(2, "Attributes and types"), *map(_attribute, dialect.attributes)]
    names = ", ".join(_link(op.name) for ops in families.values() for op in ops)
    attributes = ", ".join(_link(attribute_name(attribute)) for attribute in dialect.attributes)
    return page(
        dialect.name,
        docstring(_module_doc(dialect)),
        more,
        f"Ops: {names}",
        f"Attributes and types: {attributes}",
        *parts,
    )


def _families(dialect: Dialect) -> dict[type[Operation], list[type[IRDLOperation]]]:
    """The ops of a dialect by the class that they share fields with; instructions stand on a page of their own."""
    families: dict[type[Operation], list[type[IRDLOperation]]] = {}
    for op in dialect.operations:
        bases = [base for base in op.__mro__[1:] if base.__module__.startswith("sambaflow")]
        if issubclass(op, IRDLOperation) and Instruction not in bases:
            families.setdefault(bases[-1] if bases else IRDLOperation, []).append(op)
    return families


# --- samba operators


def _groups() -> Iterator[tuple[str, Sequence[Row]]]:
    yield from GROUPS.items()


def _row(row: Row) -> str:
    op = next(op for op in Samba.operations if op.name == row.op_name)
    conversion = CONVERSIONS.get(row.name)
    facts = {
        "operands": ", ".join(map(literal, row.operands)) or "none",
        "result": f"{summary(_rule_doc(row))} ({literal(_rule_name(row))} in {source(_rule_file(row))})",
        "traits": ", ".join(_link("Traits", trait.name) for trait in row.traits) or "none",
        "PyTorch": "none" if Trait.COLLECTIVE in row.traits else literal(f"aten.{row.name}"),
        "kernel": f"{literal(conversion.__name__)} in {source(file_of(conversion))}" if conversion else "no conversion",
    }
    attributes = table(("attribute", "kind", "default"), map(_attr, row.attributes))
    listed = "\n".join(f"* {name}: {text}" for name, text in facts.items())
    return "\n\n".join(
        part for part in (heading(3, row.op_name), docstring(op.__doc__ or ""), listed, attributes) if part
    )


def _attr(attr: Attr) -> tuple[str, str, str]:
    default = "required" if attr.default is REQUIRED else "absent" if attr.default is None else literal(attr.default)
    return literal(attr.name), attr.kind.name, default


def _rule_name(row: Row) -> str:
    return row.rule.__qualname__.split(".")[0].lstrip("_")


def _rule_doc(row: Row) -> str:
    """The docstring of the rule; of the function that made it, where one function makes several."""
    module: Any = sys.modules[row.rule.__module__]
    return getattr(module, row.rule.__qualname__.split(".")[0]).__doc__ or ""


def _rule_file(row: Row) -> str:
    return file_of(sys.modules[row.rule.__module__])


def _traits_table() -> str:
    docs = field_docs(Trait)
    return table(("trait", "meaning"), ((trait.name, docs.get(str(trait.name), "")) for trait in Trait if trait.value))


def _from_pytorch() -> str:
    """Names of ATen that become an operator of another name or form, read without importing torch."""
    path = "frontends/conversions.py"
    tables = literal_keys(path)
    aliases = table(
        ("ATen", "samba"), ((literal(f"aten.{a}"), _link(f"samba.{b}")) for a, b in tables["_ALIASES"].items())
    )
    adapted = ", ".join(map(literal, tables["_ADAPTERS"]))
    return (
        f"`torch.export` gives ATen operators; {source(path)} binds each overload to the operator of its name. Others "
        "are decomposed by PyTorch's own decompositions; what is left is listed in one error.\n\n"
        f"These are bound under another name:\n\n{aliases}\n\n"
        f"Overloads whose arguments have another form than the operator's: {adapted}."
    )


# --- ops that irdl defines


def _operation(op: type[Operation], base: type[Operation] = IRDLOperation) -> str:
    assert issubclass(op, IRDLOperation)
    parts = [heading(3, op.name), docstring(op.__doc__ or "")]
    if example := examples().get(op.name):
        parts = [*parts[:1], without_code(parts[1]), code(example.text), f"From {source(example.file)}."]
    parts += [_fields(op, vars(base)), _traits(op)]
    return "\n\n".join(part for part in parts if part)


def _base(base: type[Operation], ops: Sequence[type[IRDLOperation]]) -> str:
    """What all ops of a family have."""
    own = {name for name in vars(ops[0]) if name not in vars(base)}
    return "\n\n".join([docstring(base.__doc__ or ""), "All of them have:", _fields(ops[0], dict.fromkeys(own))])


def _fields(op: type[IRDLOperation], hidden: Mapping[str, object]) -> str:
    """A table of operands, results, attributes and regions but for those that stand in `hidden`."""
    definition = op.get_irdl_definition()
    docs = field_docs(op)
    rows: list[tuple[str, str, str, str]] = []
    for kind, group in (("operand", definition.operands), ("result", definition.results)):
        for name, field in group:
            rows.append((kind, name, constraint_text(field.constr) + _how_many(field), docs.get(name, "")))
    for name, field in {**definition.properties, **definition.attributes}.items():
        if not name.endswith("SegmentSizes"):
            rows.append(("attribute", name, constraint_text(field.constr) + _how_many(field), docs.get(name, "")))
    for name, field in definition.regions:
        rows.append(("region", name, "region" + _how_many(field), docs.get(name, "")))
    return table(
        ("", "name", "what", "meaning"),
        ((kind, literal(name), what, doc) for kind, name, what, doc in rows if name not in hidden),
    )


def _how_many(definition: Any) -> str:
    """Optional, any number or exactly one: the irdl classes say it in their names."""
    name = type(definition).__name__
    return ", optional" if name.startswith("Opt") else ", any number" if name.startswith("Var") else ""


def _traits(op: type[IRDLOperation]) -> str:
    names = sorted(type(trait).__name__ for trait in op.get_irdl_definition().traits.traits)
    return f"Traits: {', '.join(map(literal, names))}." if names else ""


# --- attributes and types


def _attribute(attribute: type[Attribute]) -> str:
    parameters = [(literal(name), what, doc) for name, what, doc in parameters_of(attribute)]
    parts = [heading(3, attribute_name(attribute)), docstring(attribute.__doc__ or "")]
    return "\n\n".join(part for part in (*parts, table(("parameter", "what", "meaning"), parameters)) if part)


def _module_doc(dialect: Dialect) -> str:
    return sys.modules[f"sambaflow.dialects.{dialect.name}"].__doc__ or ""


def _yes(value: bool) -> str:
    return "yes" if value else ""


def _plural(base: type) -> str:
    return {"Stage": "Stages", "Enclosure": "Sections and groups", "UnitOp": "Units"}.get(base.__name__, base.__name__)


def _link(text: str, shown: str | None = None) -> str:
    return f"[{shown or text}](#{anchor(text)})"
