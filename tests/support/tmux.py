"""A real terminal for tests: tmux with a server of the test's own, and what stands on its screen."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import eventually

ENDED = "ended with code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One window of tmux."""

    socket: Path
    columns: int
    lines: int

    def text(self, *, colours: bool = False) -> str:
        """Return what stands on the screen, line by line, without blanks at the ends."""
        shown = self._tmux("capture-pane", "-p", *(["-e"] if colours else []), "-t", "0")
        return "\n".join(line.rstrip() for line in shown.splitlines()).rstrip("\n") + "\n"

    def wait(self, text: str) -> str:
        """Return what stands on the screen once this text does."""
        assert eventually(lambda: text in self.text()), self.text()
        return self.text()

    def type(self, *keys: str) -> None:
        """Press keys."""
        self._tmux("send-keys", "-t", "0", *keys)

    def _tmux(self, *words: str) -> str:
        argv = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout


@contextmanager
def screen_of(
    argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], columns: int, lines: int
) -> Iterator[Screen]:
    """Run a program in a terminal of this size while the block runs; its code is told below what it shows."""
    place = Path(tempfile.mkdtemp(prefix="tmux-"))  # a socket's path must be short
    screen = Screen(socket=place / "s", columns=columns, lines=lines)
    command = f"trap : INT; {shlex.join(argv)}; echo {ENDED} $?; exec sleep 300"
    given = {**environment, "TERM": "tmux-256color", "PATH": environment["PATH"]}
    try:
        size = ["-x", str(columns), "-y", str(lines)]
        server = ["tmux", "-S", str(screen.socket), "-f", "/dev/null"]
        session = ["new-session", "-d", *size, "-c", str(folder), "/bin/sh", "-c", command]
        subprocess.run([*server, *session], env=given, check=True, timeout=30)
        yield screen
    finally:
        subprocess.run(["tmux", "-S", str(screen.socket), "kill-server"], check=False, capture_output=True, timeout=30)
        shutil.rmtree(place, ignore_errors=True)
