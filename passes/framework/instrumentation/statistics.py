"""The counters of the passes as a report: `--statistics`."""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.passes import ModulePass

from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.context import Journal
from sambaflow.passes.framework.instrumentation.timing import RULE


def statistics_text(passes: Iterable[ModulePass], journal: Journal) -> str:
    """What each pass counted, in the order of the pipeline; a counter that was never touched is 0.

    samba-fuse
      (S) 3 modules - modules made of fusion rules' matches
    """
    lines = [RULE, "... Pass statistics report ...".center(len(RULE)).rstrip(), RULE]
    for pass_ in {pass_.name: pass_ for pass_ in passes}.values():
        lines.append(pass_.name)
        for counter, summary in (pass_.counters if isinstance(pass_, SambaPass) else {}).items():
            lines.append(f"  (S) {journal.counters.get((pass_.name, counter), 0)} {counter} - {summary}")
    return "\n".join(lines)
