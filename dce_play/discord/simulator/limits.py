"""Discord's rate limits: one bucket for each route and channel or guild, and one for everything."""

import math
from dataclasses import dataclass
from hashlib import blake2b

from dce_play.system.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """How much is allowed. The defaults are too wide for an ordinary client to meet."""

    per_bucket: int = 1000
    window_s: float = 1.0
    everywhere: int | None = None
    """Requests a second over all buckets; ``None`` for no such limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a request may pass, and the headers that say how things stand."""

    allowed: bool
    headers: tuple[tuple[str, str], ...]
    retry_after_s: float = 0.0
    everywhere: bool = False


class RateLimiter:
    """Counts requests in fixed windows."""

    def __init__(self, limits: RateLimits, clock: Clock, /) -> None:
        self._limits = limits
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def admit(self, bucket: str) -> Verdict:
        """Count one request and say whether it passes."""
        limits = self._limits
        if limits.everywhere is not None:
            remaining, reset_s = self._count("", limits.everywhere, 1.0)
            if remaining < 0:
                return Verdict(
                    allowed=False,
                    headers=(("X-RateLimit-Global", "true"), ("X-RateLimit-Scope", "global")),
                    retry_after_s=reset_s,
                    everywhere=True,
                )
        remaining, reset_s = self._count(bucket, limits.per_bucket, limits.window_s)
        headers = (
            ("X-RateLimit-Limit", str(limits.per_bucket)),
            ("X-RateLimit-Remaining", str(max(remaining, 0))),
            ("X-RateLimit-Reset", f"{self._clock.now().timestamp() + reset_s:.3f}"),
            ("X-RateLimit-Reset-After", f"{reset_s:.3f}"),
            ("X-RateLimit-Bucket", blake2b(bucket.encode(), digest_size=16).hexdigest()),
        )
        if remaining < 0:
            return Verdict(allowed=False, headers=(*headers, ("X-RateLimit-Scope", "user")), retry_after_s=reset_s)
        return Verdict(allowed=True, headers=headers)

    def _count(self, bucket: str, limit: int, window_s: float) -> tuple[int, float]:
        """Return how many more requests the window takes (negative when over), and when it ends."""
        now = self._clock.monotonic()
        opened, used = self._windows.get(bucket, (now, 0))
        if now - opened >= window_s:
            opened, used = now, 0
        self._windows[bucket] = (opened, min(used + 1, limit + 1))
        return limit - used - 1, math.ceil((opened + window_s - now) * 1000) / 1000
