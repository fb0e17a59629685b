"""A PEF in a few lines for people: what it is for, its symbols by tier and role, its sections, its graphs."""

from __future__ import annotations

from collections.abc import Iterator

from sambaflow.backends.rdu.image import Image, Launch, Repeat, Section


def summary(image: Image) -> str:
    """The text."""
    return "\n".join(_lines(image)) + "\n"


def _lines(image: Image) -> Iterator[str]:
    target = image.target
    version = ".".join(map(str, image.version))
    yield f"PEF {version} for {target.chips} x {target.machine}, {target.tiles} tiles a chip"
    groups: dict[tuple[str, str], list[int]] = {}
    for symbol in image.symbols:
        groups.setdefault((symbol.tier, symbol.role), []).append(symbol.bytes)
    for (tier, role), sizes in sorted(groups.items()):
        yield f"  {tier or 'unplaced':8} {role:8} {len(sizes):6} symbols {sum(sizes):16} bytes a chip"
    for section in image.sections:
        yield f"  section {section.name}: {_section(section)}"
    for schedule in image.schedules:
        launches = sum(_launches(step) for step in schedule.steps)
        yield (
            f"  graph {schedule.graph}: {len(schedule.inputs)} inputs, {len(schedule.outputs)} outputs, "
            f"{launches} launches, {schedule.orchestration or 'no'} orchestration"
        )


def _section(section: Section) -> str:
    counts = {"pcu": sum(u.pcus for u in section.units), "pmu": sum(u.pmus for u in section.units)}
    counts["agcu"] = len(section.agcus())
    units = ", ".join(f"{count} {resource.upper()}s" for resource, count in counts.items())
    return (
        f"{len(section.units)} groups, {units}, {len(section.nets)} nets, {section.config_bytes} bytes of configuration"
    )


def _launches(step: Launch | Repeat) -> int:
    return step.count * len(step.launches) if isinstance(step, Repeat) else 1
