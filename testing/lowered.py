"""Random samba modules on their way down: stopped in front of a pass, or at the rdu level.

@given(pass_inputs("kernel-tile"))
def test_tiles_divide(module):
    KernelTilePass().apply(SambaContext(), module)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import assume
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from sambaflow.errors import SambaError
from sambaflow.passes.framework.pipelines import MODES, parse_pipeline, run_pipeline
from sambaflow.passes.samba_outline_layers import SambaOutlineLayersPass
from sambaflow.testing.kernel_modules import stage_modules
from sambaflow.testing.samba_modules import samba_modules
from sambaflow.testing.scope import Chooser

MACHINES = ("sn40l", "sn30", "sn10")
FIRST_OF_KERNEL, FIRST_OF_RDU = "convert-samba-to-kernel", "convert-kernel-to-rdu"


@dataclass(frozen=True)
class Lowering:
    """A mode with its options, as the passes that it stands for."""

    mode: str
    machine: str
    chips: int
    passes: tuple[ModulePass, ...]

    def before(self, pass_name: str) -> tuple[ModulePass, ...]:
        """The passes in front of the first one of that name; all of them when the mode has none of that name."""
        names = [pass_.name for pass_ in self.passes]
        return self.passes[: names.index(pass_name)] if pass_name in names else self.passes

    def behind(self, pass_name: str) -> tuple[ModulePass, ...]:
        """The passes behind the first one of that name."""
        return self.passes[len(self.before(pass_name)) + 1 :]

    def __repr__(self) -> str:
        return f"{self.mode}{{machine={self.machine} chips={self.chips}}}"


@st.composite
def lowerings(draw: st.DrawFn, modes: Sequence[str] = ("o3", "o1", "o0"), most_chips: int = 4) -> Lowering:
    """Modes, machines and numbers of chips. Layers of three ops are outlined already, as random ones are short."""
    choose = Chooser(draw)
    mode = choose.one_of([mode for mode in modes if mode in MODES])
    machine = choose.one_of(MACHINES)
    chips = choose.one_of([chips for chips in (1, 2, 4) if chips <= most_chips])
    passes = parse_pipeline(f"{mode}{{machine={machine} chips={chips}}}").passes
    shorter = [replace(p, min_ops=3) if isinstance(p, SambaOutlineLayersPass) else p for p in passes]
    return Lowering(mode, machine, chips, tuple(shorter))


def modes_with(pass_name: str) -> list[str]:
    """The modes that run the pass; all when none does."""
    running = [name for name, mode in MODES.items() if any(step.name == pass_name for step in mode.steps)]
    return sorted(running or MODES, reverse=True)


@st.composite
def pass_inputs(draw: st.DrawFn, pass_name: str, least: int = 1, most: int = 8) -> ModuleOp:
    """Modules of the form that a pass needs: random ones, lowered by what a random mode runs in front of the pass.

    For kernel passes one in three is made of stages directly. Modules that a pass in front refuses are not drawn.
    """
    lowering = draw(lowerings(modes_with(pass_name)))
    passes = lowering.before(pass_name)
    names = [pass_.name for pass_ in passes]
    if FIRST_OF_KERNEL in names and FIRST_OF_RDU not in names and Chooser(draw).below(3) == 2:
        module, passes = draw(stage_modules(least, most)), passes[names.index(FIRST_OF_KERNEL) + 1 :]
    else:
        module = draw(samba_modules(least, most))
    return lowered(module, passes)


def kernel_modules(least: int = 1, most: int = 6) -> st.SearchStrategy[ModuleOp]:
    """Verified modules at the kernel level: made of stages directly, or converted, with collectives."""
    return st.one_of(stage_modules(least, most), pass_inputs("kernel-fuse-stages", least, most))


@st.composite
def rdu_modules(draw: st.DrawFn, least: int = 1, most: int = 4) -> ModuleOp:
    """Verified modules of one `rdu.program`: a random samba module, mode, machine and number of chips, stopped in front
    of a random pass of the rdu level or at the end."""
    lowering = draw(lowerings())
    behind = len(lowering.behind(FIRST_OF_RDU))
    passes = lowering.passes[: len(lowering.passes) - Chooser(draw).below(behind + 1)]
    return lowered(draw(samba_modules(least, most)), passes)


def lowered(module: ModuleOp, passes: Sequence[ModulePass]) -> ModuleOp:
    """The module after the passes; an example in which one of them refuses the module is not drawn."""
    try:
        run_pipeline(module, passes)
    except SambaError:
        assume(False)
    return module
