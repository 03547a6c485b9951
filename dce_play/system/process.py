"""Programs: what to run, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program to run: an argv, never a shell line."""

    argv: tuple[str, ...]
    timeout_s: float
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the inherited environment. Secrets travel here, never in ``argv``."""
    secrets: frozenset[str] = frozenset()
    """Texts that no log, error or output may show."""
    stdout: Path | None = None
    """A file for bulk output; without it standard output is kept in memory."""
    pass_fds: tuple[int, ...] = ()
    """Descriptors the program inherits, such as the archive lock's for a program that writes the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended. ``exit_code`` is 128 + n for a program ended by signal n."""

    exit_code: int
    stdout: str
    stderr: str
    duration_s: float


class Executor(Protocol):
    """Whatever runs programs."""

    def run(self, command: Command, /, *, on_line: Callable[[str, str], None] | None = None) -> Finished:
        """Run the program to its end and return how it ended, also when it failed.

        ``on_line`` gets each line as it comes: the stream (``stdout`` or ``stderr``) and the text.
        """
