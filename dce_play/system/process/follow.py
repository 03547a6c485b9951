"""Programs whose lines are wanted while they come. With ``answering`` the only module that knows invoke.

invoke gives the threads that read both streams and the order of tidying up. What is ours: no shell stands between,
the whole tree of processes is ended and not just the first, characters are never cut in two, and lines reach the
caller in the caller's own thread.
"""

import codecs
import os
import queue
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import cache
from typing import IO, Any

from invoke.config import Config
from invoke.context import Context
from invoke.runners import Local

from dce_play.system.process.tree import DRAIN_S, TICK_S, ProgramEnd, Why, end_tree, exit_code

LineTaker = Callable[[str, str], None]
"""Gets the stream, ``stdout`` or ``stderr``, and one line without its end."""


def follow(
    process: "subprocess.Popen[bytes]",
    argv: Sequence[str],
    *,
    timeout_s: float,
    cancelled: Callable[[], bool],
    on_line: LineTaker,
) -> ProgramEnd:
    """Hand over each line of a running program until it ends, its time is up, or the run is cancelled."""
    runner = Follower(process, deadline=time.monotonic() + timeout_s, cancelled=cancelled, on_line=on_line)
    stdout, stderr = runner.follow(argv)
    return ProgramEnd(why=runner.why, exit_code=exit_code(process), stdout=stdout, stderr=stderr)


@cache
def _context() -> Context:
    """Return the one context of all programs: making it costs as much as starting a program's two readers."""
    # lazy: a configuration file of invoke's in somebody's home must not change what we do
    return Context(Config(lazy=True))


class Follower(Local):
    """Follows one program that runs already, to its end."""

    read_chunk_size = 64 * 1024

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        *,
        deadline: float,
        cancelled: Callable[[], bool],
        on_line: LineTaker,
        streams: Sequence[str] = ("stdout", "stderr"),
    ) -> None:
        super().__init__(_context())
        self.why = Why.EXITED
        self._running = process
        self._deadline = deadline
        self._cancelled = cancelled
        self._heard: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._lines = {name: _Lines(name, on_line) for name in streams}

    def follow(self, argv: Sequence[str], *, pty: bool = False) -> tuple[str, str]:
        """Return all that it said on standard output and on standard error."""
        result = self.run(
            shlex.join(argv), hide=True, warn=True, in_stream=False, env={}, replace_env=True, encoding="utf-8", pty=pty
        )
        return result.stdout, result.stderr

    def start(self, command: str, shell: str, env: dict[str, Any]) -> None:  # noqa: ARG002 - invoke's signature
        """Adopt the program that runs already, where invoke would start a shell."""
        self.process = self._running

    def get_pid(self) -> int:
        """Return the program's id, on a pty too."""
        return self._running.pid

    def read_proc_output(self, reader: Callable[[int], bytes | None]) -> Generator[str, None, None]:
        """Decode as a stream: invoke's own decodes each read by itself, and a read can end inside a character."""
        name = "stdout" if reader == self.read_proc_stdout else "stderr"
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while data := reader(self.read_chunk_size):
            text = decoder.decode(data)
            self._heard.put((name, text))
            yield text
        rest = decoder.decode(b"", final=True)
        self._heard.put((name, rest))
        self._heard.put((name, None))
        yield rest

    def read_proc_stdout(self, num_bytes: int) -> bytes | None:
        return self._read(self._running.stdout, num_bytes)

    def read_proc_stderr(self, num_bytes: int) -> bytes | None:
        return self._read(self._running.stderr, num_bytes)

    def _read(self, stream: IO[bytes] | None, num_bytes: int) -> bytes | None:
        if stream is None:
            return None
        poller = select.poll()
        poller.register(stream, select.POLLIN)
        while not poller.poll(TICK_S * 1000):
            if self.program_finished.is_set():
                return None  # a daemon of the program's holds the pipe open, and nobody waits for it
        return os.read(stream.fileno(), num_bytes)

    def respond(self, buffer_: list[str]) -> None:
        """Do nothing: invoke's own joins all output so far at every read, which is quadratic."""

    def wait(self) -> None:
        """Hand over lines until the program has ended, ending it when its time is up or the run is cancelled."""
        unread = set(self._lines)
        gone_at: float | None = None
        while True:
            self._take(unread)
            now = time.monotonic()
            if gone_at is None and self._running.poll() is not None:
                gone_at = now
            if gone_at is not None:
                if not unread or now - gone_at > DRAIN_S:
                    break
            elif now >= self._deadline or self._cancelled():
                self.why = Why.TIMED_OUT if now >= self._deadline else Why.CANCELLED
                self.kill()
        for _ in range(self._heard.qsize()):
            self._hear(*self._heard.get_nowait(), unread)
        for lines in self._lines.values():
            lines.close()

    def _take(self, unread: set[str]) -> None:
        if not unread:
            with suppress(subprocess.TimeoutExpired):
                self._running.wait(TICK_S)
            return
        with suppress(queue.Empty):
            self._hear(*self._heard.get(timeout=TICK_S), unread)

    def _hear(self, name: str, text: str | None, unread: set[str]) -> None:
        if text is None:
            unread.discard(name)
        else:
            self._lines[name].feed(text)

    def kill(self) -> None:
        """End the program and all it started: invoke's own leaves grandchildren, and waits for their pipes."""
        end_tree(self._running)

    def send_interrupt(self, interrupt: KeyboardInterrupt) -> None:
        """Let Ctrl-C through, where invoke would type it into a program that has no standard input."""
        raise interrupt


class _Lines:
    """Makes lines of pieces."""

    def __init__(self, name: str, on_line: LineTaker) -> None:
        self._name = name
        self._on_line = on_line
        self._unfinished: list[str] = []

    def feed(self, text: str) -> None:
        head, *rest = text.split("\n")
        self._unfinished.append(head)
        for following in rest:
            self._tell()
            self._unfinished = [following]

    def close(self) -> None:
        if any(self._unfinished):
            self._tell()

    def _tell(self) -> None:
        self._on_line(self._name, "".join(self._unfinished).removesuffix("\r"))
