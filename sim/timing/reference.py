"""The plain engine: one event after the other, in time order, with every token written down. Slow and obviously right.

time stands at t: a node fires as soon as its rate, all tokens and all room it needs are there at t;
when nothing more fires at t, one request that waits for a free resource is granted, and all is looked at again;
then time goes on to the next instant at which anything changes.
"""

import heapq

from sambaflow.sim.timing.graph import Run, Stalls, TimingGraph, check, deadlock

_MASK = (1 << 63) - 1


class _Engine:
    def __init__(self, graph: TimingGraph) -> None:
        self.graph = graph
        self.starts: list[list[int]] = [[] for _ in graph.nodes]
        self.written = [[0] * edge.initial for edge in graph.edges]  # when token j is there
        self.freed: list[list[int]] = [[] for _ in graph.edges]  # when token j is gone
        self.inputs: list[list[int]] = [[] for _ in graph.nodes]
        self.outputs: list[list[int]] = [[] for _ in graph.nodes]
        for number, edge in enumerate(graph.edges):
            self.inputs[edge.target].append(number)
            self.outputs[edge.source].append(number)
        self.free_at = [0] * len(graph.resources)
        self.stalls = [[0, 0, 0] for _ in graph.nodes]  # data, space, resource
        self.instants: list[int] = [0]

    def run(self) -> Run:
        while self.instants:
            now = heapq.heappop(self.instants)
            while self._fire_one(now) or self._grant_one(now):
                pass
        fired = [len(starts) for starts in self.starts]
        if any(count < node.firings for count, node in zip(fired, self.graph.nodes, strict=True)):
            raise deadlock(self.graph, fired)
        return self._result()

    def _needs(self, node: int) -> tuple[int, int, int] | None:
        """The times at which rate, data and space allow the next firing; None: not known yet, or all is done."""
        row, count = self.graph.nodes[node], len(self.starts[node])
        if count == row.firings:
            return None
        rate = self.starts[node][-1] + row.interval if count else 0
        data = space = 0
        for number in self.inputs[node]:
            needed = -(-(count + 1) * self.graph.edges[number].tokens // row.firings)
            if needed > len(self.written[number]):
                return None
            data = max(data, self.written[number][needed - 1])
        for number in self.outputs[node]:
            edge = self.graph.edges[number]
            must_be_gone = edge.initial + -(-(count + 1) * edge.tokens // row.firings) - edge.depth
            if must_be_gone > len(self.freed[number]):
                return None
            if must_be_gone > 0:
                space = max(space, self.freed[number][must_be_gone - 1])
        return rate, data, space

    def _fire_one(self, now: int) -> bool:
        for node, row in enumerate(self.graph.nodes):
            needs = self._needs(node) if row.resource < 0 else None
            if needs is not None and max(needs) <= now:
                self._fire(node, now, needs)
                return True
        return False

    def _grant_one(self, now: int) -> bool:
        requests: list[tuple[int, int, tuple[int, int, int]]] = []
        for node, row in enumerate(self.graph.nodes):
            needs = self._needs(node) if row.resource >= 0 else None
            if needs is not None and max(needs) <= now and self.free_at[row.resource] <= now:
                requests.append((max(needs), node, needs))
        if not requests:
            return False
        _, node, needs = min(requests)
        row = self.graph.nodes[node]
        self.free_at[row.resource] = now + row.service
        heapq.heappush(self.instants, now + row.service)
        self._fire(node, now, needs)
        return True

    def _fire(self, node: int, now: int, needs: tuple[int, int, int]) -> None:
        row = self.graph.nodes[node]
        rate, data, space = needs
        stalls = self.stalls[node]
        stalls[0] += max(0, data - rate)
        stalls[1] += max(0, space - max(rate, data))
        stalls[2] += now - max(needs)
        self.starts[node].append(now)
        count = len(self.starts[node])
        for number in self.outputs[node]:
            edge = self.graph.edges[number]
            done = edge.initial + count * edge.tokens // row.firings
            self.written[number] += [now + row.latency] * (done - len(self.written[number]))
        for number in self.inputs[node]:
            done = count * self.graph.edges[number].tokens // row.firings
            self.freed[number] += [now + row.interval] * (done - len(self.freed[number]))
        heapq.heappush(self.instants, now + row.interval)
        heapq.heappush(self.instants, now + row.latency)

    def _result(self) -> Run:
        nodes = self.graph.nodes
        occupied = [0] * len(self.graph.resources)
        stalls: list[Stalls] = []
        for node, (data, space, waited) in zip(nodes, self.stalls, strict=True):
            kind = ""
            if node.resource >= 0:
                kind = self.graph.resources[node.resource].kind
                occupied[node.resource] += node.firings * node.service
            busy = node.firings * node.interval
            stalls.append(Stalls(busy, data, space, waited if kind == "tier" else 0, waited if kind == "link" else 0))
        return Run(
            finish=max(
                (x[-1] + max(row.interval, row.latency) for x, row in zip(self.starts, nodes, strict=True)), default=0
            ),
            first=tuple(x[0] for x in self.starts),
            last=tuple(x[-1] for x in self.starts),
            sums=tuple(sum(x) & _MASK for x in self.starts),
            stalls=tuple(stalls),
            occupied=tuple(occupied),
        )


def run(graph: TimingGraph) -> Run:
    """Runs the graph event by event. Raises DeadlockError when it cannot end."""
    check(graph)
    return _Engine(graph).run()
