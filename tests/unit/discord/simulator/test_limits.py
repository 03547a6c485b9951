"""Rate-limit windows by a clock that stands still."""

import pytest

from dce_play.discord.simulator.limits import RateLimiter, RateLimits
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.contract("R-18.03")


def test_a_window_admits_so_many_and_then_opens_again() -> None:
    clock = FakeClock()
    limiter = RateLimiter(RateLimits(per_bucket=2, window_s=5.0), clock)
    assert [limiter.admit("a").allowed for _ in range(4)] == [True, True, False, False]
    assert limiter.admit("b").allowed
    clock.advance(2.0)
    refused = limiter.admit("a")
    assert (refused.allowed, refused.retry_after_s) == (False, 3.0)
    clock.advance(refused.retry_after_s)
    assert limiter.admit("a").allowed


def test_the_headers_say_how_things_stand() -> None:
    clock = FakeClock()
    limiter = RateLimiter(RateLimits(per_bucket=2, window_s=5.0), clock)
    headers = dict(limiter.admit("a").headers)
    assert headers["X-RateLimit-Limit"] == "2"
    assert headers["X-RateLimit-Remaining"] == "1"
    assert headers["X-RateLimit-Reset-After"] == "5.000"
    assert headers["X-RateLimit-Reset"] == f"{clock.now().timestamp() + 5:.3f}"
    assert headers["X-RateLimit-Bucket"] != dict(limiter.admit("b").headers)["X-RateLimit-Bucket"]


def test_the_global_limit_counts_every_bucket_and_says_so() -> None:
    clock = FakeClock()
    limiter = RateLimiter(RateLimits(everywhere=2), clock)
    verdicts = [limiter.admit(bucket) for bucket in "abc"]
    assert [verdict.allowed for verdict in verdicts] == [True, True, False]
    assert verdicts[2].everywhere
    clock.advance(1.0)
    assert limiter.admit("c").allowed
