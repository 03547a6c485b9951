"""A run from its first event to its last: the lock, dry runs, timeouts, bugs."""

import os
import resource
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.targets.model import TargetsFile
from dce_play.errors import ExitCode
from dce_play.events import LockReleased, LockSeen, LockTaken, Mode, Outcome, RunEnded, StepEnded
from dce_play.plugin import Change, Context, Effects, StepPlan, StepResult
from dce_play.runner.engine import run
from tests.support.plans import MadeUpStep, Ran, Recorder, done, echo, plan_of, play, settings_for
from tests.support.processes import eventually, lives


def archive(folder: Path) -> dict[str, Any]:
    """Return settings with an archive root."""
    root = folder / "archive"
    root.mkdir(exist_ok=True)
    targets = TargetsFile(path=folder / "targets.yml", sha256="0" * 64, archive_root=root)
    return {"archive_root": root, "targets": targets}


def is_locked(root: Path) -> bool:
    return subprocess.run(["flock", "-n", root / ".dce-scrape.lock", "true"], check=False).returncode != 0


@pytest.mark.contract("R-5.02")
def test_the_lock_is_held_from_before_the_first_step_to_after_the_last(tmp_path: Path) -> None:
    seen: list[tuple[bool, tuple[int, ...]]] = []

    def act(_params: object, ctx: Context) -> StepResult:
        assert ctx.archive_root is not None
        seen.append((is_locked(ctx.archive_root), ctx.lock_fds))
        return done()

    look = MadeUpStep(NAME="look.now", act=act, EFFECTS=Effects.NONE)
    writer = MadeUpStep(NAME="write.it", act=act, EFFECTS=Effects.ARCHIVE)
    ran = play("steps: [{look.now: {}}, {write.it: {}}]", tmp_path, look, writer, **archive(tmp_path))
    assert [locked for locked, _ in seen] == [True, True]
    assert all(fds for _, fds in seen)
    assert not is_locked(tmp_path / "archive")
    kinds = [type(body) for body in ran.recorder.bodies]
    assert kinds.index(LockTaken) == 1
    assert kinds[-2:] == [LockReleased, RunEnded]


def test_no_lock_is_taken_when_no_step_writes_an_archive(tmp_path: Path) -> None:
    ran = play("steps: [{do.it: {}}]", tmp_path, echo(), **archive(tmp_path))
    assert not any(isinstance(body, LockTaken) for body in ran.recorder.bodies)
    assert list((tmp_path / "archive").iterdir()) == []


@pytest.mark.contract("R-5.02")
def test_a_held_lock_is_exit_75_and_no_step_runs(tmp_path: Path) -> None:
    given, step = archive(tmp_path), echo(EFFECTS=Effects.ARCHIVE)
    lock = given["archive_root"] / ".dce-scrape.lock"
    with subprocess.Popen(["flock", lock, "sleep", "60"], start_new_session=True) as holder:
        try:
            assert eventually(lambda: lock.exists() and is_locked(given["archive_root"]))
            ran = play("steps: [{do.it: {}}]", tmp_path, step, **given)
        finally:
            os.killpg(holder.pid, signal.SIGKILL)
    assert ran.outcome.exit_code == ExitCode.LOCKED
    assert step.applied == []
    assert ran.recorder.statuses() == {}


def test_a_step_that_writes_an_archive_needs_to_know_where_it_is(tmp_path: Path) -> None:
    ran = play("steps: [{do.it: {}}]", tmp_path, echo(EFFECTS=Effects.ARCHIVE))
    assert ran.outcome.exit_code == ExitCode.INVALID


def test_a_dry_run_plans_what_has_effects_and_runs_what_has_none(tmp_path: Path) -> None:
    writer, looker = echo("write.it", EFFECTS=Effects.ARCHIVE), echo("look.now", EFFECTS=Effects.NONE)
    given = archive(tmp_path)
    ran = play(
        "steps: [{write.it: {value: 1}}, {look.now: {value: 2}}]",
        tmp_path,
        writer,
        looker,
        mode=Mode.DRY_RUN,
        **given,
    )
    assert (writer.planned, writer.applied, looker.applied) == ([1], [], [2])
    assert list(given["archive_root"].iterdir()) == []
    assert [body.state for body in ran.recorder.bodies if isinstance(body, LockSeen)] == ["free"]


