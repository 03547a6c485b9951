"""Programs that ask questions: prompts are answered as they come, over a pipe or over a terminal of the program's own.

invoke gives the threads, the watching of both streams and the typing; ``follow`` what it gives every program: the whole
tree ended in time, lines in the caller's thread. The terminal belongs to the program alone and is not ours.
"""

import errno
import fcntl
import os
import re
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from invoke.watchers import StreamWatcher

from dce_play.errors import DcePlayError
from dce_play.system.process.follow import Follower, LineTaker
from dce_play.system.process.prompts import Answer
from dce_play.system.process.tree import ProgramEnd, end_tree, exit_code

_WINDOW = 16 * 1024
"""Characters in which a prompt is looked for: a prompt is what came last."""


class AnswerNotTaken(DcePlayError):
    """A program asked again for what it had been told, so it was ended before it locks an account."""

    def __init__(self, program: str, prompt: str) -> None:
        self.prompt = prompt
        super().__init__(
            f"{program} asked again: {prompt}", hint="is the answer right? set times when it asks more often"
        )


@dataclass(frozen=True, slots=True)
class Asking:
    """A running program, and the pty it has instead of pipes, if it has one."""

    process: "subprocess.Popen[bytes]"
    terminal: IO[bytes] | None


@contextmanager
def started_asking(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | None, pass_fds: Sequence[int], pty: bool
) -> Iterator[Asking]:
    """Run a program that can be typed into while the block runs; if the block raises, its whole tree is ended.

    Raises: OSError, when it cannot be started.
    """
    ours, theirs = _terminal() if pty else (None, subprocess.PIPE)
    try:
        process = subprocess.Popen(
            argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=_take_terminal if pty else None,  # noqa: PLW1509 - one system call; pty.fork does the same
            bufsize=0,
        )
    except BaseException:
        if ours is not None:
            ours.close()
        raise
    finally:
        if pty:
            os.close(theirs)
    try:
        yield Asking(process, ours)
    except BaseException:
        end_tree(process)
        raise
    finally:
        for stream in (process.stdin, process.stdout, process.stderr, ours):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _terminal() -> tuple[IO[bytes], int]:
    """Return our end of a new pty, and the program's; a line there ends as everywhere, without a carriage return."""
    ours, theirs = os.openpty()
    modes = termios.tcgetattr(theirs)
    modes[1] &= ~termios.ONLCR
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    return os.fdopen(ours, "r+b", buffering=0), theirs


def _take_terminal() -> None:
    """Make the pty the program's controlling terminal: what asks for passwords opens ``/dev/tty``."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def answer(
    asking: Asking,
    argv: Sequence[str],
    answers: Sequence[Answer],
    *,
    timeout_s: float,
    cancelled: Callable[[], bool],
    on_line: LineTaker,
) -> ProgramEnd:
    """Answer a running program's prompts, and hand over its lines, until it ends or must end.

    Raises: AnswerNotTaken.
    """
    runner = _Answerer(asking, answers, deadline=time.monotonic() + timeout_s, cancelled=cancelled, on_line=on_line)
    stdout, stderr = runner.follow(argv, pty=asking.terminal is not None)
    if runner.asked_again is not None:
        raise AnswerNotTaken(argv[0], runner.asked_again)
    return ProgramEnd(why=runner.why, exit_code=exit_code(asking.process), stdout=stdout, stderr=stderr)


class _Prompt(StreamWatcher):
    """Watches for one prompt. As a ``threading.local`` it has one window for each stream's thread."""

    def __init__(self, wanted: Answer, given: list[Answer]) -> None:
        self.wanted = wanted
        self._given = given
        self._window = ""

    def submit(self, stream: str) -> Iterator[str]:
        """Yield the answer for each prompt in the window with what has just come."""
        self._window = (self._window + stream)[-_WINDOW:]
        while found := re.search(self.wanted.prompt, self._window):
            self._window = self._window[max(found.end(), 1) :]
            self._given.append(self.wanted)
            yield self.wanted.text + "\n"


class _Answerer(Follower):
    def __init__(
        self,
        asking: Asking,
        answers: Sequence[Answer],
        *,
        deadline: float,
        cancelled: Callable[[], bool],
        on_line: LineTaker,
    ) -> None:
        streams = ("stdout",) if asking.terminal is not None else ("stdout", "stderr")
        super().__init__(
            asking.process,
            deadline=deadline,
            cancelled=lambda: self._must_end(cancelled),
            on_line=on_line,
            streams=streams,
        )
        self._asking = asking
        self._answers = answers
        self._given: list[Answer] = []
        self.asked_again: str | None = None
        """The prompt that came more often than it may."""
        self.prompts = [_Prompt(each, self._given) for each in answers]
        self._close_when_all_is_said()

    def _must_end(self, cancelled: Callable[[], bool]) -> bool:
        return self.asked_again is not None or cancelled()

    def should_use_pty(self, pty: bool = False, fallback: bool = True) -> bool:  # noqa: ARG002 - invoke's signature
        """Use the pty that is there, whatever our own standard input is."""
        return pty

    def read_proc_stdout(self, num_bytes: int) -> bytes | None:
        """Read a pipe, or the pty, whose end is an error."""
        try:
            return self._read(self._asking.terminal or self._running.stdout, num_bytes)
        except OSError as error:
            if error.errno == errno.EIO:
                return None
            raise

    def respond(self, buffer_: list[str]) -> None:
        """Show the prompts what has just come; invoke's own joins all output so far at every read."""
        for prompt in self.prompts:
            for text in prompt.submit(buffer_[-1]):
                if self._given.count(prompt.wanted) > prompt.wanted.times:
                    self.asked_again = prompt.wanted.prompt
                    return
                self.write_proc_stdin(text)
        self._close_when_all_is_said()

    def _close_when_all_is_said(self) -> None:
        """Close the pipe once nothing is left to type: a program that reads on shall see the end."""
        stdin = self._running.stdin
        if stdin is not None and len(self._given) >= sum(each.times for each in self._answers):
            with suppress(BrokenPipeError):
                stdin.close()

    def _write_proc_stdin(self, data: bytes) -> None:
        stream = self._asking.terminal or self._running.stdin
        if stream is not None and not stream.closed:
            with suppress(BrokenPipeError):
                os.write(stream.fileno(), data)

    def stop(self) -> None:
        """Leave the pty open: whoever opened it closes it."""
