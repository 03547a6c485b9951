"""A step for tests of fan-out, in a project of its own: each effect leaves one line, so that doubled ones are seen."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.command_line import Terminal, terminal_in
from tests.support.processes import eventually

_STEP = '''
"""Leave marks: begun, its effect, and that it was asked to stop."""
import os, time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from dce_play.plugin import Context, Effects, Info, StepPlan, StepResult, View

NAME = "mark.NAME"
EFFECTS = Effects.EFFECTS
REPEATABLE = REPEAT
REHEARSABLE = False

@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Where and how long."""
    key: Annotated[str, Info(help="What is marked")]
    hold: Annotated[str, Info(help="Wait while this file is there")] = "hold"
    nap_s: Annotated[float, Info(help="Work so long")] = 0.0
    size: Annotated[int, Info(help="Bytes of the output")] = 0

@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was done."""
    text: Annotated[str, Info(help="The key, and filling")]
    run: Annotated[str, Info(help="The run's id")]

def plan(params: Params, view: View, /) -> StepPlan:
    """Tell."""
    return StepPlan(summary="would mark")

def _mark(ctx: Context, what: str, key: str) -> None:
    line = f"{what} {key} {os.getpid()}\\\\n".encode()
    fd = os.open(ctx.folder / "marks", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, line)
    os.close(fd)

def apply(params: Params, ctx: Context, /) -> StepResult:
    """Mark the beginning, wait, and mark the effect."""
    _mark(ctx, "begun", params.key)
    while (ctx.folder / params.hold).exists():
        if ctx.cancelled():
            _mark(ctx, "cancelled", params.key)
            raise KeyError("stopped")
        time.sleep(0.02)
    time.sleep(params.nap_s)
    _mark(ctx, "effect", params.key)
    return StepResult(changed=True, summary="marked " + params.key,
                      outputs=Outputs(text=params.key + "x" * params.size, run=ctx.run_id))
'''


def marking_terminal(folder: Path, files: Mapping[str, str]) -> Terminal:
    """Return a project that has the step, and these files."""
    made = terminal_in(folder)
    write_steps(made)
    for name, text in files.items():
        made.write(name, text)
    return made


def write_steps(terminal: Terminal) -> None:
    """Give the project ``mark.again`` (may be repeated), ``mark.once`` (may not) and ``mark.archive``."""
    for name, effects, repeat in (
        ("again", "LOCAL", "True"),
        ("once", "LOCAL", "False"),
        ("archive", "ARCHIVE", "True"),
    ):
        text = _STEP.replace("mark.NAME", f"mark.{name}").replace("Effects.EFFECTS", f"Effects.{effects}")
        terminal.write(f"steps/mark_{name}.py", text.replace("REPEAT\n", f"{repeat}\n").replace("\\\\n", "\\n"))


def marks(terminal: Terminal, what: str) -> list[str]:
    """Return the keys with such a mark, in order."""
    return [words[1] for words in _lines(terminal) if words[0] == what]


def pid_of(terminal: Terminal, key: str) -> int:
    """Return the process that began with a key last; waits until one did."""
    assert eventually(lambda: key in marks(terminal, "begun"))
    return int(next(words[2] for words in reversed(_lines(terminal)) if words[:2] == ["begun", key]))


def _lines(terminal: Terminal) -> list[list[str]]:
    path = terminal.folder / "marks"
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@contextmanager
def begun(terminal: Terminal, *words: str, spare_items: bool = False) -> Iterator["subprocess.Popen[str]"]:
    """Start a command and give it; what is left of it is killed at the end, and its items unless they are spared."""
    process = terminal.start(
        *words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            items = [] if spare_items else [int(words[2]) for words in _lines(terminal)]
            _kill([process.pid, *items])


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with suppress(OSError):
            if b"dce_play" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
