"""A run reads its playbook once, and imports the steps of a project once: what it tells is what it does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in

COUNTING = """
import sys
from collections import Counter
opened = Counter()
sys.addaudithook(lambda event, given: opened.update([str(given[0])]) if event == "open" else None)
from dce_play.__main__ import main
try:
    main()
finally:
    for path, count in opened.items():
        if path.endswith((".yml", "own.py")):
            print(count, path, file=sys.stderr)
"""
OWN_STEP = '''"""A step of a project."""

from dataclasses import dataclass

from dce_play.plugin import Effects, StepResult

NAME = "own.say"
EFFECTS = Effects.NONE
REPEATABLE = REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Nothing."""


def apply(params, ctx, /):
    """Do nothing."""
    return StepResult(changed=False, summary="said", outputs=Outputs())


with open("imported", "a", encoding="utf-8") as file:
    file.write("once\\n")
'''


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    terminal = terminal_in(tmp_path)
    terminal.write("inner.yml", "version: 1\nname: inner\nsteps:\n  - report.say: {text: inside}\n")
    terminal.write(
        "outer.yml", "version: 1\nname: outer\nparams:\n  who: {type: str}\nsteps:\n  - playbook: inner.yml\n"
    )
    return terminal


@pytest.mark.parametrize("words", [(), ("--dry-run",), ("--plugins",)], ids=["run", "dry-run", "plugins"])
def test_a_run_reads_each_playbook_and_imports_each_step_once(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.write("count.py", COUNTING)
    terminal.write("steps/own.py", OWN_STEP)
    ran = subprocess.run(
        [sys.executable, "count.py", "run", "outer.yml", "--who", "me", *words],
        cwd=terminal.folder,
        env=terminal.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    reads = [line.split(" ", 1) for line in ran.stderr.splitlines() if line.endswith(".yml") and line[0].isdigit()]
    assert sorted((Path(path).name, count) for count, path in reads) == [("inner.yml", "1"), ("outer.yml", "1")]
    imported = terminal.folder / "imported"
    assert (imported.read_text(encoding="utf-8") if imported.exists() else "") == (
        "once\n" if words == ("--plugins",) else ""
    )
