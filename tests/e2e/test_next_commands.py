"""Every ``next:`` command that a run prints does what it says when it is typed into a shell as it stands."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command_line import Said, Terminal, terminal_in

FAILS_ONCE = """
    name: fails once
    params:
      text: {type: str, default: plain, help: What is written.}
      names: {type: list, default: [], help: Many.}
      loud: {type: bool, default: true, help: Whether.}
    steps:
      - {name: Look, assert.that: {conditions: ["{{ params.text != 'never' }}"]}, tags: [slow]}
      - {name: Once, tags: [some, other], command.run: {argv: [sh, -c, "test -e flag || { touch flag; exit 1; }"]}}
"""
OWN_STEP = '''
"""Say nothing, with code of the project's own."""

from dataclasses import dataclass

from dce_play.plugin import Effects, StepFailed, StepPlan, StepResult

NAME = "own.step"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """None."""


def plan(params, view, /):
    return StepPlan(summary="would do it")


def apply(params, ctx, /):
    flag = ctx.folder / "own-flag"
    if not flag.exists():
        flag.touch()
        raise StepFailed("not yet")
    return StepResult(changed=True, summary="did it", outputs=Outputs())
'''


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return terminal_in(tmp_path)


def next_in(text: str) -> str:
    """Return the command of the last ``next:`` line."""
    found = re.findall(r"^\s*next: (dce-play .+)$", text, re.MULTILINE)
    assert found, text
    return str(found[-1])


def typed(terminal: Terminal, command: str) -> Said:
    """Run a line with one command of ours: a shell makes words of it."""
    told = "dce-play() { printf '%s\\0' \"$@\"; }\n"
    split = subprocess.run(
        ["bash", "-c", told + command],
        cwd=terminal.folder,
        env=terminal.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return terminal.run(*split.stdout.split("\0")[:-1])


AWKWARD = 'it\'s "quoted" $HOME `x` \\ ü;*'


@pytest.mark.contract("O7")
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--strict", "--yes", "--verbose"),
        ("--text", AWKWARD, "--names", "a b", "--names", "-c", "--no-loud"),
        ("--text=-dashed",),
        ("-e", f"text={AWKWARD}"),
        ("-e", "@more.yml"),
        ("--tags", "some, other", "--skip-tags", "slow"),
        ("--start-at", "once"),
        ("--state-dir", "state of 'mine'"),
        ("--lock-wait", "90s", "--timeout", "2m"),
        ("--report", "json=the report.json", "--log-file", "the log"),
        ("--config", "my targets.json"),
    ],
    ids=lambda words: " ".join(words)[:40] or "plain",
)
def test_what_a_dry_run_and_a_failed_run_print_can_be_typed(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal.write("it's own.yml", FAILS_ONCE)
    terminal.write("more.yml", f"text: {json.dumps(AWKWARD)}\n")
    root = terminal.folder / "root"
    lab = {"name": "lab", "output_dir": str(root / "lab"), "channel_ids": ["123456789012345678"]}
    terminal.write("my targets.json", json.dumps({"archive_root": str(root), "targets": [lab]}))

    shown = terminal.run("run", "it's own.yml", "--dry-run", *words)
    assert shown.code == 0, shown
    failed = typed(terminal, next_in(shown.out))
    assert failed.code == 1, failed
    assert "exited with code 1" in failed.out + failed.err or "Once" in failed.out
    resumed = typed(terminal, next_in(failed.out))
    assert resumed.code == 0, resumed
    assert (terminal.folder / "flag").exists()


def test_a_projects_own_steps_are_there_again(terminal: Terminal) -> None:
    terminal.write("steps/own_step.py", OWN_STEP)
    terminal.write("own.yml", "name: own\nsteps: [{own.step: {}}]\n")

    shown = terminal.run("run", "own.yml", "--dry-run", "--plugins")
    assert next_in(shown.out) == "dce-play run own.yml --plugins"
    failed = typed(terminal, next_in(shown.out))
    assert failed.code == 1, failed
    assert typed(terminal, next_in(failed.out)).code == 0


def test_a_playbook_that_looks_like_an_option_is_found_again(terminal: Terminal) -> None:
    terminal.write("-p.yml", "name: p\nsteps: [{report.say: {text: hi}}]\n")

    shown = terminal.run("run", "--dry-run", "--", "-p.yml")
    assert typed(terminal, next_in(shown.out)).code == 0


def test_the_last_event_says_it_as_the_terminal_does(terminal: Terminal) -> None:
    terminal.write("p.yml", FAILS_ONCE)
    failed = terminal.run("run", "p.yml", "--output", "jsonl", "--state-dir", "elsewhere")
    command = failed.events[-1]["next_command"]
    assert command.endswith("--output jsonl --state-dir elsewhere")
    assert typed(terminal, command).code == 0


def test_a_stopped_run_and_runs_show_print_it_too(terminal: Terminal) -> None:
    terminal.write("p.yml", "name: p\nsteps: [{command.run: {argv: [sh, -c, 'test -e flag || sleep 60']}}]\n")
    with subprocess.Popen(
        terminal.argv("run", "p.yml", "--state-dir", "a place"),
        cwd=terminal.folder,
        env=terminal.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        end = time.monotonic() + 30.0
        while not list((terminal.folder / "a place").glob("runs/*/events.jsonl")) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        run.send_signal(signal.SIGTERM)
        out, _ = run.communicate(timeout=60)
    assert run.returncode == 143
    stopped = next_in(out)
    shown = typed(terminal, "dce-play runs show --state-dir 'a place'")
    assert next_in(shown.out) == stopped
    terminal.write("flag", "")
    resumed = typed(terminal, f"{stopped} --repeat")
    assert resumed.code == 0, resumed


def test_a_rehearsal_says_how_to_rehearse_again_and_nothing_that_would_leave_it(terminal: Terminal) -> None:
    terminal.write("p.yml", "name: p\nsteps: [{report.say: {text: hi}}, {assert.that: {conditions: [false]}}]\n")
    failed = terminal.run("run", "p.yml", "--rehearse")
    assert failed.code == 1, failed
    assert next_in(failed.out) == "dce-play run p.yml --rehearse"


@pytest.mark.contract("O7")
def test_where_nothing_began_no_resume_is_proposed(terminal: Terminal) -> None:
    terminal.write(
        "p.yml", "name: p\npreflight: [{assert.that: {conditions: [false]}}]\nsteps: [{report.say: {text: x}}]\n"
    )
    failed = terminal.run("run", "p.yml")
    assert failed.code == 4
    assert "next:" not in failed.out + failed.err
