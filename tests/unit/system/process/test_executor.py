"""Real programs: their ends, their output, their children, their secrets."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.system.process.executor import (
    Command,
    Finished,
    LocalExecutor,
    NoSuchProgram,
    ProgramCancelled,
    ProgramTimedOut,
    SecretInArguments,
)
from dce_play.system.redact import Masker
from tests.support.processes import as_nobody, eventually, lives, python

TOKEN = "tok-0123456789"

LINES = pytest.mark.parametrize("live", [False, True], ids=["captured", "live"])
"""Both ways of running must keep every promise."""


def run(command: Command, *, live: bool = False, executor: LocalExecutor | None = None) -> Finished:
    executor = executor or LocalExecutor(os.environ, Masker())
    return executor.run(command, on_line=(lambda _stream, _line: None) if live else None)


def shell(script: str, *, timeout_s: float = 20.0, **options: object) -> Command:
    return Command(argv=("sh", "-c", script), timeout_s=timeout_s, **options)  # type: ignore[arg-type]  # a test's own


@LINES
def test_a_program_tells_its_exit_code_and_both_streams(live: bool) -> None:
    finished = run(shell("echo out; echo err >&2; exit 3"), live=live)
    assert (finished.exit_code, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
    assert finished.duration_s > 0


@LINES
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_ended_by_a_signal_has_128_and_its_number(live: bool, number: int) -> None:
    assert run(shell(f"kill -{number} $$"), live=live).exit_code == 128 + number


@LINES
def test_arguments_are_never_read_by_a_shell(live: bool) -> None:
    words = ("$HOME", "a b", "'\"", ";exit 1", "*", "")
    finished = run(Command(argv=("printf", "%s\\n", *words), timeout_s=20.0), live=live)
    assert finished.stdout == "".join(f"{word}\n" for word in words)


@LINES
def test_a_program_gets_the_environment_and_folder_it_is_given(live: bool, tmp_path: Path) -> None:
    executor = LocalExecutor({"PATH": os.environ["PATH"], "KEPT": "1", "CHANGED": "1"}, Masker())
    command = shell("pwd; env", cwd=tmp_path, env={"CHANGED": "2"})
    lines = run(command, live=live, executor=executor).stdout.splitlines()
    assert lines[0] == str(tmp_path)
    assert {"KEPT=1", "CHANGED=2"} <= set(lines)
    assert not any(line.startswith("HOME=") for line in lines)


@LINES
def test_a_program_has_no_standard_input_to_eat(live: bool) -> None:
    assert run(shell("cat; echo end"), live=live).stdout == "end\n"


@LINES
def test_a_missing_program_is_named(live: bool) -> None:
    with pytest.raises(NoSuchProgram, match='cannot run "no-such-program": no such program') as refused:
        run(Command(argv=("no-such-program",), timeout_s=1.0), live=live)
    assert refused.value.hint


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("just text", encoding="utf-8")
    with pytest.raises(NoSuchProgram, match="no permission"):
        run(Command(argv=(str(path),), timeout_s=1.0))
    path.chmod(0o755)
    with pytest.raises(NoSuchProgram, match="not a program"):
        run(Command(argv=(str(path),), timeout_s=1.0))


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(NoSuchProgram, match="no folder"):
        run(Command(argv=("true",), timeout_s=1.0, cwd=tmp_path / "gone"))


@LINES
def test_output_for_a_file_goes_there_whole(live: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_text("old and longer than the new", encoding="utf-8")
    finished = run(shell("printf 'a\\000b'; echo err >&2", stdout=path), live=live)
    assert path.read_bytes() == b"a\0b"
    assert (finished.stdout, finished.stderr) == ("", "err\n")


FAMILY = """
import subprocess, sys, time
programs = {
    "child": "echo $$ > child; sleep 600 & wait",
    "session": "setsid sh -c 'echo $$ > session; exec sleep 600' & sleep 600",
    "orphan": "sh -c 'echo $$ > orphan; exec sleep 600' &",
    "deaf": "trap '' TERM; echo $$ > deaf; while :; do sleep 1; done",
}
for name in sys.argv[1:]:
    subprocess.Popen(["sh", "-c", programs[name]])
