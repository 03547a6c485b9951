"""What a simulated Discord does wrong, on request."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Answer with this status instead: a 401, a 403, a burst of 502."""

    status: int
    message: str = "simulated"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited:
    """Answer 429. ``header`` is the ``Retry-After`` header's text, ``None`` for none; the body always has seconds."""

    retry_after_s: float = 0.05
    header: str | None = None
    everywhere: bool = False
    """A global limit instead of one bucket's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """Answer, but only after a while."""

    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Close the connection without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated:
    """Announce the whole answer, send this share of it, and close the connection."""

    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """Answer 200 with a body that is not JSON."""

    body: bytes = b"<html>not JSON</html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Answer with a page that is not Discord's: a proxy's, or one of the edge that keeps a client out."""

    status: int = 403
    body: bytes = b"<!doctype html><title>Access denied</title>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Answer with other JSON: an error code with any status, a list without its key, an index that is not ready."""

    body: object
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengthened:
    """Answer with so many bytes more, or less where negative, and announce just as many."""

    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dripping:
    """Answer in small pieces with pauses between them."""

    size: int = 1024
    """Bytes a piece."""
    every_s: float = 0.01


Failing = Status | RateLimited | Slow | Dropped | Truncated | Garbage | Page | Other | Lengthened | Dripping
"""One way in which an answer can go wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Trouble for some of the requests whose path matches.

    ``path`` is a pattern with ``*`` over the path below the base URL with its query, such as
    ``/channels/*/messages?*after=0``. The first ``skip`` matching requests are answered well, then ``times``
    are not (``None``: all of them).
    """

    trouble: Failing
    path: str = "*"
    skip: int = 0
    times: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All that goes wrong: scripted faults, the first that applies, and a share of random trouble besides."""

    scripted: tuple[Fault, ...] = ()
    random_share: float = 0.0
    random_troubles: Sequence[Failing] = (
        Status(status=502),
        Dropped(),
        Truncated(),
        RateLimited(retry_after_s=0.01),
    )
    seed: int = 0
    live_messages: int = 0
    """How many messages are posted to a channel while one of its pages is being read."""


class FaultScript:
    """Faults being played: it remembers how often each was asked for."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._seen = [0] * len(faults.scripted)
        self._dice = random.Random(faults.seed)  # noqa: S311 - not a secret

    def next(self, path: str) -> Failing | None:
        """Return what goes wrong with this request, if anything."""
        for number, fault in enumerate(self.faults.scripted):
            if not fnmatchcase(path, fault.path):
                continue
            position = self._seen[number] - fault.skip
            self._seen[number] += 1
            if position >= 0 and (fault.times is None or position < fault.times):
                return fault.trouble
        if self.faults.random_share and self._dice.random() < self.faults.random_share:
            return self._dice.choice(self.faults.random_troubles)
        return None
