"""The step of docs/reference/steps.md, in a project of its own; and the page's list of steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

from dce_play.steps import STEPS
from tests.support import forked

PAGE = (Path(__file__).parent.parent.parent / "docs" / "reference" / "steps.md").read_text(encoding="utf-8")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(
        [sys.executable, "-m", "dce_play", "run", "count.yml", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_page_lists_every_step_with_its_effects() -> None:
    listed = dict(re.findall(r"^\| `([a-z_.]+)` \| (\w+) \|", PAGE, re.MULTILINE))
    assert listed == {name: str(step.EFFECTS) for name, step in STEPS.items()}


def test_the_pages_own_step_runs_where_plugins_are_asked_for(tmp_path: Path) -> None:
    source = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert source is not None
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "lines_count.py").write_text(source[1])
    (tmp_path / "poem.txt").write_text("one\ntwo\n")
    (tmp_path / "count.yml").write_text("name: count\nsteps:\n  - {name: Count, lines.count: {path: poem.txt}}\n")
    done = run(tmp_path, "--plugins")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 lines" in done.stdout
    assert run(tmp_path).returncode == 3
