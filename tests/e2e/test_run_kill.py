"""A run that is killed anywhere, and resumed, ends as if nothing had happened."""

import json
import os
import random
import signal
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dce_play.events import Outcome
from dce_play.playbook.plan.plan import Plan
from dce_play.plugin import Context, StepResult
from dce_play.runner.engine import run
from dce_play.runner.record.folders import State, read_run
from dce_play.runner.record.journal import JOURNAL_NAME, close_lost, read_journal
from dce_play.runner.record.progress import Progress, fold_progress
from dce_play.runner.settings import RunSettings
from dce_play.steps.host import file_write
from dce_play.system.process.executor import Command
from tests.support.plans import MadeUpStep, done, plan_of, settings_for

PLAYBOOK = """
steps:
  - {sh.run: {value: mkdir -p out}}
  - {sh.run: {value: echo seed}, register: seed}
  - name: round
    loop: [a, b, c]
    as: letter
    block:
      - name: write
        loop: [1, 2, 3, 4]
        as: number
        block:
          - {sh.run: {value: "echo {{ letter }}{{ number }} {{ seed.value }}"}, register: text}
          - file.write: {path: "out/{{ letter }}{{ number }}", content: "{{ text.value }}"}
      - {sh.run: {value: "cat out/{{ letter }}* | cksum"}, register: sum}
      - file.write: {path: "out/sum-{{ letter }}", content: "{{ sum.value }}"}
    always:
      - report.summary: {}
  - {sh.run: {value: cat out/sum-*}, register: all}
outputs: {all: "{{ all.value }}"}
"""


def shell(params: Any, ctx: Context) -> StepResult:
    command = Command(argv=("sh", "-c", params.value), timeout_s=60.0, cwd=ctx.folder)
    return done(ctx.executor.run(command).stdout.strip())


SH = MadeUpStep(NAME="sh.run", act=shell)
"""A command that may be repeated."""


def state_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "out").glob("[!.]*"))}


def begin(plan: Plan, settings: RunSettings, progress: Progress | None) -> int:
    """Start the run in a process of its own and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        outcome = run(plan, settings, [], progress=progress)
        os._exit(0 if outcome.outcome is Outcome.OK else 1)
    finally:
        traceback.print_exc()
        os._exit(99)


def killed_run(folder: Path, plan: Plan, dice: random.Random, *, longest_s: float) -> int:
    """Kill the run again and again at random moments until it gets to its end; return how often it was killed."""
    settings = settings_for(folder, grace_s=5.0)
    journal = settings.run_folder / JOURNAL_NAME
    kills = 0
    while True:
        progress = None
        if journal.is_file() and read_journal(journal):
            close_lost(journal, ts="2026-11-21T01:15:07.000000Z")
            progress = fold_progress(read_journal(journal))
        pid = begin(plan, settings, progress)
        time.sleep(dice.uniform(0.0, longest_s))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return kills
        kills += 1


def play_on(folder: Path, seed: int, kills_wanted: int) -> None:
    calm = folder / "calm"
    calm.mkdir(parents=True)
    plan = plan_of(PLAYBOOK, calm, SH, file_write)
    began = time.monotonic()
    assert run(plan, settings_for(calm), []).outcome is Outcome.OK
    took = time.monotonic() - began
    expected = state_of(calm)
    assert len(expected) == 15
    dice = random.Random(seed)
    kills = number = 0
    while kills < kills_wanted:
        wild = folder / f"wild-{number}"
        wild.mkdir()
        plan = plan_of(PLAYBOOK, wild, SH, file_write)
        kills += killed_run(wild, plan, dice, longest_s=took * 0.5)
        number += 1
        assert state_of(wild) == expected
        events = read_journal(wild / "state" / "runs" / "run-1" / JOURNAL_NAME)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["outcome"] == "ok"


def test_killed_forty_times_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    play_on(tmp_path, seed=1, kills_wanted=40)


@pytest.mark.soak
def test_killed_two_hundred_times_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    play_on(tmp_path, seed=2, kills_wanted=200)


def test_a_killed_run_is_lost_and_a_power_failure_may_tear_its_last_line(tmp_path: Path) -> None:
    plan = plan_of(PLAYBOOK, tmp_path, SH, file_write)
    settings = settings_for(tmp_path)
    assert run(plan, settings, []).outcome is Outcome.OK
    journal = settings.run_folder / JOURNAL_NAME
    lines = journal.read_bytes().splitlines(keepends=True)
    expected = state_of(tmp_path)
    for cut in range(1, len(lines)):
        torn = lines[cut][: len(lines[cut]) // 2]
        journal.write_bytes(b"".join(lines[:cut]) + torn)
        assert read_run(settings.run_folder).state is State.LOST
        close_lost(journal, ts="2026-11-21T01:15:07.000000Z")
        events = read_journal(journal)
        assert (len(events), events[-1]["outcome"]) == (cut + 1, "lost")
    progress = fold_progress(read_journal(journal))
    assert run(plan, replace(settings, executor=None), [], progress=progress).outcome is Outcome.OK
    assert state_of(tmp_path) == expected
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())
