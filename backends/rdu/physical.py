"""Whether a program stands on its chip: units, routes, symbols. Shares nothing with the passes that put them there."""

from __future__ import annotations

from collections.abc import Iterator

from sambaflow.backends.rdu import image as im
from sambaflow.dialects.rdu.grid import Grid, Place, grid_of, partners
from sambaflow.dialects.rdu.lifetimes import RESIDENT
from sambaflow.errors import SambaError
from sambaflow.machine import Budget


def check_physical(image: im.Image) -> list[str]:
    """What is wrong with places, routes and addresses, a sentence each; empty if nothing is.

    Units stand where the grid has such units and do not overlap, routes are trees that reach all that they feed,
    symbols lie in their memory and apart from all that is alive with them.
    """
    from sambaflow import machine as machines

    try:
        machine = machines.from_dict(image.machine)
        budget = machine.target(chips=image.target.chips, tiles=image.target.tiles)
    except SambaError as error:
        return [error.message]
    grid = grid_of(machine, budget)
    problems = list(_memory_problems(image, budget))
    for section in image.sections:
        places: set[tuple[int, int]] = set()
        streams: set[tuple[int, int, int]] = set()  # AGCUs carry several streams, each over an AGCU once
        for i, unit in enumerate(section.units):
            allowed = set(grid.places(unit.resource))
            for x, y in unit.coordinates.tolist():
                if (x, y) not in allowed:
                    problems.append(f"{section.name}: unit {i} stands at ({x}, {y}), where no {unit.resource} is")
                if (i, x, y) in streams if unit.resource == "agcu" else (x, y) in places:
                    problems.append(f"{section.name}: unit {i} stands at ({x}, {y}), which is taken")
                streams.add((i, x, y)) if unit.resource == "agcu" else places.add((x, y))
        if any(len(unit.coordinates) != unit.count for unit in section.units):
            problems.append(f"{section.name}: not every unit has a place")
            continue
        problems += [f"{section.name}: {p}" for p in _route_problems(section, grid, machine.network.tracks)]
    return problems


def _memory_problems(image: im.Image, budget: Budget) -> Iterator[str]:
    lives = _lives(image)
    resting: dict[str, list[tuple[int, int, int]]] = {}  # by tier: address, end, symbol
    for number, symbol in enumerate(image.symbols):
        room = budget.tier_bytes.get(symbol.tier)
        if room is None:
            yield f"symbol '{symbol.name}' stands in no memory of the machine, which has {', '.join(budget.tier_bytes)}"
        elif symbol.address < 0 or symbol.address + symbol.bytes > room:
            yield f"symbol '{symbol.name}' ends at {symbol.address + symbol.bytes} of the {room} bytes of its memory"
        elif symbol.address % im.DTYPE_BYTES[symbol.dtype]:
            yield f"symbol '{symbol.name}' stands at the unaligned address {symbol.address:#x}"
        elif symbol.bytes:
            resting.setdefault(symbol.tier, []).append((symbol.address, symbol.address + symbol.bytes, number))
        first, last = lives[number]
        if symbol.first > first or symbol.last < last:
            said = f"launches {symbol.first} to {symbol.last}"
            yield f"symbol '{symbol.name}' is said to live from {said}, but lives from {first} to {last}"
    for spans in resting.values():
        yield from _overlaps(image, lives, sorted(spans))


def _overlaps(image: im.Image, lives: list[tuple[int, int]], spans: list[tuple[int, int, int]]) -> Iterator[str]:
    """Two symbols of one memory that share bytes while both are alive; `spans` by address."""
    open_spans: list[tuple[int, int]] = []  # end, symbol
    for address, end, number in spans:
        open_spans = [(other_end, other) for other_end, other in open_spans if other_end > address]
        first, last = lives[number]
        for _, other in open_spans:
            if lives[other][0] <= last and first <= lives[other][1]:
                names = f"'{image.symbols[other].name}' and '{image.symbols[number].name}'"
                yield f"symbols {names} share the bytes at {address:#x} while both are alive"
        open_spans.append((end, number))


def _lives(image: im.Image) -> list[tuple[int, int]]:
    """First and last launch, counted through all graphs, in which each symbol must keep what it holds."""
    launched: dict[int, tuple[int, int]] = {}

    def used(number: int, launch: int) -> None:
        first, last = launched.get(number, (launch, launch))
        launched[number] = min(first, launch), max(last, launch)

    launch = 0
    for schedule in image.schedules:
        start = launch
        for step in schedule.steps:
            launches = step.launches if isinstance(step, im.Repeat) else [step]
            rounds = step.count if isinstance(step, im.Repeat) else 1
            rows = [entry.symbols.reshape(rounds, -1).tolist() for entry in launches]
            for turn in range(rounds):
                for table in rows:
                    for number in table[turn]:
                        used(number, launch)
                    launch += 1
        for number in schedule.inputs.tolist():
            used(number, start)
        updated = [schedule.inputs.tolist()[tie] for tie in schedule.tied.tolist() if tie >= 0]
        for number in (*schedule.outputs.tolist(), *updated):
            used(number, max(start, launch - 1))
    end = max(0, launch - 1)
    resident = [symbol.role in RESIDENT for symbol in image.symbols]
    return [(0, end) if stays else launched.get(n, (0, -1)) for n, stays in enumerate(resident)]


def _route_problems(section: im.Section, grid: Grid, tracks: int) -> Iterator[str]:
    targets: dict[tuple[tuple[int, int], int], list[Place]] = {}
    for stream in section.streams:
        source, target = section.units[stream.source[0]], section.units[stream.target[0]]
        for member, partner in partners(source.count, target.count):
            place = _place(target, partner)
            targets.setdefault((stream.source, member), []).append(grid.switch(place))
    nets = {(net.source, net.member): net for net in section.nets}
    if len(nets) != len(section.nets):
        yield "two routes have one source"
    for key, ends in targets.items():
        (group, port), member = key
        who = f"output {port} of unit {member} of group {group}"
        if key not in nets:
            yield f"{who} has no route"
            continue
        net = nets[key]
        reached = {grid.switch(_place(section.units[group], member))}
        for (x0, y0, x1, y1), track in zip(net.hops.tolist(), net.tracks.tolist(), strict=True):
            if abs(x0 - x1) + abs(y0 - y1) != 1 or not (0 <= x1 < grid.cols and 0 <= y1 < grid.rows):
                yield f"{who}: a hop goes from ({x0}, {y0}) to ({x1}, {y1})"
            if (x0, y0) not in reached or (x1, y1) in reached:
                yield f"{who}: the hop from ({x0}, {y0}) to ({x1}, {y1}) does not grow its tree"
            if not 0 <= track < tracks:
                yield f"{who}: track {track} of {tracks} at ({x0}, {y0})"
            reached.add((x1, y1))
        for end in ends:
            if end not in reached:
                yield f"{who}: the route does not reach {end}"


def _place(unit: im.Unit, member: int) -> Place:
    x, y = unit.coordinates[member].tolist()
    return x, y