def test_what_only_a_real_run_can_know_spreads_as_maybe(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - {do.it: {value: 1}, register: it}
          - {when: it.value == 1, do.it: {value: 2}}
          - {do.it: {value: "{{ it.value }}"}}
          - {loop: "{{ it.value }}", do.it: {value: 3}}
          - {report.say: {text: "{{ it.status }}"}}
        """,
        tmp_path,
        echo(),
        mode=Mode.DRY_RUN,
    )
    assert list(ran.recorder.statuses().values()) == ["ok", "maybe", "maybe", "maybe", "ok"]


def test_a_dry_run_tells_pending_changes_by_its_exit_code(tmp_path: Path) -> None:
    class Changing(MadeUpStep):
        def plan(self, _params: Any, _view: object, /) -> StepPlan:
            return StepPlan(summary="would", changes=(Change(what="write x"),))

    step = Changing(NAME="do.it", act=lambda _params, _ctx: done())
    options: dict[str, Any] = {"mode": Mode.DRY_RUN, "detailed_exitcode": True}
    assert play("steps: [{do.it: {}}]", tmp_path, step, **options).outcome.exit_code == ExitCode.CHANGES_PENDING
    quiet = play("steps: [{report.say: {text: x}}]", tmp_path, run_folder=tmp_path / "2", **options)
    assert quiet.outcome.exit_code == ExitCode.OK


def test_a_check_that_writes_in_a_dry_run_is_found_out(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        with suppress(Exception):  # a step that hides what it did
            (ctx.folder / "lie.txt").write_text("x", encoding="utf-8")
        return done()

    liar = MadeUpStep(NAME="look.now", act=act, EFFECTS=Effects.NONE)
    ran = play("steps: [{look.now: {}}]", tmp_path, liar, mode=Mode.DRY_RUN)
    assert ran.outcome.exit_code == ExitCode.BUG
    assert not (tmp_path / "lie.txt").exists()


def test_a_step_that_asks_whether_to_stop_ends_at_its_deadline(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        while not ctx.cancelled():
            time.sleep(0.01)
        return done("stopped in time")

    ran = play(
        "steps: [{do.it: {}, timeout: 100ms}, {report.say: {text: next}}]", tmp_path, MadeUpStep(NAME="do.it", act=act)
    )
    assert ran.outcome.exit_code == ExitCode.OK


def test_a_step_that_does_not_ask_is_left_at_its_deadline(tmp_path: Path) -> None:
    def act(_params: object, _ctx: Context) -> StepResult:
        with suppress(Exception):  # nothing that a step catches holds the run up
            time.sleep(60)
        return done()

    ran = play(
        "steps: [{do.it: {}, timeout: 100ms, on_error: continue}, {report.say: {text: next}}]",
        tmp_path,
        MadeUpStep(NAME="do.it", act=act),
        grace_s=0.1,
    )
    assert ran.recorder.statuses()["do.it"] == "failed"
    assert ran.recorder.said() == ["next"]
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "timed out"


def test_a_deadline_ends_the_programs_of_a_step_and_all_they_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sh -c 'echo $$ > {pid_file}; sleep 60' & wait"
    ran = play(f'steps: [{{command.run: {{argv: [sh, -c, "{script}"]}}, timeout: 500ms}}]', tmp_path)
    assert ran.outcome.exit_code == ExitCode.FAILED
    assert eventually(lambda: not lives(int(pid_file.read_text())))


def test_the_deadline_of_a_block_stops_the_block_and_its_rescue_runs(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - block: [{command.run: {argv: [sleep, "60"]}}, {report.say: {text: never}}]
            timeout: 200ms
            rescue: [{report.say: {text: "{{ failure.message }}"}}]
        """,
        tmp_path,
    )
    assert ran.recorder.said() == ["timed out"]
    assert ran.outcome.exit_code == ExitCode.OK


def test_the_deadline_of_the_run_is_exit_124_and_always_still_runs(tmp_path: Path) -> None:
    ran = play(
        """
        steps:
          - block: [{command.run: {argv: [sleep, "60"]}}]
            rescue: [{report.say: {text: no rescue}}]
            always: [{report.say: {text: bye}}]
        """,
        tmp_path,
        timeout_s=0.3,
    )
    assert ran.recorder.said() == ["bye"]
    assert ran.outcome.exit_code == ExitCode.TIMEOUT
    assert ran.outcome.outcome is Outcome.INTERRUPTED


def send_once_there(path: Path, number: int) -> threading.Thread:
    """Send this process a signal as soon as there is a file, and not before the run can hear it."""

    def send() -> None:
        assert eventually(path.exists)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_ends_programs_runs_always_and_frees_the_lock(tmp_path: Path, number: int, code: int) -> None:
    given = archive(tmp_path)
    killer = send_once_there(tmp_path / "started", number)
    ran = play(
        f"""
        steps:
          - block: [{{command.run: {{argv: [sh, -c, "touch {tmp_path}/started; exec sleep 60"]}}}}, {{write.it: {{}}}}]
            always: [{{report.say: {{text: bye}}}}]
        """,
        tmp_path,
        echo("write.it", EFFECTS=Effects.ARCHIVE),
        grace_s=30.0,
        **given,
    )
    killer.join()
    assert ran.outcome.exit_code == code
    assert ran.recorder.said() == ["bye"]
    assert ran.recorder.statuses() == {
        "block/command.run": "failed",
        "block/write.it": "not-run",
        "block/report.say": "ok",
        "block": "failed",
    }
    assert not is_locked(given["archive_root"])


def test_a_signal_between_tries_ends_the_waiting(tmp_path: Path) -> None:
    killer = send_once_there(tmp_path / "tried", signal.SIGINT)
    tries = f'command.run: {{argv: [sh, -c, "touch {tmp_path}/tried; exit 1"]}}'
    ran = play(f"steps: [{{{tries}, retries: 5, delay: 1h}}]", tmp_path, grace_s=30.0)
    killer.join()
    assert ran.outcome.exit_code == ExitCode.INTERRUPTED


def test_a_journal_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    step = echo()
    ran = with_file_size_limit(tmp_path, step)
    assert ran.outcome.exit_code == ExitCode.FAILED
    assert ran.outcome.error is not None
    assert ran.outcome.error.kind == "JournalLost"
    assert 0 < len(step.applied) < 50
    assert isinstance(ran.recorder.bodies[-1], RunEnded)


def with_file_size_limit(folder: Path, step: MadeUpStep) -> Ran:
    """Run fifty steps where no file may grow beyond 8 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        return play("steps: [{loop: '{{ range(50) | list }}', do.it: {value: '{{ item }}'}}]", folder, step)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)


def test_an_output_that_breaks_is_dropped_and_the_run_goes_on(tmp_path: Path) -> None:
    class Broken(Recorder):
        def accept(self, _event: Any, /) -> None:
            raise BrokenPipeError(32, "reader gone")

    good = Recorder()
    outcome = run(plan_of("steps: [{do.it: {}}]", tmp_path, echo()), settings_for(tmp_path), [Broken(), good])
    assert outcome.exit_code == ExitCode.OK
    assert [body.status for body in good.bodies if isinstance(body, StepEnded)] == ["changed"]
