"""A command that is forked from a process which has its imports behind it, as most tests start one, is a real one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import forked
from tests.support.command_line import Terminal, terminal_in
from tests.support.processes import eventually

ASKING = """
name: asking
steps:
  - name: ask
    command.run:
      argv:
        - sh
        - -c
        - |
          exec > said
          tr '\\0' '|' < /proc/$PPID/cmdline; echo
          tr '\\0' '\\n' < /proc/$PPID/environ | sort
          ps -o user=,comm= -p $PPID; readlink /proc/$PPID/fd/0; umask; pwd; echo "$PLACE"; cat
          grep -E 'Sig(Ign|Blk)' /proc/$PPID/status; ulimit -n
"""
Start = Callable[..., "subprocess.Popen[Any]"]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path, PLACE="somewhere")
    made.write("asking.yml", ASKING)
    made.write("long.yml", "name: long\nsteps:\n  - command.run: {argv: [sleep, '600']}\n")
    return made


def both(terminal: Terminal, words: tuple[str, ...], **options: Any) -> list[list[str]]:
    """Run a command in both ways, each with a state of its own under one name; return what each said, and its code."""
    ended = []
    for start in (forked.start, subprocess.Popen):
        with start(
            terminal.argv(*words),
            env=terminal.environment, cwd=terminal.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        ) as process:  # fmt: skip
            out, err = process.communicate(timeout=60)
        left = terminal.folder / "said"
        written = left.read_text() if left.exists() else ""
        ended.append([str(process.returncode), out, err, *written.splitlines()])
        if (state := terminal.folder / "state").exists():
            state.rename(terminal.folder / f"state-{len(ended)}")
    return ended


@pytest.mark.parametrize(
    "words",
    [("runs", "list"), ("nonsense",), ("run", "none.yml"), ("--version",), ("archive", "--help")],
    ids=" ".join,
)
def test_it_ends_and_says_what_another_does(terminal: Terminal, words: tuple[str, ...]) -> None:
    said, other_said = both(terminal, words)
    assert said == other_said


@pytest.mark.parametrize("options", [{}, {"umask": 0o27, "start_new_session": True}], ids=["plain", "options"])
def test_its_child_sees_in_it_what_another_ones_sees(terminal: Terminal, options: Mapping[str, Any]) -> None:
    said, other_said = both(terminal, ("run", "asking.yml", "--quiet"), **options)
    assert said == other_said
    assert "|-m|dce_play|run|asking.yml|" in said[3]
    assert "PLACE=somewhere" in said
    assert "somewhere" in said
    assert str(terminal.folder) in said


def test_it_is_our_child_in_the_session_that_was_asked_for_and_tells_the_signal_that_ended_it(
    terminal: Terminal,
) -> None:
    here = os.getpid()
    for options in ({}, {"start_new_session": True}, {"process_group": 0}):
        with terminal.start("run", "long.yml", stdout=subprocess.PIPE, **options) as run:
            assert eventually(lambda: any((terminal.folder / "state" / "runs").glob("*/events.jsonl")))
            stat = Path(f"/proc/{run.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            own_group, own_session = "process_group" in options, "start_new_session" in options
            assert int(stat[1]) == here
            assert int(stat[2]) == (run.pid if own_group or own_session else os.getpgrp())
            assert int(stat[3]) == (run.pid if own_session else os.getsid(0))
            assert run.poll() is None
            run.kill()
            assert run.wait(timeout=60) == -signal.SIGKILL


def test_it_has_the_descriptors_that_it_was_given_and_no_others(terminal: Terminal) -> None:
    reading, writing = os.pipe()
    try:
        with terminal.start("run", "long.yml", stdout=subprocess.PIPE, pass_fds=[writing]) as run:
            assert eventually(lambda: any((terminal.folder / "state" / "runs").glob("*/events.jsonl")))
            assert Path(f"/proc/{run.pid}/fd/{writing}").samefile(f"/proc/self/fd/{writing}")
            assert not Path(f"/proc/{run.pid}/fd/{reading}").exists()
            run.kill()
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("variable", ["PYTHONPATH", "LC_ALL", "PYTHONUTF8"])
def test_what_python_reads_as_it_starts_is_given_to_a_program_that_starts(tmp_path: Path, variable: str) -> None:
    (tmp_path / "sitecustomize.py").write_text("")
    given = {"PYTHONPATH": f"{Path(__file__).parents[2]}:{tmp_path}", "LC_ALL": "C", "PYTHONUTF8": "1"}
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", variable: given[variable]}
    with forked.start(
        [sys.executable, "-m", "dce_play", "run", "-"],
        cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        process.kill()
    assert "_ctypes" not in maps, "it was forked from a process that had it"
