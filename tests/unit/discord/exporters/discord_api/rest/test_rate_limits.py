"""Tests of when a request may leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.discord_api.rest.rate_limits import RateLimits, is_global, retry_after, route_of
from tests.support.fakes import FakeClock


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("users/@me", "users/@me"),
        ("users/123", "users/:id"),
        ("channels/123/messages", "channels/123/messages"),
        ("channels/123/messages/456/reactions/%F0%9F%91%8D", "channels/123/messages/:id/reactions/:id"),
        ("channels/123/messages/456/reactions/party%3A7", "channels/123/messages/:id/reactions/:id"),
        ("guilds/123/members/456", "guilds/123/members/:id"),
    ],
)
def test_requests_for_different_things_of_one_channel_share_a_route(path: str, route: str) -> None:
    assert route_of(path) == route


def headers(remaining: object, reset_after: object, bucket: str = "b") -> dict[str, str]:
    return {
        "x-ratelimit-bucket": bucket,
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset-after": str(reset_after),
    }


@pytest.mark.contract("R-18.03")
def test_a_bucket_lets_through_what_remains_and_then_waits() -> None:
    clock = FakeClock()
    limits = RateLimits(clock, per_second=None)
    limits.learn("channels/1/messages", headers(2, 5))

    assert [limits.reserve("channels/1/messages") for _ in range(3)] == [0, 0, 5]
    clock.advance(5)
    assert limits.reserve("channels/1/messages") == 0


def test_routes_with_the_same_bucket_share_it_for_the_same_channel_only() -> None:
    limits = RateLimits(FakeClock(), per_second=None)
    for route in ("channels/1/a", "channels/1/b", "channels/2/a"):
        limits.learn(route, headers(1, 5))

    assert limits.reserve("channels/1/a") == 0
    assert limits.reserve("channels/1/b") == 5
    assert limits.reserve("channels/2/a") == 0


def test_an_absurd_reset_is_not_waited_for() -> None:
    limits = RateLimits(FakeClock(), per_second=None)
    limits.learn("channels/1", headers(0, 86400))

    assert limits.reserve("channels/1") == 60


@pytest.mark.parametrize(
    ("remaining", "reset_after"), [("", 5), (0, ""), ("nan", 5), (0, "-1"), (0, "inf"), ("x", "y")]
)
def test_headers_that_make_no_sense_are_passed_over(remaining: object, reset_after: object) -> None:
    limits = RateLimits(FakeClock(), per_second=None)
    limits.learn("channels/1", headers(remaining, reset_after))

    assert limits.reserve("channels/1") == 0


def test_answers_in_the_wrong_order_do_not_raise_what_remains() -> None:
    limits = RateLimits(FakeClock(), per_second=None)
    limits.learn("channels/1", headers(0, 5))
    limits.learn("channels/1", headers(1, 5))

    assert limits.reserve("channels/1") == 5


def test_what_is_remembered_does_not_grow_for_ever() -> None:
    clock = FakeClock()
    limits = RateLimits(clock, per_second=None)
    for number in range(30_000):
        limits.learn(f"channels/{number}", headers(0, 1))
        clock.advance(1)

    assert len(vars(limits)["_buckets"]) <= 10_001


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10)), max_size=20), st.integers(1, 5))
def test_waiting_as_told_always_ends(answers: list[tuple[int, int]], per_second: int) -> None:
    clock = FakeClock()
    limits = RateLimits(clock, per_second=per_second)
    for remaining, reset_after in answers:
        for _ in range(10):
            wait_s = limits.reserve("channels/1")
            if wait_s == 0:
                break
            clock.advance(wait_s)
        else:
            pytest.fail("the request never left")
        limits.learn("channels/1", headers(remaining, reset_after))


@pytest.mark.parametrize(
    ("given_headers", "body", "seconds"),
    [
        ({"retry-after": "1.5"}, {"retry_after": 9}, 1.5),
        ({}, {"retry_after": 0.3}, 0.3),
        ({}, {"retry_after": "2"}, 2),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, None),
        ({}, {"retry_after": None}, None),
        ({"retry-after": "-5"}, None, None),
        ({}, None, None),
    ],
)
@pytest.mark.contract("R-18.03")
def test_the_wait_asked_for_is_the_headers_else_the_bodys(
    given_headers: dict[str, str], body: dict[str, object] | None, seconds: float | None
) -> None:
    assert retry_after(given_headers, body) == seconds


def test_a_refusal_of_one_route_is_not_global() -> None:
    assert not is_global({"x-ratelimit-scope": "shared"}, {"global": False})


@pytest.mark.contract("F-D10")
def test_where_buckets_are_told_they_alone_count_until_a_global_refusal() -> None:
    clock = FakeClock()
    limits = RateLimits(clock, per_second=50, buckets_tell=True)
    assert sum(limits.reserve("channels/1/messages") == 0 for _ in range(80)) == 50
    clock.advance(1)
    limits.learn("channels/1/messages", headers(1000, 1))
    assert sum(limits.reserve("channels/1/messages") == 0 for _ in range(80)) == 80
    limits.refused("channels/1/messages", 1, everywhere=True)
    clock.advance(1)
    assert sum(limits.reserve("channels/1/messages") == 0 for _ in range(80)) == 64


@pytest.mark.contract("F-D10")
def test_discords_own_global_limit_is_kept_whatever_buckets_say() -> None:
    limits = RateLimits(FakeClock(), per_second=50)
    limits.learn("channels/1/messages", headers(1000, 1))
    assert sum(limits.reserve("channels/1/messages") == 0 for _ in range(80)) == 50
