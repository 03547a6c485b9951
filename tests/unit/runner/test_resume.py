"""Going on with a run that did not get to its end."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dce_play.errors import ExitCode
from dce_play.events import RunResumed, Status
from dce_play.plugin import Context, StepFailed, StepResult
from dce_play.runner.definition import ResumeRefused
from dce_play.runner.record.folders import (
    NoSuchRun,
    State,
    find_run,
    list_runs,
    newest_unfinished,
    prunable,
    read_run,
    remove_run,
)
from dce_play.runner.record.journal import JOURNAL_NAME, Journal, RunJournalDamaged, RunStillGoing, read_journal
from dce_play.runner.record.progress import fold_progress
from dce_play.runner.resume import NotResumable, open_earlier, progress_for
from tests.support.plans import MadeUpStep, Ran, done, echo, plan_of, play, settings_for

TS = "2026-11-21T01:15:07.000000Z"


def fails_once() -> MadeUpStep:
    tries: list[int] = []

    def act(params: Any, _ctx: Context) -> StepResult:
        tries.append(1)
        if len(tries) == 1:
            raise StepFailed("not yet")
        return done(params.value)

    return MadeUpStep(NAME="fail.once", act=act)


def resume(text: str, folder: Path, *steps: Any, **changes: Any) -> Ran:
    journal = folder / "state" / "runs" / "run-1" / JOURNAL_NAME
    return play(text, folder, *steps, progress=fold_progress(read_journal(journal)), **changes)


def test_what_ended_well_is_reused_with_its_outputs_and_numbers_go_on(tmp_path: Path) -> None:
    text = """
    steps:
      - {do.it: {value: 7}, register: it}
      - {fail.once: {value: "{{ it.value + 1 }}"}}
      - {report.say: {text: "{{ it.value | string }} {{ it.status }}"}}
    """
    do, once = echo(), fails_once()
    first = play(text, tmp_path, do, once, options={"x": 1})
    second = resume(text, tmp_path, do, once)
    assert (do.applied, once.applied) == ([7], [8, 8])
    assert list(second.recorder.statuses().values()) == ["reused", "changed", "ok"]
    assert second.recorder.said() == ["7 changed"]
    assert isinstance(second.recorder.bodies[0], RunResumed)
    assert second.recorder.events[0].seq == first.recorder.events[-1].seq + 1


def test_only_the_failed_items_of_a_loop_run_again(tmp_path: Path) -> None:
    text = "steps: [{loop: [a, b, c], on_error: continue, pick.one: {value: '{{ item }}'}}]"
    seen: list[str] = []

    def act(params: Any, _ctx: Context) -> StepResult:
        seen.append(params.value)
        if params.value == "b" and seen.count("b") == 1:
            raise StepFailed("not b")
        return done(params.value)

    step = MadeUpStep(NAME="pick.one", act=act)
    play(text, tmp_path, step)
    assert resume(text, tmp_path, step).outcome.exit_code == ExitCode.OK
    assert seen == ["a", "b", "c", "b"]


def test_a_rescued_block_is_not_tried_again(tmp_path: Path) -> None:
    text = """
    steps:
      - block: [{do.it: {value: 1}, register: it}, {bad.one: {}}]
        rescue: [{do.it: {value: 2}}]
      - {fail.once: {}}
      - {when: it is defined, report.say: {text: "{{ it.value | string }}"}}
    """

    def act(_params: Any, _ctx: Context) -> StepResult:
        raise StepFailed("bad")

    do, bad, once = echo(), MadeUpStep(NAME="bad.one", act=act), fails_once()
    play(text, tmp_path, do, bad, once)
    again = resume(text, tmp_path, do, bad, once)
    assert (do.applied, len(bad.applied)) == ([1, 2], 1)
    assert again.recorder.statuses()["block"] == Status.RESCUED
    assert again.recorder.said() == ["1"]
    assert again.outcome.exit_code == ExitCode.OK


def test_always_and_preflight_run_again_until_the_block_has_ended_well(tmp_path: Path) -> None:
    text = """
    preflight: [{report.say: {text: check}}]
    steps: [{block: [{fail.once: {}}], always: [{report.say: {text: bye}}]}]
    """
    once = fails_once()
    play(text, tmp_path, once)
    assert resume(text, tmp_path, once).recorder.said() == ["check", "bye"]


def test_a_checkpoint_outlives_the_failure(tmp_path: Path) -> None:
    seen: list[object] = []

    def act(_params: Any, ctx: Context) -> StepResult:
        seen.append(ctx.checkpoint.get("channel"))
        ctx.checkpoint.put("channel", {"done": 3})
        if len(seen) == 1:
            raise StepFailed("stop")
        return done()

    step = MadeUpStep(NAME="long.one", act=act)
    play("steps: [{long.one: {}}]", tmp_path, step)
    resume("steps: [{long.one: {}}]", tmp_path, step)
    assert seen == [None, {"done": 3}]


def interrupt(journal: Path) -> None:
    """Cut the journal as a kill in the middle of the first step would."""
    lines = journal.read_bytes().splitlines(keepends=True)
    end = next(number for number, line in enumerate(lines) if b'"step.end"' in line)
    journal.write_bytes(b"".join(lines[:end]) + b'{"v":1,"se')


@pytest.mark.parametrize(("decision", "times", "code"), [("repeat", 2, 0), ("skip", 1, 0), (None, 1, 77)])
def test_an_interrupted_step_that_may_not_be_repeated_needs_a_decision(
    decision: str | None, times: int, code: int, tmp_path: Path
) -> None:
    text = "steps: [{do.it: {value: 1}}]"
    step = echo(REPEATABLE=False)
    ran = play(text, tmp_path, step)
    interrupt(ran.outcome.run_folder / JOURNAL_NAME)
    for _ in range(2):  # a refusal does not make it forgotten
        again = resume(text, tmp_path, step, interrupted=decision)
    assert len(step.applied) == times
    assert again.outcome.exit_code == code


def test_an_interrupted_step_that_may_be_repeated_just_runs(tmp_path: Path) -> None:
    text, step = "steps: [{do.it: {value: 1}}]", echo()
    ran = play(text, tmp_path, step)
    interrupt(ran.outcome.run_folder / JOURNAL_NAME)
    assert resume(text, tmp_path, step).outcome.exit_code == ExitCode.OK
    assert step.applied == [1, 1]


def earlier_of(folder: Path) -> Any:
    return open_earlier(read_run(folder / "state" / "runs" / "run-1"), ts=TS)


def test_a_changed_playbook_is_refused_with_a_diff(tmp_path: Path) -> None:
    play("steps: [{fail.once: {value: 1}}]", tmp_path, fails_once(), options={"x": 1})
    earlier = earlier_of(tmp_path)
    plan = plan_of("steps: [{fail.once: {value: 2}}]", tmp_path, fails_once())
    with pytest.raises(ResumeRefused) as refused:
        progress_for(earlier, plan, settings_for(tmp_path), accept_changes=False)
    assert refused.value.exit_code == ExitCode.RESUME_REFUSED
    assert "-steps: [{fail.once: {value: 1}}]" in str(refused.value)
    assert "+steps: [{fail.once: {value: 2}}]" in str(refused.value)
    assert progress_for(earlier, plan, settings_for(tmp_path), accept_changes=True) == earlier.progress


def test_comments_and_the_order_of_steps_do_not_matter(tmp_path: Path) -> None:
    play("steps: [{name: a, fail.once: {}}, {name: b, do.it: {}}]", tmp_path, fails_once(), echo(), options={"x": 1})
    plan = plan_of("# moved\nsteps: [{name: b, do.it: {}}, {name: a, fail.once: {}}]", tmp_path, fails_once(), echo())
    earlier = earlier_of(tmp_path)
    assert progress_for(earlier, plan, settings_for(tmp_path), accept_changes=False) == earlier.progress


def test_a_changed_param_is_refused_and_when_accepted_nothing_is_reused(tmp_path: Path) -> None:
    text = "params: {n: {type: int, default: 1}}\nsteps: [{do.it: {}}, {fail.once: {}}]"
    play(text, tmp_path, echo(), fails_once(), options={"x": 1})
    earlier = earlier_of(tmp_path)
    plan = plan_of(text, tmp_path, echo(), fails_once())
    changed = settings_for(tmp_path, recorded_params={"n": 2})
    with pytest.raises(ResumeRefused, match="param n was 1, is 2"):
        progress_for(earlier, plan, changed, accept_changes=False)
    assert progress_for(earlier, plan, changed, accept_changes=True).ended == {}


def test_after_a_step_that_changed_everything_runs_again(tmp_path: Path) -> None:
    do, once = echo(), fails_once()
    play("steps: [{name: a, do.it: {value: 1}}, {name: b, do.it: {value: 2}}, {fail.once: {}}]", tmp_path, do, once)
    resume("steps: [{name: a, do.it: {value: 9}}, {name: b, do.it: {value: 2}}, {fail.once: {}}]", tmp_path, do, once)
    assert do.applied == [1, 2, 9, 2]


def test_a_run_that_ended_well_is_not_resumed(tmp_path: Path) -> None:
    play("steps: [{do.it: {}}]", tmp_path, echo(), options={"x": 1})
    with pytest.raises(NotResumable, match="ended well"):
        earlier_of(tmp_path)


def test_a_run_that_lives_is_not_resumed_nor_started_twice(tmp_path: Path) -> None:
    ran = play("steps: [{fail.once: {}}]", tmp_path, fails_once(), options={"x": 1})
    journal = Journal(ran.outcome.run_folder / JOURNAL_NAME)
    try:
        assert read_run(ran.outcome.run_folder).state is State.RUNNING
        with pytest.raises(RunStillGoing):
            earlier_of(tmp_path)
        with pytest.raises(RunStillGoing):
            play("steps: [{do.it: {}}]", tmp_path, echo())
    finally:
        journal.close()


def test_a_line_that_is_no_event_in_the_middle_is_damage(tmp_path: Path) -> None:
    journal = play("steps: [{do.it: {}}]", tmp_path, echo()).outcome.run_folder / JOURNAL_NAME
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + b"garbage\n" + lines[1])
    with pytest.raises(RunJournalDamaged, match=r":2: not an event"):
        read_journal(journal)
    assert read_run(journal.parent).state is State.DAMAGED


def test_runs_are_listed_found_and_pruned(tmp_path: Path) -> None:
    runs = tmp_path / "state" / "runs"
    for number in range(4):
        step = fails_once() if number == 2 else echo("fail.once")
        play(
            "steps: [{fail.once: {}}]",
            tmp_path,
            step,
            run_id=f"2026-{number}",
            run_folder=runs / f"2026-{number}",
            options={"folder": str(tmp_path)},
        )
    infos = list_runs(runs)
    assert [(info.run_id, info.state) for info in infos] == [
        ("2026-3", State.OK),
        ("2026-2", State.FAILED),
        ("2026-1", State.OK),
        ("2026-0", State.OK),
    ]
    assert newest_unfinished(runs, folder=tmp_path, archive_root=None).run_id == "2026-2"
    assert find_run(runs, "2026-1").run_id == "2026-1"
    with pytest.raises(NoSuchRun, match="4 runs"):
        find_run(runs, "2026")
    with pytest.raises(NoSuchRun, match="no runs"):
        find_run(runs, "../runs")
    far = datetime(2999, 1, 1, tzinfo=UTC)
    assert [info.run_id for info in prunable(infos, keep=1, before=far)] == ["2026-1", "2026-0"]
    doomed = list(prunable(infos, keep=1, before=far, unfinished=True))
    assert [info.run_id for info in doomed] == ["2026-2", "2026-1", "2026-0"]
    assert list(prunable(infos, keep=0, before=datetime(2000, 1, 1, tzinfo=UTC))) == []
    remove_run(doomed[0])
    assert [info.run_id for info in list_runs(runs)] == ["2026-3", "2026-1", "2026-0"]


def test_the_journal_holds_whole_lines_only_and_every_number_once(tmp_path: Path) -> None:
    text = "steps: [{do.it: {value: 1}}, {fail.once: {}}]"
    once = fails_once()
    ran = play(text, tmp_path, echo(), once)
    journal = ran.outcome.run_folder / JOURNAL_NAME
    with journal.open("ab") as file:
        file.write(b'{"torn')
    resume(text, tmp_path, echo(), once)
    numbers = [json.loads(line)["seq"] for line in journal.read_bytes().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
