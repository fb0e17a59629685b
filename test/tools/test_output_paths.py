"""What the check of paths refuses, each of its rules once, on paths alone; `test_paths.py` has runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from sambaflow.errors import InputError
from sambaflow.tools.paths import Use, check_paths

RULES = {
    "'-' stands for standard output": [Use("--report", "-")],
    "names a folder": [Use("--report", "new/")],
    "--report and --trace would be written to one file": [Use("--report", "r.json"), Use("--trace", "r.json")],
    "--report would replace the PEF, which this run reads": [Use("--report", "m.pef")],
}


@pytest.mark.parametrize("rule", RULES)
def test_paths_are_refused(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("m.pef").write_bytes(b"")
    with pytest.raises(InputError, match=rule):
        check_paths(RULES[rule], [Use("the PEF", "m.pef")])
