"""Programs that a sealed process may still start: a child from before the seal starts them, and nothing else.

``with exempt_starter({"podman"}, environment) as starter:`` begins the child; what the kernel then forbids this
process, see ``landlock``, it does not forbid the child, nor what that one starts. ``starter.run`` is an executor's.

The two speak JSON, a line each way a message, over a pair of sockets that nobody else has.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dce_play.system.process.executor import (
    Command,
    Finished,
    LocalExecutor,
    NoSuchProgram,
    ProgramCancelled,
    ProgramTimedOut,
)
from dce_play.system.redact import Masker

_TICK_S = 0.1
_END_S = 5.0
"""How long the child may take to end once nobody speaks to it any more."""


class ProgramNotDeclared(NoSuchProgram):
    """A sealed process asked for a program that was not declared beforehand, or for a file to be written."""


class ExemptStarter:
    """The parent's side."""

    def __init__(self, channel: socket.socket, programs: frozenset[str], masker: Masker) -> None:
        self._channel = channel
        self._lines = _Lines(channel)
        self._programs = programs
        self._masker = masker

    def starts(self, program: str) -> bool:
        """Return whether this program was declared."""
        return os.path.basename(program) in self._programs  # noqa: PTH119 - as the guard judges it

    def run(
        self,
        command: Command,
        /,
        *,
        on_line: Callable[[str, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Finished:
        """Run a declared program to its end.

        Raises: ProgramNotDeclared, NoSuchProgram, ProgramTimedOut, ProgramCancelled.
        """
        program = command.argv[0]
        if not self.starts(program) or command.stdout is not None or command.pass_fds:
            raise ProgramNotDeclared(program, reason="a dry run does not start it")
        for secret in command.secrets:
            self._masker.add(secret)
        asked = {
            "argv": command.argv,
            "timeout_s": command.timeout_s,
            "cwd": str(command.cwd) if command.cwd else None,
            "env": dict(command.env),
            "lines": on_line is not None,
        }
        self._say(asked)
        stopping = False
        while True:
            if cancelled is not None and not stopping and cancelled():
                stopping = True
                self._say({"cancel": True})
            for told in self._lines.within(_TICK_S):
                if "line" in told:
                    if on_line is not None:
                        on_line(str(told["stream"]), self._masker.mask(str(told["line"])))
                else:
                    return self._finished(program, command, told)

    def _say(self, message: Mapping[str, object]) -> None:
        self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _finished(self, program: str, command: Command, told: Mapping[str, Any]) -> Finished:
        if told["end"] == "missing":
            raise NoSuchProgram(program, reason=str(told["reason"]))
        finished = Finished(
            exit_code=int(told["exit_code"]),
            stdout=self._masker.mask(str(told["stdout"])),
            stderr=self._masker.mask(str(told["stderr"])),
            duration_s=float(told["duration_s"]),
        )
        match told["end"]:
            case "timeout":
                raise ProgramTimedOut(command, finished=finished)
            case "cancelled":
                raise ProgramCancelled(program, finished=finished)
        return finished


@contextmanager
def exempt_starter(programs: Iterable[str], environment: Mapping[str, str], masker: Masker) -> Iterator[ExemptStarter]:
    """Begin the child, before the seal; it ends with the block."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-m", "dce_play.system.process.exempt", str(theirs.fileno())]
    package = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, (package, environment.get("PYTHONPATH", ""))))
    child = subprocess.Popen(
        words, env={**environment, "PYTHONPATH": path}, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL
    )
    theirs.close()
    try:
        yield ExemptStarter(ours, frozenset(programs), masker)
    finally:
        ours.close()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class _Lines:
    """Messages from a socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._rest = b""

    def within(self, seconds: float) -> list[dict[str, Any]]:
        """Return the messages that came by then.

        Raises: ConnectionError, when the other side is gone.
        """
        if not select.select([self._channel], [], [], seconds)[0]:
            return []
        data = self._channel.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the child that starts programs has ended")
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in whole]


def serve(channel: socket.socket) -> None:
    """Be the child: start what is asked for, one after the other, until the other side is gone."""
    lines = _Lines(channel)
    executor = LocalExecutor(os.environ, Masker())

    def say(message: Mapping[str, object]) -> None:
        channel.sendall(json.dumps(message).encode() + b"\n")

    def told(stream: str, line: str) -> None:
        say({"stream": stream, "line": line})

    waiting: deque[dict[str, Any]] = deque()

    def cancelled() -> bool:
        try:
            waiting.extend(lines.within(0))
        except ConnectionError:
            return True
        return any("cancel" in each for each in waiting)

    while True:
        waiting.extend(lines.within(3600.0))
        while waiting:
            asked = waiting.popleft()
            if "argv" in asked:
                command = Command(
                    argv=tuple(asked["argv"]),
                    timeout_s=float(asked["timeout_s"]),
                    cwd=Path(asked["cwd"]) if asked["cwd"] else None,
                    env=asked["env"],
                )
                say(_outcome(executor, command, told if asked["lines"] else None, cancelled))


def _outcome(
    executor: LocalExecutor,
    command: Command,
    on_line: Callable[[str, str], None] | None,
    cancelled: Callable[[], bool],
) -> dict[str, object]:
    begun = time.monotonic()
    end = "exited"
    try:
        finished = executor.run(command, on_line=on_line, cancelled=cancelled)
    except ProgramTimedOut as error:
        end, finished = "timeout", error.finished
    except ProgramCancelled as error:
        end, finished = "cancelled", error.finished
    except NoSuchProgram as error:
        return {"end": "missing", "reason": str(error).partition(": ")[2] or str(error)}
    return {
        "end": end,
        "exit_code": finished.exit_code,
        "stdout": finished.stdout,
        "stderr": finished.stderr,
        "duration_s": time.monotonic() - begun,
    }


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _channel:
        try:
            serve(_channel)
        except ConnectionError:
            sys.exit(0)
