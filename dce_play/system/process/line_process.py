"""A process of ours that is told things, and tells things, in lines: JSON by JSON, for as long as both sides live.

It has a session of its own and goes on when we are gone; it sees that at the end of its standard input.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dce_play.source import JsonValue
from dce_play.system.process.tree import end_tree

_LAST_WORDS_BYTES = 2000


class LineProcess:
    """A running process. ``write`` may come from any thread, ``lines`` from one."""

    def __init__(
        self, argv: Sequence[str], *, environment: Mapping[str, str], pass_fds: Sequence[int], said: Path
    ) -> None:
        """Start it; what it says on standard error goes into the file ``said``.

        Raises: OSError.
        """
        self._said = said
        self._writing = Lock()
        with said.open("wb") as file:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env=environment,
                pass_fds=pass_fds,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, told: Mapping[str, JsonValue]) -> None:
        """Tell it one thing. That nobody reads it any more shows in ``lines``."""
        stdin = self._process.stdin
        if stdin is None:
            raise ValueError("standard input was not opened")
        with self._writing, suppress(BrokenPipeError):
            stdin.write(json.dumps(told).encode() + b"\n")
            stdin.flush()

    def lines(self) -> Iterator[Mapping[str, JsonValue]]:
        """Yield what it tells; ends with the process."""
        for line in self._process.stdout or ():
            if line.endswith(b"\n"):
                yield json.loads(line)

    def ended(self) -> bool:
        """Return whether it is gone."""
        return self._process.poll() is not None

    def end_code(self) -> int:
        """Wait for the end; return the exit code, negative for the signal that killed it."""
        return self._process.wait()

    def last_words(self) -> str:
        """Return the end of what it said on standard error."""
        with suppress(OSError):
            return self._said.read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace").strip()
        return ""

    def close(self, *, wait_s: float) -> None:
        """Tell it that nothing more comes, and wait; one that does not end in time is ended with all it started."""
        with self._writing, suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=wait_s)
        except subprocess.TimeoutExpired:
            end_tree(self._process)
        if self._process.stdout is not None:
            self._process.stdout.close()
        if not self.last_words():
            self._said.unlink(missing_ok=True)
