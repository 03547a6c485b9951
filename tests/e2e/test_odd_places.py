"""SessionContext that are no bug of ours: closed streams, a full disk, a removed working folder, a far clock."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in

pytestmark = pytest.mark.contract("F-X70")

SAY = "name: say\nsteps:\n  - report.say: {text: hello}\n"
PLAN_LESS = '''\
"""Does something, and cannot tell what."""

from dataclasses import dataclass

from dce_play.plugin import Effects, StepResult

NAME = "own.act"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """One."""

    n: int


def apply(params, ctx, /):
    raise RuntimeError("{} {0!r} {name}")
'''
SHIM = """\
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    int r = syscall(SYS_clock_gettime, id, t);
    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += 8640000000LL;
    return r;
}
"""
EVERY_COMMAND = [
    ["--help"],
    ["--version"],
    ["auth", "status"],
    ["archive", "--help"],
    ["completion", "bash"],
    ["lint", "say.yml"],
    ["plan", "say.yml"],
    ["plan", "say.yml", "--format", "json"],
    ["run", "--help"],
    ["run", "say.yml", "--list-steps"],
    ["schema", "event"],
    ["steps"],
    ["version"],
]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path, DISCORD_TOKEN="a-token.of-length")
    made.write("say.yml", SAY)
    return made


def shell(terminal: Terminal, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which ``$D`` is the program."""
    return subprocess.run(
        ["sh", "-c", line],
        cwd=terminal.folder,
        env={**terminal.environment, "D": f"{sys.executable} -m dce_play", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_a_full_standard_output_is_one_plain_line(terminal: Terminal, words: list[str]) -> None:
    done = shell(terminal, f"$D {' '.join(words)} >/dev/full")
    assert (done.returncode, done.stderr) == (1, "error: standard output: no space left on device\n")


@pytest.mark.contract("F-L10")
@pytest.mark.parametrize("output", ["text", "jsonl"])
def test_a_run_with_a_full_standard_output_is_told_on_standard_error(terminal: Terminal, output: str) -> None:
    done = shell(terminal, f"$D run say.yml --output {output} >/dev/full")
    assert done.returncode == 0
    assert "No space left on device" in done.stderr
    assert "hello" in done.stderr


def test_what_cannot_be_said_on_standard_error_keeps_its_exit_code(terminal: Terminal) -> None:
    assert shell(terminal, "$D run nosuch.yml 2>/dev/full").returncode == 5
    assert shell(terminal, "$D run say.yml 2>/dev/full").returncode == 0
    assert shell(terminal, "$D run say.yml >/dev/full 2>/dev/full").returncode == 1


def test_files_are_named_in_utf8_whatever_the_terminal_shows(terminal: Terminal) -> None:
    terminal.write(
        "name.yml", "version: 1\nname: name\nsteps: [{name: put Ü, file.write: {path: Übersicht, content: it}}]\n"
    )
    ascii_only = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell(terminal, "$D run name.yml", **ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert (terminal.folder / "Übersicht").read_text() == "it"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_trouble(terminal: Terminal, closed: str) -> None:
    assert shell(terminal, f"$D run say.yml {closed}").returncode == 0
    assert shell(terminal, f"$D lint say.yml {closed}").returncode == 0


def test_a_question_on_a_closed_standard_input_is_answered_by_nobody(terminal: Terminal) -> None:
    done = shell(terminal, "$D auth set --env-file new.env <&-")
    assert (done.returncode, "no token on standard input" in done.stderr) == (2, True)


def test_absolute_paths_work_in_a_working_folder_that_is_gone(terminal: Terminal) -> None:
    inside = "mkdir gone && cd gone && rmdir ../gone && "
    path = terminal.folder / "say.yml"
    assert shell(terminal, f"{inside} $D run {path}").returncode == 0
    assert shell(terminal, f"{inside} $D lint {path}").returncode == 0
    for words, code in (("run say.yml", 5), ("archive audit /nowhere/x", 2), ("lint .", 5), ("schema --write s", 1)):
        done = shell(terminal, f"{inside} $D {words}")
        assert done.returncode == code, done.stderr
        assert "bug" not in done.stderr


def test_xdg_folders_that_are_not_absolute_are_ignored(terminal: Terminal) -> None:
    done = shell(terminal, "env -u DCE_PLAY_STATE_DIR $D run say.yml", XDG_STATE_HOME="here", XDG_CACHE_HOME="there")
    assert done.returncode == 0, done.stderr
    assert not (terminal.folder / "here").exists()
    assert not (terminal.folder / "there").exists()
    assert (terminal.folder / "home" / ".local" / "state" / "dce-play" / "runs").is_dir()


def test_a_clock_that_python_cannot_read_is_told(terminal: Terminal) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a far clock with")
    source, shim = terminal.write("far.c", SHIM), terminal.folder / "far.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source], check=True, timeout=60)
    done = shell(terminal, "$D run say.yml", LD_PRELOAD=str(shim))
    assert done.returncode == 1
    assert done.stderr.startswith("error: this machine's clock is past the year 2262")


def test_an_own_step_without_a_plan_is_unknown_in_a_dry_run(terminal: Terminal) -> None:
    terminal.write("steps/act.py", PLAN_LESS)
    terminal.write("act.yml", "name: act\nsteps:\n  - own.act: {}\n")
    said = terminal.run("run", "act.yml", "--plugins", "--dry-run")
    assert (said.code, "cannot tell what it would do" in said.out) == (0, True)


def test_a_crash_file_that_cannot_be_written_does_not_end_the_run_early(terminal: Terminal) -> None:
    """The traceback then stands in the last event, also with braces in it."""
    terminal.write("steps/act.py", PLAN_LESS)
    state = terminal.folder / "state"
    terminal.write(
        "act.yml",
        f"""\
        name: act
        steps:
          - command.run: {{argv: [sh, -c, 'for d in {state}/runs/*; do mkdir $d/crash.txt; done']}}
          - own.act: {{}}
        """,
    )
    said = terminal.run("run", "act.yml", "--plugins", "--output", "jsonl")
    assert said.code == 1
    end = said.events[-1]
    assert (end["type"], end["error"]["kind"]) == ("run.end", "Crash")
    assert "{} {0!r} {name}" in end["error"]["hint"]


def test_an_error_without_a_text_is_told_by_its_kind(terminal: Terminal) -> None:
    broken = PLAN_LESS.replace('raise RuntimeError("{} {0!r} {name}")', "raise Odd")
    odd = "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\n"
    terminal.write("steps/act.py", f"{broken}\n\n{odd}")
    terminal.write("act.yml", "name: act\nsteps:\n  - own.act: {}\n")
    said = terminal.run("run", "act.yml", "--plugins", "--output", "jsonl")
    assert (said.code, said.events[-1]["error"]["message"]) == (1, "Odd")
