"""When the next request may leave: Discord's buckets, its global limit, and what a 429 says.

Source: discord.com/developers/docs/topics/rate-limits.
"""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dce_play.system.clock import Clock

GLOBAL_PER_SECOND = 50
"""Requests a second that Discord grants a bot over all routes."""
_EASED = 0.8
"""How much of a rate that was too much is tried next."""
LONGEST_RESET_S = 60.0
"""Discord sometimes names absurd times for a bucket's reset, and does not hold on to them."""
_MAJOR = frozenset({"channels", "guilds"})
_BUCKETS_KEPT = 10_000


@dataclass(slots=True)
class _Bucket:
    remaining: int
    resets_at: float


def route_of(path: str) -> str:
    """Return the path with every id but a leading channel's or guild's replaced: what shares one bucket."""
    parts = path.split("/")
    kept = 2 if parts[0] in _MAJOR else 0
    for index in range(kept, len(parts)):
        if parts[index].isdecimal() or parts[index - 1] == "reactions":
            parts[index] = ":id"
    return "/".join(parts)


def _number(value: object) -> float | None:
    """Return a finite, non-negative number, written as one or as text."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def retry_after(headers: Mapping[str, str], body: Mapping[str, Any] | None) -> float | None:
    """Return how many seconds a refusal asks to wait: the header's, else the body's."""
    found = _number(headers.get("retry-after"))
    return found if found is not None or body is None else _number(body.get("retry_after"))


def is_global(headers: Mapping[str, str], body: Mapping[str, Any] | None) -> bool:
    """Return whether a 429 is about all routes."""
    said = headers.get("x-ratelimit-global", "").lower() == "true" or headers.get("x-ratelimit-scope") == "global"
    return said or (body is not None and body.get("global") is True)


class RateLimits:
    """What is known of the limits, shared by all threads of a run.

    ``reserve`` says how long to wait; 0 means that the request may leave, and counts it.
    """

    def __init__(self, clock: Clock, *, per_second: int | None = GLOBAL_PER_SECOND, buckets_tell: bool = False) -> None:
        """``buckets_tell``: where a server tells of a route's bucket, that alone counts, and not ``per_second``.

        Not for Discord, whose global limit no header tells. Of other servers the first 429 that is global tells it.
        """
        self._clock = clock
        self._per_second = per_second
        self._buckets_tell = buckets_tell
        self._global_per_second: int | None = None
        self._lock = threading.Lock()
        self._bucket_names: dict[str, str] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._closed_until = 0.0
        self._second_began = -math.inf
        self._sent_this_second = 0
        self._sent_last_second = 0

    def reserve(self, route: str) -> float:
        """Return the seconds to wait before asking again; 0 when the request may leave now."""
        with self._lock:
            now = self._clock.monotonic()
            bucket = self._buckets.get(self._bucket_names.get(route, route))
            if bucket is not None and bucket.resets_at <= now:
                bucket = None
            free_at = self._closed_until
            if bucket is not None and bucket.remaining <= 0:
                free_at = max(free_at, bucket.resets_at)
            if now - self._second_began >= 1.0:
                self._sent_last_second = self._sent_this_second if now - self._second_began < 2.0 else 0
                self._second_began, self._sent_this_second = now, 0
            most = self._most_per_second(route)
            if most is not None and self._sent_this_second >= most:
                free_at = max(free_at, self._second_began + 1.0)
            if free_at > now:
                return free_at - now
            self._sent_this_second += 1
            if bucket is not None:
                bucket.remaining -= 1
            return 0.0

    def _most_per_second(self, route: str) -> int | None:
        if self._global_per_second is not None:
            return self._global_per_second
        return None if self._buckets_tell and route in self._bucket_names else self._per_second

    def learn(self, route: str, headers: Mapping[str, str]) -> None:
        """Take in the limits that an answer's headers tell."""
        remaining = _number(headers.get("x-ratelimit-remaining"))
        reset_after = _number(headers.get("x-ratelimit-reset-after"))
        if remaining is None or reset_after is None:
            return
        name = headers.get("x-ratelimit-bucket")
        major = "/".join(route.split("/")[:2])
        key = f"{name} {major}" if name else route
        with self._lock:
            now = self._clock.monotonic()
            resets_at = now + min(reset_after, LONGEST_RESET_S)
            known = self._buckets.get(key)
            if known is not None and known.resets_at > now:
                # Answers of parallel requests arrive in any order: within a period the smaller rest is the true one.
                remaining = min(remaining, known.remaining)
                resets_at = max(resets_at, known.resets_at)
            self._forget_old(now)
            self._bucket_names[route] = key
            self._buckets[key] = _Bucket(remaining=int(remaining), resets_at=resets_at)

    def refused(self, route: str, wait_s: float, *, everywhere: bool) -> None:
        """Close the route, or all of them, for so many seconds."""
        with self._lock:
            until = self._clock.monotonic() + wait_s
            if everywhere:
                self._closed_until = max(self._closed_until, until)
                too_many = max(self._sent_this_second, self._sent_last_second)
                if self._buckets_tell and too_many:
                    self._global_per_second = max(1, int(too_many * _EASED))
            else:
                self._buckets[self._bucket_names.get(route, route)] = _Bucket(remaining=0, resets_at=until)

    def _forget_old(self, now: float) -> None:
        if len(self._bucket_names) < _BUCKETS_KEPT:
            return
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if bucket.resets_at > now}
        self._bucket_names = {route: key for route, key in self._bucket_names.items() if key in self._buckets}
