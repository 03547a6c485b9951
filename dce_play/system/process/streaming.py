"""Programs that a stream runs through: standard output read, or standard input written, while they run.

``with Streams(os.environ, masker).open(command, stdin=True) as program:`` is the second door to programs beside the
``Executor``, for bytes that are too many to be kept. Whoever leaves the block with an error ends the program and all
that it started.
"""

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO

from dce_play.system.process.executor import Command, Finished, NoSuchProgram, ProgramTimedOut, SecretInArguments
from dce_play.system.process.tree import end_tree, exit_code
from dce_play.system.redact import Masker
from dce_play.system.secret_names import without_secrets

LAST_WORDS_BYTES = 8 << 10
"""How much of standard error is kept: its end, where programs say why they give up."""
_CHUNK_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_TICK_S = 0.01


def widen(*descriptors: int) -> None:
    """Let whoever writes into a pipe be a megabyte ahead of its reader, so that both work at once."""
    for descriptor in descriptors:
        with suppress(OSError):  # a limit of the machine's, not ours
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


class StreamedProgram:
    """A program that runs. ``read`` its standard output, ``write`` its standard input, then ``finish``."""

    def __init__(self, process: "subprocess.Popen[bytes]", command: Command, masker: Masker) -> None:
        self._process = process
        self._command = command
        self._masker = masker
        self._said = bytearray()
        self._begun = time.monotonic()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes]:
        """Return the program's standard output, unbuffered. Only when it was not sent to a descriptor."""
        if self._process.stdout is None:
            raise ValueError("standard output was sent elsewhere")
        return self._process.stdout

    @property
    def stdin(self) -> IO[bytes]:
        """Return the program's standard input, unbuffered. Only when it was opened with ``stdin=True``."""
        if self._process.stdin is None:
            raise ValueError("standard input was not opened")
        return self._process.stdin

    def read(self, size_bytes: int = _CHUNK_BYTES) -> bytes:
        """Return up to so many bytes of standard output; empty at its end."""
        return self.stdout.read(size_bytes) or b""

    def write(self, data: "bytes | memoryview") -> None:
        """Write all of the data to standard input.

        Raises: BrokenPipeError, when the program reads no more; its exit code tells why.
        """
        view = memoryview(data).cast("B")
        while view:
            view = view[self.stdin.write(view) :]

    def close_stdin(self) -> None:
        """Tell the program that nothing more comes."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def last_words(self) -> str:
        """Return the end of standard error, masked; whole once the program was finished."""
        return self._masker.mask(bytes(self._said).decode(errors="replace")).strip()

    def finish(self) -> Finished:
        """Close standard input, wait for the end, and return how it ended. ``stdout`` of the answer is empty.

        Raises: ProgramTimedOut, when the command's time is up.
        """
        self.close_stdin()
        deadline = self._begun + self._command.timeout_s
        while self._process.poll() is None:
            if time.monotonic() >= deadline:
                end_tree(self._process)
                raise ProgramTimedOut(self._command, finished=self._finished())
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=max(_TICK_S, min(1.0, deadline - time.monotonic())))
        self._listener.join(timeout=1.0)  # a daemon that the program left may hold the pipe open
        return self._finished()

    def end(self) -> None:
        """End the program and all that it started, if it still runs. Nothing happens when it has ended."""
        if self._process.poll() is None:
            end_tree(self._process)

    def _finished(self) -> Finished:
        return Finished(
            exit_code=exit_code(self._process),
            stdout="",
            stderr=self.last_words(),
            duration_s=time.monotonic() - self._begun,
        )

    def _listen(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        with suppress(OSError, ValueError):  # closed under us once the program is finished
            while part := stream.read(_CHUNK_BYTES):
                self._said += part
                del self._said[: max(0, len(self._said) - LAST_WORDS_BYTES)]


class Streams:
    """Starts programs on this machine whose output or input is a stream. The secrets of a command join the masker.

    Programs inherit the environment without the variables whose names say that they hold secrets.
    """

    def __init__(self, environment: Mapping[str, str], masker: Masker) -> None:
        self._environment = without_secrets(environment, ())
        self._masker = masker

    @contextmanager
    def open(
        self,
        command: Command,
        /,
        *,
        stdin: bool = False,
        stdin_fd: int | None = None,
        stdout_fd: int | None = None,
    ) -> Iterator[StreamedProgram]:
        """Run a program while the block runs; whatever still runs at the block's end is ended.

        ``stdin`` opens a pipe to it; ``stdin_fd`` hands it a descriptor instead; ``stdout_fd`` sends its output to a
        descriptor. Without them it has no input, and its output is there to ``read``.

        Raises: NoSuchProgram, SecretInArguments, SecretTooShort.
        """
        for secret in command.secrets:
            self._masker.add(secret)
        if any(secret in argument for secret in command.secrets if secret for argument in command.argv):
            raise SecretInArguments(command.argv[0])
        process = self._start(command, stdin=subprocess.PIPE if stdin else stdin_fd, stdout=stdout_fd)
        widen(*(pipe.fileno() for pipe in (process.stdin, process.stdout) if pipe is not None))
        program = StreamedProgram(process, command, self._masker)
        try:
            yield program
        finally:
            program.end()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with suppress(BrokenPipeError):
                        stream.close()

    def _start(self, command: Command, *, stdin: int | None, stdout: int | None) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.PIPE if stdout is None else stdout,
                stderr=subprocess.PIPE,
                env={**self._environment, **command.env},
                cwd=command.cwd,
                pass_fds=command.pass_fds,
                start_new_session=True,
                bufsize=0,
            )
        except (FileNotFoundError, PermissionError) as error:
            reason = os.strerror(error.errno or 0).lower()
            raise NoSuchProgram(command.argv[0], reason=reason) from error
