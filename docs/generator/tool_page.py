"""The reference page of the command-line tools, from their argument parsers."""

from __future__ import annotations

import argparse
import re
from types import ModuleType

from markup import docstring, heading, literal, page, table
from sambaflow.tools import samba_compile, samba_opt, samba_run, samba_translate
from sambaflow.tools.opt_driver import SambaOpt

TOOLS: tuple[ModuleType, ...] = (samba_opt, samba_compile, samba_run, samba_translate)


def tools_page() -> str:
    """`reference/tools.md`."""
    introduction = "Exit codes of all: 0 done; 1 the input is refused; 2 wrong command-line usage."
    parts = [part for tool in TOOLS for part in (heading(2, _name(tool)), _tool(tool))]
    return page("Tools", introduction, *parts)


def _name(tool: ModuleType) -> str:
    return tool.__name__.rpartition(".")[2].replace("_", "-")


def _tool(tool: ModuleType) -> str:
    rows = [_row(action) for action in _parser(tool)._actions if action.help != argparse.SUPPRESS]  # pyright: ignore[reportPrivateUsage]
    text = docstring(tool.__doc__ or "", "sh").partition(": ")[2]
    return f"{text[0].upper()}{text[1:]}\n\n{table(('argument', 'meaning', 'default'), rows)}"


def _parser(tool: ModuleType) -> argparse.ArgumentParser:
    if tool is not samba_opt:
        return tool.parser()
    parser = argparse.ArgumentParser()
    SambaOpt(args=[]).register_all_arguments(parser)
    return parser


def _row(action: argparse.Action) -> tuple[str, str, str]:
    names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.nargs != 0 and action.option_strings:
        names += f" {action.metavar or '|'.join(map(str, action.choices or ())) or action.dest.upper()}"
    # xDSL's helps end in lists of all that is registered
    text = re.sub(r"\s*Available \w+ are:.*", "", action.help or "")
    default = "" if action.default in (None, False, "", [], argparse.SUPPRESS) else literal(action.default)
    return literal(names), text, default
