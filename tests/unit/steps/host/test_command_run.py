"""``command.run``: real programs, their ends and their secrets."""

import os
from pathlib import Path

import pytest

from dce_play.plugin import StepFailed
from dce_play.steps.host import command_run
from dce_play.steps.host.command_run import Outputs, Params
from dce_play.system.process.executor import NoSuchProgram, ProgramTimedOut
from tests.support.fakes import make_context


def test_it_tells_lines_and_how_the_program_ended(tmp_path: Path) -> None:
    context, reporter = make_context(tmp_path)
    result = command_run.apply(Params(argv=("sh", "-c", "pwd; echo $X"), env={"X": "y"}), context)
    assert reporter.said == [str(tmp_path), "y"]
    assert isinstance(result.outputs, Outputs)
    assert (result.outputs.exit_code, result.outputs.stdout) == (0, f"{tmp_path}\ny\n")
    assert result.changed


def test_another_exit_code_fails_with_outputs_and_the_last_words(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    params = Params(argv=("sh", "-c", "echo why >&2; exit 3"))
    with pytest.raises(StepFailed, match="sh ended with exit code 3") as failed:
        command_run.apply(params, context)
    assert failed.value.hint == "why"
    assert isinstance(failed.value.outputs, Outputs)
    assert failed.value.outputs.exit_code == 3


def test_exit_codes_that_are_said_to_be_fine_are(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    command_run.apply(Params(argv=("sh", "-c", "exit 24"), exit_codes=(0, 24)), context)


@pytest.mark.contract("R-11.08")
def test_a_secret_reaches_the_program_and_nobody_else(tmp_path: Path) -> None:
    secret = "hunter2-hunter2"
    context, reporter = make_context(tmp_path, secrets={"env:PASSWORD": secret})
    params = Params(argv=("sh", "-c", 'test "$P" = hunter2"-"hunter2 && echo "<$P>"'), secret_env={"P": "env:PASSWORD"})
    result = command_run.apply(params, context)
    assert reporter.said == ["<***>"]
    assert secret not in repr(result)
    assert secret not in repr(command_run.plan(params, context))


def test_output_can_go_to_a_file(tmp_path: Path) -> None:
    context, reporter = make_context(tmp_path)
    command_run.apply(Params(argv=("echo", "x"), stdout=tmp_path / "out"), context)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "x\n"
    assert reporter.said == []


def test_time_runs_out(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(ProgramTimedOut):
        command_run.apply(Params(argv=("sleep", "600"), timeout=0.2), context)  # type: ignore[arg-type]  # a Duration


def test_no_such_program(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    with pytest.raises(NoSuchProgram):
        command_run.apply(Params(argv=("no-such-program",)), context)


@pytest.mark.contract("R-5.11")
@pytest.mark.parametrize("writes", [False, True])
def test_only_a_program_that_writes_the_archive_inherits_the_lock(tmp_path: Path, writes: bool) -> None:
    lock = os.open(tmp_path, os.O_RDONLY)
    context, reporter = make_context(tmp_path, lock_fds=(lock,))
    try:
        command_run.apply(Params(argv=("ls", "/proc/self/fd"), writes_archive=writes), context)
    finally:
        os.close(lock)
    assert (str(lock) in reporter.said) == writes


def test_a_plan_tells_the_command_line_and_runs_nothing(tmp_path: Path) -> None:
    context, _ = make_context(tmp_path)
    planned = command_run.plan(Params(argv=("touch", "a b"), cwd=tmp_path), context)
    assert planned.summary == "would run touch 'a b'"
    assert not (tmp_path / "a b").exists()
