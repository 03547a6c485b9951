"""The lines of the shipper's log: ``EVENT key=value …`` in logfmt, for people, journald and the doctor.

Names and keys are stable. Whatever is a secret is masked in every line.
"""

import re
from collections.abc import Callable
from enum import IntEnum

from dce_play.system.clock import Clock
from dce_play.system.redact import Masker

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_SAME_FIX_S = 60.0
_MOST_FIX_LINES = 100


class Level(IntEnum):
    """How bad a line is, as syslog counts: lower is worse."""

    ERROR = 3
    WARNING = 4
    INFO = 6
    DEBUG = 7


def field(value: object) -> str:
    """Return a value as logfmt spells it: quoted where it has blanks, quotes, ``=`` or control characters."""
    text = str(value)
    if _PLAIN.match(text):
        return text
    for character, spelling in _ESCAPES:
        text = text.replace(character, spelling)
    return '"' + _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text) + '"'


class ShipLog:
    """Writes lines, each whole. With ``journal`` each begins with ``<N>``, its priority."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        masker: Masker,
        clock: Clock,
        level: Level = Level.INFO,
        journal: bool = False,
    ) -> None:
        self._write = write
        self._masker = masker
        self._clock = clock
        self._level = level
        self._journal = journal
        self._fixes: dict[tuple[str, ...], float] = {}

    def event(self, name: str, level: Level = Level.INFO, **fields: object) -> None:
        """Write one event. A field whose name would be a keyword takes an underscore at its end."""
        words = [name, *(f"{key.rstrip('_')}={field(value)}" for key, value in fields.items())]
        self._line(" ".join(words), level)

    def fix(self, lines: list[str]) -> None:
        """Write what the receiver says would mend a refusal, verbatim; the same block at most once a minute."""
        block = tuple(
            _CONTROL.sub(" ", line) for text in lines[:_MOST_FIX_LINES] for line in text.splitlines() if line.strip()
        )
        now = self._clock.monotonic()
        self._fixes = {known: when for known, when in self._fixes.items() if now - when < _SAME_FIX_S}
        if not block or block in self._fixes:
            return
        self._fixes[block] = now
        for line in block:
            self._line(f"ship.fix {line}", Level.ERROR)

    def _line(self, text: str, level: Level) -> None:
        if level <= self._level:
            prefix = f"<{level:d}>" if self._journal else ""
            self._write(f"{prefix}{self._masker.mask(text)}\n")
