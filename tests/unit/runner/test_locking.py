"""The archive root's lock as a run takes it: what dead runs left, and what containers are told of."""

from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.plugin import Context, Effects, StepResult
from dce_play.system.lock.note import LockMeta, encode_meta, meta_path, read_meta
from tests.standins.bench import EngineBench
from tests.support.plans import MadeUpStep, done, echo, play


@pytest.mark.contract("R-13.09")
def test_a_container_that_a_killed_run_left_keeps_the_next_run_out(tmp_path: Path) -> None:
    bench = EngineBench(tmp_path, "docker")
    lock = bench.root / ".dce-scrape.lock"
    meta_path(lock).write_bytes(encode_meta(LockMeta(pid=99999999, containers=("docker:c0ffee",))))
    step = echo(EFFECTS=Effects.ARCHIVE)
    ran = play("steps: [{do.it: {}}]", tmp_path, step, archive_root=bench.root, environment=bench.environ)
    assert ran.outcome.exit_code == ExitCode.LOCKED
    assert ran.outcome.error is not None
    assert "container c0ffee" in ran.outcome.error.message
    assert bench.calls[0]["argv"][0] == "inspect"
    assert step.applied == []


@pytest.mark.contract("R-13.09")
def test_a_step_puts_its_containers_into_the_locks_note(tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []

    def act(_params: object, ctx: Context) -> StepResult:
        with ctx.note_container("docker:c0ffee"):
            meta = read_meta(tmp_path / ".dce-scrape.lock")
            seen.append(meta.containers if meta else ())
        return done()

    writer = MadeUpStep(NAME="write.it", act=act, EFFECTS=Effects.ARCHIVE)
    play("steps: [{write.it: {}}]", tmp_path, writer, archive_root=tmp_path)
    assert seen == [("docker:c0ffee",)]


def test_without_a_lock_a_container_is_noted_nowhere(tmp_path: Path) -> None:
    def act(_params: object, ctx: Context) -> StepResult:
        with ctx.note_container("docker:c0ffee"):
            return done()

    ran = play("steps: [{do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=act))
    assert ran.outcome.exit_code == ExitCode.OK


def test_only_steps_with_effects_are_noted_beside_the_lock(tmp_path: Path) -> None:
    noted: list[str] = []

    def act(_params: object, _ctx: Context) -> StepResult:
        meta = read_meta(tmp_path / ".dce-scrape.lock")
        noted.append(meta.step if meta else "")
        return done()

    steps = [
        MadeUpStep(NAME="look.first", act=act, EFFECTS=Effects.NONE),
        MadeUpStep(NAME="write.it", act=act, EFFECTS=Effects.ARCHIVE),
        MadeUpStep(NAME="look.last", act=act, EFFECTS=Effects.NONE),
    ]
    play("steps: [{look.first: {}}, {write.it: {}}, {look.last: {}}]", tmp_path, *steps, archive_root=tmp_path)
    assert [name.partition(".")[0] for name in noted] == ["", "write", "write"]


@pytest.mark.contract("F-K5")
def test_what_a_run_tells_is_progress_in_the_locks_note(tmp_path: Path) -> None:
    noted: list[str] = []

    def act(_params: object, ctx: Context) -> StepResult:
        ctx.reporter.progress(1, 2, "messages")
        meta = read_meta(tmp_path / ".dce-scrape.lock")
        noted.append(meta.progress if meta else "")
        return done()

    writer = MadeUpStep(NAME="write.it", act=act, EFFECTS=Effects.ARCHIVE)
    play("steps: [{write.it: {}}]", tmp_path, writer, archive_root=tmp_path)
    assert noted != [""]
