"""The IR before and after passes, as mlir-opt prints it: on a stream, or as a tree of files.

// -----// IR Dump After SambaCsePass (samba-cse) //----- //
// -----// IR Dump After SambaCsePass Failed (samba-cse) ('func.func' operation: @f) //----- //
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import SambaError
from sambaflow.files import write_file
from sambaflow.passes.framework.manager import Instrumentation, Pipeline

ALL = "all"


@dataclass
class IrPrinting(Instrumentation):
    """Prints IR around passes.

    `before` and `after` name passes, or hold ALL. `after_change`: only when the pass changed the IR; `after_failure`:
    only when it failed (a failed pass in `after` is printed as well). `module_scope`: the whole module, where a pass
    runs on a part of it. `tree_dir`: one file a dump there, in a folder an op, instead of standard error.
    """

    text_of: Callable[[Operation], str]
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    after_change: bool = False
    after_failure_only: bool = False
    module_scope: bool = False
    tree_dir: str | None = None
    _texts: dict[Operation, str] = field(default_factory=dict[Operation, str])
    _counts: list[int] = field(default_factory=list[int])

    def before_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._counts.append(0)

    def after_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._counts.pop()

    def before_pass(self, pass_: ModulePass, op: Operation) -> None:
        if self._wants(self.before, pass_):
            self._dump("Before", pass_, op)
        if self.after_change and self._wants(self.after, pass_):
            self._texts[op] = self.text_of(op)

    def after_pass(self, pass_: ModulePass, op: Operation) -> None:
        old = self._texts.pop(op, None)
        if self._wants(self.after, pass_) and not self.after_failure_only and (old is None or old != self.text_of(op)):
            self._dump("After", pass_, op)
        self._counts[-1] += 1

    def after_failure(self, pass_: ModulePass, op: Operation, error: SambaError) -> None:
        self._texts.pop(op, None)
        if self.after_failure_only or self._wants(self.after, pass_):
            self._dump("After", pass_, op, " Failed")

    def _wants(self, names: frozenset[str], pass_: ModulePass) -> bool:
        return ALL in names or pass_.name in names

    def _dump(self, when: str, pass_: ModulePass, op: Operation, failed: str = "") -> None:
        shown = _module_of(op) if self.module_scope else op
        inside = "" if isinstance(op, ModuleOp) else f" ('{op.name}' operation{_symbol(op, ': @')})"
        head = f"// -----// IR Dump {when} {type(pass_).__name__}{failed} ({pass_.name}){inside} //----- //"
        text = f"{head}\n{self.text_of(shown)}\n"
        if self.tree_dir is None:
            print(text, file=sys.stderr)
            return
        path = self._path(self.tree_dir, when.lower() + failed.lower().replace(" ", "-"), pass_, op)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_file(path, text)

    def _path(self, root: str, when: str, pass_: ModulePass, op: Operation) -> str:
        """`builtin_module_no-symbol-name/func_func_f/2_0_samba-cse-after.mlir`: a folder an op, a number a nest."""
        folders: list[str] = []
        current: Operation | None = op
        while current is not None:
            folders.append(current.name.replace(".", "_") + (_symbol(current, "_") or "_no-symbol-name"))
            current = current.parent_op()
        number = "_".join(map(str, self._counts))
        return os.path.join(root, *reversed(folders), f"{number}_{pass_.name}-{when}.mlir")


def _symbol(op: Operation, prefix: str) -> str:
    name = op.properties.get("sym_name") or op.attributes.get("sym_name")
    return prefix + name.data if isinstance(name, StringAttr) else ""


def _module_of(op: Operation) -> Operation:
    while (parent := op.parent_op()) is not None:
        op = parent
    return op
