"""Hooks of the site: pages for the source files that the docs link to, and colours for MLIR.

The Markdown links to files of the repository by relative paths, which work wherever the repository is shown. The site
holds only `docs/`: here each such file becomes a page of the site, and the links lead to it.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from properdocs.structure.files import File, Files
from pygments.lexer import RegexLexer, words
from pygments.lexers import LEXERS
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "source/"
LANGUAGES = {".py": "python", ".yaml": "yaml", ".mlir": "mlir", ".toml": "toml", "": "text"}

_LINK = re.compile(r"\]\(((?:\.\./)+[^)#]+)\)")


class MlirLexer(RegexLexer):
    """Colours for MLIR."""

    name = "MLIR"
    aliases = ["mlir"]
    tokens = {
        "root": [
            (r"//.*", Comment.Single),
            (r'"(?:[^"\\]|\\.)*"', String),
            (r"[%^][\w$.-]+(?:#\d+)?", Name.Variable),
            (r"@(?:[\w$.-]+|\"[^\"]*\")", Name.Function),
            (r"[#!][a-zA-Z][\w$.]*", Name.Decorator),
            (r"\b(?:tensor|vector|memref|array|index|none|(?:bf|f|i|u)\d+)\b", Keyword.Type),
            (r"\b(?:ins|domain|maps|inits|mapping|body|finish|combine|attributes|dense|true|false)\b", Keyword),
            (r"\b[a-z_][\w$]*\.[\w$.]+", Name.Builtin),
            (r"-?\b\d[\w.+-]*", Number),
            (words(("->", "=", ":")), Operator),
            (r"[()\[\]{}<>,]", Punctuation),
            (r"\s+|.", Text),
        ]
    }


def on_startup(**_: Any) -> None:
    """Make the lexer known to Pygments, which imports lexers by the names of their modules."""
    module = ModuleType("sambaflow_mlir_lexer")
    vars(module).update(MlirLexer=MlirLexer, __all__=["MlirLexer"])
    sys.modules[module.__name__] = module
    LEXERS["MlirLexer"] = (module.__name__, "MLIR", ("mlir",), ("*.mlir",), ())


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add a page for every file outside of `docs/` that a page links to."""
    for page in list(files.documentation_pages()):
        for target in _LINK.findall(page.content_string):
            name = _outside(page.src_uri, target)
            if name is not None and files.get_file_from_path(f"{PREFIX}{name}.md") is None:
                files.append(File.generated(config, f"{PREFIX}{name}.md", content=_source_page(name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links out of `docs/` lead to the pages made of those files."""
    here = posixpath.dirname(page.file.src_uri)

    def inside(match: re.Match[str]) -> str:
        name = _outside(page.file.src_uri, match[1])
        return match[0] if name is None else f"]({posixpath.relpath(f'{PREFIX}{name}.md', here or '.')})"

    return _LINK.sub(inside, markdown)


def _outside(page: str, target: str) -> str | None:
    """The file of the repository that a link of a page leads to, if it lies outside of `docs/`."""
    name = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return None if name.startswith(("docs/", "..")) or not (ROOT / name).is_file() else name


def _source_page(name: str) -> str:
    path = ROOT / name
    fence = "`````"
    return f"# {name}\n\n{fence}{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text()}\n{fence}\n"
