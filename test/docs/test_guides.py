"""A reader who does what a guide says, word for word, gets what it shows."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDES = (
    ROOT / "docs" / "getting-started.md",
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
    ROOT / "examples" / "plugin" / "README.md",
)


# Files are written, diffs applied, commands run and their output compared, in a copy of the repository.
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: f"{guide.parent.name}-{guide.stem}")
def test_a_guide_holds_word_for_word(guide: Path) -> None:
    done = play(guide)
    assert done.returncode == 0, done.stdout + done.stderr


def play(*guides: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "generator" / "play.py"), *map(str, guides)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


WRONG = {
    "unchecked": ("```python\nprint(1)\n```", "nothing checks it"),
    "other-output": ("```console\n$ echo one\ntwo\n```", "and not"),
    "more-output": ("```console\n$ echo one\n```", "and not"),
    "fails": ("```console\n$ false\n```", "ends with 1"),
    "does-not-fail": ("```console\n$ echo done\nerror: no\n```", "ends with 0"),
    "no-quote": ("```python\n# machine/opcodes.py\nOP_CLASSES = ()\n```", "does not say"),
    "no-diff": ("```diff\n--- a/lit.cfg.py\n+++ b/lit.cfg.py\n@@ -1,1 +1,0 @@\n-x\n```", "does not apply"),
}


# The player refuses what it cannot check, and what is not so, at the line of the block.
def test_a_wrong_guide_fails(tmp_path: Path) -> None:
    guides = [tmp_path / f"{name}.md" for name in WRONG]
    for guide, (block, _) in zip(guides, WRONG.values(), strict=True):
        guide.write_text(f"# A guide\n\n{block}\n")
    done = play(*guides)
    assert done.returncode == 1
    for guide, (_, complaint) in zip(guides, WRONG.values(), strict=True):
        said = done.stderr.split(f"{guide}:3: ")[1].split(str(tmp_path))[0]
        assert complaint in said