print("started", flush=True)
time.sleep(600)
"""
QUICK = ("child", "session", "orphan")


def family(folder: Path, *members: str, timeout_s: float = 60.0) -> Command:
    return Command(argv=tuple(python(FAMILY, *members)), timeout_s=timeout_s, cwd=folder)


def pids(folder: Path, *members: str) -> list[int]:
    assert eventually(lambda: all((folder / name).is_file() and (folder / name).read_text() for name in members))
    return [int((folder / name).read_text()) for name in members]


@LINES
def test_a_timeout_ends_children_orphans_and_sessions_of_their_own(live: bool, tmp_path: Path) -> None:
    with pytest.raises(ProgramTimedOut) as ended:
        run(family(tmp_path, *QUICK, timeout_s=1.0), live=live)
    assert not any(map(lives, pids(tmp_path, *QUICK)))
    assert ended.value.finished.stdout == "started\n"
    assert ended.value.finished.exit_code == 128 + signal.SIGTERM
    assert ended.value.timeout_s == 1.0


@pytest.mark.slow
def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    with pytest.raises(ProgramTimedOut):
        run(family(tmp_path, "deaf", timeout_s=0.5))
    assert not any(map(lives, pids(tmp_path, "deaf")))


@LINES
@pytest.mark.contract("R-3.19")
def test_a_cancelled_run_ends_the_whole_tree(live: bool, tmp_path: Path) -> None:
    stop = threading.Event()
    executor = LocalExecutor(os.environ, Masker(), stop.is_set)

    def stop_when_all_run() -> None:
        pids(tmp_path, *QUICK)
        stop.set()

    watcher = threading.Thread(target=stop_when_all_run)
    watcher.start()
    with pytest.raises(ProgramCancelled) as ended:
        run(family(tmp_path, *QUICK), live=live, executor=executor)
    watcher.join()
    assert not any(map(lives, pids(tmp_path, *QUICK)))
    assert ended.value.exit_code == ExitCode.INTERRUPTED


def test_a_caller_that_raises_leaves_no_program_behind(tmp_path: Path) -> None:
    def stumble(_stream: str, line: str) -> None:
        pids(tmp_path, *QUICK)
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="started"):
        LocalExecutor(os.environ, Masker()).run(family(tmp_path, *QUICK), on_line=stumble)
    assert not any(map(lives, pids(tmp_path, *QUICK)))


@LINES
def test_a_daemon_that_keeps_the_pipe_is_not_waited_for(live: bool) -> None:
    finished = run(shell("sleep 600 & echo $!"), live=live)
    pid = int(finished.stdout)
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


@LINES
def test_twenty_megabytes_come_through_whole(live: bool) -> None:
    script = "import sys; sys.stdout.write(('é' * 39 + '\\n') * 256_000); sys.stderr.write('e' * 1_000_000)"
    finished = run(Command(argv=(sys.executable, "-c", script), timeout_s=60.0), live=live)
    assert finished.stdout == ("é" * 39 + "\n") * 256_000
    assert finished.stderr == "e" * 1_000_000


def test_lines_arrive_before_the_program_ends(tmp_path: Path) -> None:
    heard: list[tuple[str, str]] = []

    def answer(stream: str, line: str) -> None:
        heard.append((stream, line))
        (tmp_path / line).touch()

    folder = shlex.quote(str(tmp_path))
    script = f"""
        cd {folder}
        echo first; while [ ! -e first ]; do sleep 0.01; done
        echo second >&2; while [ ! -e second ]; do sleep 0.01; done
        printf third
    """
    LocalExecutor(os.environ, Masker()).run(shell(script), on_line=answer)
    assert heard == [("stdout", "first"), ("stderr", "second"), ("stdout", "third")]


def test_no_line_is_lost_to_a_slow_listener_when_a_daemon_keeps_the_pipe() -> None:
    lines: list[str] = []

    def listen(_stream: str, line: str) -> None:
        time.sleep(0.01)
        lines.append(line)

    script = "sleep 600 & echo $!; for i in $(seq 300); do printf '%01000d\\n' 0; done"
    LocalExecutor(os.environ, Masker()).run(shell(script), on_line=listen)
    os.kill(int(lines[0]), signal.SIGKILL)
    assert len(lines) == 301


def test_lines_come_in_the_callers_own_thread() -> None:
    threads = set()
    LocalExecutor(os.environ, Masker()).run(
        shell("echo a; echo b >&2"), on_line=lambda *_: threads.add(threading.current_thread())
    )
    assert threads == {threading.current_thread()}


def test_a_character_is_not_cut_in_two_by_a_read() -> None:
    script = r"exec 2>&-; sleep 0.2; printf '\303'; sleep 0.3; printf '\251\r\n'"
    lines: list[str] = []
    LocalExecutor(os.environ, Masker()).run(shell(script), on_line=lambda _stream, line: lines.append(line))
    assert lines == ["é"]


@LINES
@pytest.mark.contract("R-11.08")
def test_secrets_are_masked_in_all_that_a_program_says(live: bool) -> None:
    lines: list[str] = []
    command = shell('echo "is $TOKEN"; echo "$TOKEN" >&2; exit 1', env={"TOKEN": TOKEN}, secrets=frozenset({TOKEN}))
    finished = LocalExecutor(os.environ, Masker()).run(
        command, on_line=(lambda _stream, line: lines.append(line)) if live else None
    )
    assert (finished.stdout, finished.stderr) == ("is ***\n", "***\n")
    assert TOKEN not in "".join(lines)


def test_secrets_of_a_command_stay_masked_for_the_run() -> None:
    masker = Masker()
    executor = LocalExecutor(os.environ, masker)
    executor.run(shell("true", env={"T": TOKEN}, secrets=frozenset({TOKEN})))
    assert masker.mask(TOKEN) == "***"


@pytest.mark.contract("R-11.08")
def test_a_secret_among_the_arguments_is_refused_before_anything_starts(tmp_path: Path) -> None:
    command = Command(argv=("touch", str(tmp_path / TOKEN)), timeout_s=5.0, secrets=frozenset({TOKEN}))
    with pytest.raises(SecretInArguments) as refused:
        run(command)
    assert TOKEN not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.contract("R-5.11")
@LINES
def test_a_program_inherits_only_the_descriptors_it_is_given(live: bool, tmp_path: Path) -> None:
    given = os.open(tmp_path, os.O_RDONLY)
    kept = os.open(tmp_path, os.O_RDONLY)
    try:
        finished = run(shell("ls /proc/self/fd", pass_fds=(given,)), live=live)
    finally:
        os.close(given)
        os.close(kept)
    open_there = set(finished.stdout.split())
    assert str(given) in open_there
    assert str(kept) not in open_there


@pytest.mark.contract("F-U2")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: becomes another user")
def test_a_folder_on_the_path_that_we_may_not_enter_hides_nothing_and_is_no_permission_error(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    script = f"""
from dce_play.system.process.executor import Command, LocalExecutor, NoSuchProgram
from dce_play.system.redact import Masker
---
executor = LocalExecutor({{"PATH": "{closed}:/usr/bin:/bin"}}, Masker())
print(executor.run(Command(argv=("true",), timeout_s=10)).exit_code)
try:
    executor.run(Command(argv=("no-such-program",), timeout_s=10))
except NoSuchProgram as error:
    print(error)
"""
    done = subprocess.run(as_nobody(script), capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == '0\ncannot run "no-such-program": no such program\n', done.stderr


@pytest.mark.contract("F-U2")
def test_a_file_on_the_path_that_may_not_be_run_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "prog").write_text("x", encoding="utf-8")
    executor = LocalExecutor({"PATH": str(tmp_path)}, Masker())
    with pytest.raises(NoSuchProgram, match="no permission to run it"):
        executor.run(Command(argv=("prog",), timeout_s=10))
