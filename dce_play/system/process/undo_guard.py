"""A guard that undoes what we did to others when we are gone, SIGKILL included, and when its time is up.

``with UndoGuard(…) as guard:`` starts a process of its own; ``guard.promise(argv)`` tells it what to run in the end,
before we do what that undoes. The end is ``guard.undo()``, our death, or the guard's time, whichever comes first. It
runs the promises in reverse order, each once.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from dce_play.errors import DcePlayError
from dce_play.system.process.executor import Command, Executor
from dce_play.system.process.streaming import StreamedProgram, Streams

_FOR_EVER_S = 30 * 86_400.0
_UNDO_TIMEOUT_S = 60.0
_Promise = tuple[Command, bool]


class UndoReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the promises."""

    expired: bool
    """The guard's time was up before we asked: things were undone while we still worked."""
    failed: tuple[str, ...]
    """One line for each promise that could not be kept."""


class UndoGuard(AbstractContextManager["UndoGuard"]):
    """A guard process. It costs some 30 ms to start."""

    def __init__(self, streams: Streams, executor: Executor, *, max_s: float, note: str = "") -> None:
        """``note`` is a file that tells of the promises; a guard that outlives us removes it once it has kept them."""
        self._streams = streams
        self._executor = executor
        self._max_s = max_s
        self._note = note
        self._stack = ExitStack()
        self._program: StreamedProgram | None = None
        self._promises: list[_Promise] = []
        self._asked = 0
        self._heard = b""

    def __enter__(self) -> Self:
        """Start it, and wait until it listens."""
        argv = (sys.executable, "-I", "-S", _program_path(), str(self._max_s), self._note)
        command = Command(argv=argv, timeout_s=_FOR_EVER_S)
        self._program = self._stack.enter_context(self._streams.open(command, stdin=True))
        self._ask({"hello": True})
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Undo what is still promised; its failures are no longer told to anybody."""
        try:
            self.undo()
            if self._program is not None:
                self._program.finish()
        finally:
            self._stack.close()

    def promise(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout_s: float = _UNDO_TIMEOUT_S,
        first: bool = False,
    ) -> None:
        """Have a program run in the end. ``env`` is added to the environment; secrets belong there.

        ``first``: when it fails, nothing that was promised before it is run.

        Raises: DcePlayError, when the guard is not there: then nothing may be done that would need it.
        """
        command = Command(argv=tuple(argv), env=env or {}, cwd=cwd, timeout_s=timeout_s, tidies_up=True)
        self._promises.append((command, first))
        told = {"argv": list(argv), "env": dict(command.env), "cwd": None if cwd is None else str(cwd)}
        answer = self._ask({**told, "timeout_s": timeout_s, "first": first})
        if answer is None:
            self._promises.pop()
            raise DcePlayError("the guard process is gone")

    def forget(self) -> None:
        """Take all promises back: somebody else has kept them."""
        self._promises.clear()
        self._ask({"forget": True})

    def undo(self) -> UndoReport:
        """Undo everything now; a second call does nothing. Where the guard is gone, we do its work."""
        if not self._promises:
            return UndoReport(expired=False, failed=())
        answer = self._ask({"undo": True})
        promises, self._promises = self._promises, []
        if answer is None:
            return UndoReport(expired=False, failed=tuple(self._by_ourselves(promises)))
        failed = answer.get("failed")
        return UndoReport(
            expired=answer.get("expired") is True,
            failed=tuple(str(each) for each in failed) if isinstance(failed, list) else (),
        )

    def _by_ourselves(self, promises: Sequence["_Promise"]) -> list[str]:
        failed: list[str] = []
        for command, is_first in reversed(promises):
            before, name = len(failed), command.argv[0]
            try:
                finished = self._executor.run(command, cancelled=lambda: False)
            except DcePlayError as error:
                failed.append(f"{name}: {error}")
            else:
                if finished.exit_code != 0:
                    failed.append(f"{name} ended with exit code {finished.exit_code}: {finished.stderr.strip()}")
            if is_first and len(failed) > before:
                break
        return failed

    def _ask(self, message: Mapping[str, object]) -> dict[str, object] | None:
        """Send one line and return the answer, or ``None`` when the guard is gone."""
        program = self._program
        if program is None:
            return None
        self._asked += 1
        wanted = self._asked
        with suppress(BrokenPipeError, ValueError, OSError):
            program.write(json.dumps({**message, "id": wanted}).encode() + b"\n")
            while (line := self._line(program)) is not None:
                answer = json.loads(line)
                if isinstance(answer, dict) and answer.get("id") == wanted:  # a signal may have left an older one
                    return answer
        return None

    def _line(self, program: StreamedProgram) -> bytes | None:
        while b"\n" not in self._heard:
            part = program.read(1 << 16)
            if not part:
                return None
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        return line


def _program_path() -> str:
    from dce_play.system.process import undo_guard_process  # only its place is wanted, and only here

    return os.path.abspath(undo_guard_process.__file__)  # noqa: PTH100 - a text for an argv
