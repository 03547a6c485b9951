"""``shell.run``: real shells, their prompts on pipes and terminals, their ends and their secrets."""

import threading
import time
from pathlib import Path

import pytest

from dce_play.plugin import Duration, StepFailed
from dce_play.steps.host import shell_run
from dce_play.steps.host.shell_run import Outputs, Params, Prompt
from dce_play.system.process.answering import AnswerNotTaken
from dce_play.system.process.executor import (
    Command,
    LocalExecutor,
    ProgramCancelled,
    ProgramTimedOut,
    SecretInArguments,
)
from dce_play.system.redact import Masker
from tests.support.fakes import make_context

PASSWORD = "hunter2-hunter2"
ASK_TTY = 'printf "Password: " > /dev/tty; stty -echo; read p < /dev/tty; stty echo; test "$p" = hunter2-"hunter2"'


def ran(folder: Path, params: Params) -> tuple[Outputs, list[str]]:
    context, reporter = make_context(folder, secrets={"env:PASSWORD": PASSWORD})
    outputs = shell_run.apply(params, context).outputs
    assert isinstance(outputs, Outputs)
    return outputs, reporter.said


@pytest.mark.parametrize("pty", [False, True])
def test_the_shell_reads_the_line_and_its_lines_are_told(tmp_path: Path, pty: bool) -> None:
    outputs, said = ran(
        tmp_path, Params(line='printf "b\\na\\n" | sort; echo "$X" > out; pwd', env={"X": "y"}, pty=pty)
    )
    assert said == ["a", "b", str(tmp_path)]
    assert outputs.stdout == f"a\nb\n{tmp_path}\n"
    assert (tmp_path / "out").read_text(encoding="utf-8") == "y\n"


@pytest.mark.parametrize(("pty", "word"), [(False, "pipe"), (True, "terminal")])
def test_it_has_a_terminal_only_when_asked_for(tmp_path: Path, pty: bool, word: str) -> None:
    assert ran(tmp_path, Params(line="test -t 0 && test -t 1 && echo terminal || echo pipe", pty=pty))[1] == [word]


@pytest.mark.parametrize("pty", [False, True])
def test_prompts_are_answered_in_the_order_in_which_they_come(tmp_path: Path, pty: bool) -> None:
    line = 'printf "Name? "; read n; printf "Sure? " >&2; read s; echo "[$n $s]"'
    answers = (Prompt(prompt=r"Sure\?", answer="yes"), Prompt(prompt=r"Name\?", answer="moss"))
    outputs, _ = ran(tmp_path, Params(line=line, pty=pty, answers=answers, timeout=Duration(20)))
    assert "[moss yes]" in outputs.stdout


def test_a_password_is_typed_at_the_terminal_and_shown_to_nobody(tmp_path: Path) -> None:
    answers = (Prompt(prompt="Password: $", secret="env:PASSWORD"),)
    outputs, said = ran(tmp_path, Params(line=ASK_TTY, pty=True, answers=answers, timeout=Duration(20)))
    assert outputs.exit_code == 0
    assert PASSWORD not in repr(outputs) + repr(said)


def test_an_echoed_password_is_masked(tmp_path: Path) -> None:
    answers = (Prompt(prompt="Password: $", secret="env:PASSWORD"),)
    line = 'printf "Password: "; read p; echo "got $p"'
    outputs, said = ran(tmp_path, Params(line=line, pty=True, answers=answers, timeout=Duration(20)))
    assert said[-1] == "got ***"
    assert PASSWORD not in repr(outputs) + repr(said)


@pytest.mark.parametrize("pty", [False, True])
def test_a_program_that_asks_again_is_ended_before_it_locks_an_account(tmp_path: Path, pty: bool) -> None:
    answers = (Prompt(prompt="Password: ", secret="env:PASSWORD"),)
    line = 'while :; do printf "Password: "; read p || exit; echo x >> tries; done'
    with pytest.raises(AnswerNotTaken, match="asked again"):
        ran(tmp_path, Params(line=line, pty=pty, answers=answers, timeout=Duration(20)))
    assert (tmp_path / "tries").read_text(encoding="utf-8") == "x\n"


def test_it_may_ask_as_often_as_is_said(tmp_path: Path) -> None:
    answers = (Prompt(prompt="more ", answer="y", times=3),)
    line = 'for i in 1 2 3; do printf "more "; read p; printf $p; done'
    assert ran(tmp_path, Params(line=line, answers=answers))[0].stdout == "more ymore ymore y"


def test_without_answers_standard_input_is_empty(tmp_path: Path) -> None:
    assert ran(tmp_path, Params(line="cat; echo end", timeout=Duration(20)))[1] == ["end"]


def test_standard_input_ends_when_all_is_answered(tmp_path: Path) -> None:
    answers = (Prompt(prompt="Name: ", answer="moss"),)
    outputs, _ = ran(tmp_path, Params(line='printf "Name: "; cat; echo end', answers=answers, timeout=Duration(20)))
    assert outputs.stdout == "Name: moss\nend\n"


@pytest.mark.parametrize("pty", [False, True])
def test_another_exit_code_fails_with_outputs_and_the_last_words(tmp_path: Path, pty: bool) -> None:
    with pytest.raises(StepFailed, match="exit code 3") as failed:
        ran(tmp_path, Params(line="echo why >&2; exit 3", pty=pty))
    assert failed.value.hint == "why"
    assert isinstance(failed.value.outputs, Outputs)


@pytest.mark.parametrize("pty", [False, True])
def test_when_time_runs_out_all_it_started_is_ended(tmp_path: Path, pty: bool) -> None:
    with pytest.raises(ProgramTimedOut):
        ran(tmp_path, Params(line="sleep 600 & echo $! > pid; wait", pty=pty, timeout=Duration(1.0)))
    child = Path("/proc", (tmp_path / "pid").read_text(encoding="utf-8").strip())
    assert not child.exists() or "(zombie)" in (child / "status").read_text(encoding="utf-8")


@pytest.mark.parametrize("pty", [False, True])
def test_a_stopped_run_ends_it(tmp_path: Path, pty: bool) -> None:
    stop = threading.Event()
    executor = LocalExecutor({"PATH": "/usr/bin:/bin"}, Masker(), stop.is_set)
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(ProgramCancelled):
        executor.run(Command(argv=("/bin/sh", "-c", "sleep 600"), timeout_s=60, pty=pty, cwd=tmp_path))
    assert time.monotonic() - begun < 20


def test_a_secret_in_the_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretInArguments):
        ran(tmp_path, Params(line=f"login {PASSWORD}", secret_env={"P": "env:PASSWORD"}))


def test_a_prompt_takes_an_answer_or_a_secret() -> None:
    with pytest.raises(ValueError, match="it takes one"):
        Prompt(prompt="x", answer="y", secret="env:PASSWORD")
