"""Tests of requests, retries and waits. Time is the test's own."""

import logging

import pytest

from dce_play.discord.exporters.discord_api.rest.client import (
    LONGEST_WAIT_S,
    PATIENCE_S,
    RETRIES,
    BadToken,
    ClientLimits,
    DiscordClient,
    RequestGivenUp,
    RequestRefused,
)
from dce_play.discord.exporters.discord_api.rest.transport import Timeouts
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import AuthenticationFailed, ExportError
from dce_play.system.clock import SystemClock
from tests.support.deaf_server import deaf_server
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, Reply, ScriptedDiscord


@pytest.fixture
def client(discord: ScriptedDiscord, clock: FakeClock) -> DiscordClient:
    return DiscordClient(discord.base_url, TOKEN, clock=clock)


@pytest.fixture
def watch(clock: FakeClock) -> Watch:
    return Watch(clock)


@pytest.mark.contract("R-18.05")
def test_a_users_token_is_known_after_one_request(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch
) -> None:
    assert not client.is_bot(watch)
    assert not client.is_bot(watch)
    client.close()

    assert [seen.authorization for seen in discord.requests] == [TOKEN]


@pytest.mark.contract("R-18.05")
def test_a_bots_token_is_known_after_two_requests(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch
) -> None:
    discord.on("users/@me", Reply(status=401), {"id": "1"})

    assert client.is_bot(watch)
    assert client.is_bot(watch)
    client.close()

    assert [seen.authorization for seen in discord.requests] == [TOKEN, f"Bot {TOKEN}"]


@pytest.mark.contract("R-18.05")
def test_whatever_is_not_401_makes_it_a_users_token(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch
) -> None:
    discord.on("users/@me", Reply(status=403))

    assert not client.is_bot(watch)
    client.close()


@pytest.mark.contract("R-18.04", "R-18.05")
def test_a_token_that_is_refused_twice_is_dead(discord: ScriptedDiscord, client: DiscordClient, watch: Watch) -> None:
    discord.on("users/@me", Reply(status=401))

    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            client.get("channels/1", watch=watch)
    client.close()

    assert discord.paths == ["users/@me", "users/@me"]


@pytest.mark.parametrize(
    ("refusal", "waited_s"),
    [
        (Reply(status=429, headers={"Retry-After": "7"}), 8),
        (Reply(status=429, headers={"Retry-After": "0.25"}), 1.25),
        (Reply(status=429, body={"retry_after": 3.5, "global": False}), 4.5),
        (Reply(status=429, headers={"Retry-After": "7"}, body={"retry_after": 3.5}), 8),
        (Reply(status=429), 2),
        (Reply(status=429, headers={"Retry-After": "soon"}, body={"retry_after": True}), 2),
        (Reply(status=503, headers={"Retry-After": "7"}), 8),
        (Reply(status=408), 2),
        (Reply(status=500), 2),
        (Reply(status=502, raw=b"<html>bad gateway</html>"), 2),
        (Reply(body={"cut": "in the middle"}, cut_at=5), 2),
        (Reply(raw=b"{not json"), 2),
        (Reply(raw=b""), 2),
        (Reply(raw=b"\xff\xfe"), 2),
    ],
    ids=str,
)
@pytest.mark.contract("R-18.03")
def test_a_passing_failure_is_waited_out_and_asked_again(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, clock: FakeClock, refusal: Reply, waited_s: float
) -> None:
    discord.on("channels/1", refusal, {"id": "1", "type": 0})

    assert client.get("channels/1", watch=watch) == {"id": "1", "type": 0}
    client.close()

    assert clock.monotonic() == pytest.approx(waited_s)
    assert discord.paths.count("channels/1") == 2


@pytest.mark.contract("R-18.03")
def test_long_waits_for_another_try_are_told(discord: ScriptedDiscord, clock: FakeClock, watch: Watch) -> None:
    told: list[str] = []
    client = DiscordClient(discord.base_url, TOKEN, clock=clock, note=told.append)
    discord.on("channels/1", *[Reply(status=503)] * 4, {"id": "1", "type": 0})

    client.get("channels/1", watch=watch)
    client.close()

    assert told == [
        "WARN: HTTP 503 for 'channels/1'; trying again in 5 s",
        "WARN: HTTP 503 for 'channels/1'; trying again in 9 s",
    ]


@pytest.mark.contract("R-18.03")
@pytest.mark.parametrize("more_s", [0.0, 0.5])
def test_waits_double_and_end_with_the_patience(discord: ScriptedDiscord, clock: FakeClock, more_s: float) -> None:
    waits = [2**n + 1 for n in range(5)]
    client = DiscordClient(discord.base_url, TOKEN, clock=clock, limits=ClientLimits(patience_s=sum(waits) - more_s))
    discord.on("channels/1", Reply(status=503))

    with pytest.raises(RequestGivenUp, match=f"503, {5 if more_s else 6} times"):
        client.get("channels/1", watch=Watch(clock))
    client.close()

    assert clock.monotonic() == pytest.approx(sum(waits[:-1] if more_s else waits))


@pytest.mark.contract("R-18.03")
def test_nobody_is_waited_for_as_long_again_after_a_request_that_was_given_up(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, clock: FakeClock
) -> None:
    discord.on("channels/1", *[Reply(status=503)] * 12, {"id": "1", "type": 0}, Reply(status=503))
    with pytest.raises(RequestGivenUp, match="503, 8 times"):
        client.get("channels/1", watch=watch)
    assert clock.monotonic() <= PATIENCE_S

    before = clock.monotonic()
    for _ in range(4):
        with pytest.raises(RequestGivenUp, match="503, once"):
            client.get("channels/1", watch=watch)
    assert clock.monotonic() == before

    assert client.get("channels/1", watch=watch) == {"id": "1", "type": 0}
    with pytest.raises(RequestGivenUp, match="503, 8 times"):  # whoever has answered is waited for again
        client.get("channels/1", watch=watch)
    client.close()


@pytest.mark.contract("R-18.03")
def test_waits_that_are_asked_for_end_after_the_last_retry(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, clock: FakeClock
) -> None:
    discord.on("channels/1", Reply(status=429, headers={"Retry-After": "60"}))

    with pytest.raises(RequestGivenUp, match=f"{RETRIES + 1} times"):
        client.get("channels/1", watch=watch)
    client.close()

    assert discord.paths.count("channels/1") == RETRIES + 1
    assert clock.monotonic() == pytest.approx(RETRIES * 61)


@pytest.mark.contract("R-18.03")
def test_a_server_that_is_not_there_is_given_up(clock: FakeClock, watch: Watch) -> None:
    client = DiscordClient("http://127.0.0.1:9/api/v10", TOKEN, clock=clock)

    with pytest.raises(RequestGivenUp, match="ConnectError"):
        client.get("channels/1", watch=watch)
    client.close()


@pytest.mark.contract("R-18.03")
def test_a_ban_is_told_rather_than_sat_out(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, clock: FakeClock
) -> None:
    discord.on("channels/1", Reply(status=429, headers={"Retry-After": str(LONGEST_WAIT_S + 1)}))

    with pytest.raises(RequestGivenUp, match="asks to wait"):
        client.get("channels/1", watch=watch)
    client.close()

    assert clock.monotonic() == 0


@pytest.mark.contract("R-18.03")
def test_a_spent_bucket_is_waited_for_before_the_next_request(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, clock: FakeClock
) -> None:
    spent = {"X-RateLimit-Bucket": "abc", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "4.5"}
    discord.on("channels/1/messages", Reply(body=[], headers=spent))
    discord.on("channels/2/messages", Reply(body=[], headers=spent))

    client.get("channels/1/messages", watch=watch)
    client.get("channels/2/messages", watch=watch)
    assert clock.monotonic() == 0
    client.get("channels/1/messages", watch=watch)
    client.close()

    assert clock.monotonic() == pytest.approx(4.5)


@pytest.mark.parametrize(
    "refusal",
    [
        Reply(status=429, headers={"Retry-After": "20", "X-RateLimit-Global": "true"}),
        Reply(status=429, headers={"Retry-After": "20", "X-RateLimit-Scope": "global"}),
        Reply(status=429, body={"retry_after": 20, "global": True}),
    ],
    ids=str,
)
@pytest.mark.contract("R-18.03")
def test_a_global_limit_closes_all_routes(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, clock: FakeClock, refusal: Reply
) -> None:
    discord.on("channels/1", refusal)
    discord.on("guilds/2", {"id": "2", "name": "g"})
    with pytest.raises(RequestGivenUp):
        client.get("channels/1", watch=watch)
    before = clock.monotonic()

    client.get("guilds/2", watch=watch)
    client.close()

    assert clock.monotonic() - before == pytest.approx(20)


def test_no_more_requests_leave_in_a_second_than_granted(discord: ScriptedDiscord, clock: FakeClock) -> None:
    client = DiscordClient(discord.base_url, TOKEN, clock=clock, limits=ClientLimits(per_second=10))
    discord.on("channels/1", {"id": "1", "type": 0})

    for _ in range(39):
        client.get("channels/1", watch=Watch(clock))
    client.close()

    assert clock.monotonic() == pytest.approx(3)


@pytest.mark.contract("F-D10")
@pytest.mark.parametrize(
    ("host", "most"),
    [("discord.com", 50), ("canary.discord.com", 50), ("discordapp.com", 50), ("discord.com.example", 80)],
)
def test_only_discord_is_kept_to_its_global_limit(clock: FakeClock, host: str, most: int) -> None:
    client = DiscordClient(f"https://{host}/api/v10", TOKEN, clock=clock)
    told = {"x-ratelimit-bucket": "b", "x-ratelimit-remaining": "1000", "x-ratelimit-reset-after": "1"}
    client._limits.learn("channels/1/messages", told)
    assert sum(client._limits.reserve("channels/1/messages") == 0 for _ in range(80)) == most
    client.close()


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.contract("R-18.04")
def test_what_is_out_of_reach_is_refused_or_not_found(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, status: int
) -> None:
    discord.on("channels/1", Reply(status=status))

    with pytest.raises(RequestRefused) as refused:
        client.get("channels/1", watch=watch)
    assert client.find("channels/1", watch=watch) is None
    client.close()

    assert refused.value.out_of_reach
    assert discord.paths.count("channels/1") == 2


@pytest.mark.parametrize("status", [302, 400, 418])
def test_any_other_status_fails_at_once(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, status: int
) -> None:
    discord.on("channels/1", Reply(status=status, headers={"Location": f"{discord.base_url}users/@me"}))

    with pytest.raises(RequestRefused) as refused:
        client.find("channels/1", watch=watch)
    client.close()

    assert not refused.value.out_of_reach
    assert discord.paths == ["users/@me", "channels/1"]


def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(discord: ScriptedDiscord) -> None:
    limits = ClientLimits(timeouts=Timeouts(total_s=0.05), budget=2)
    client = DiscordClient(discord.base_url, TOKEN, clock=SystemClock(), limits=limits)
    discord.on("channels/1", Reply(body={"id": "1" * 2000}, pause_s=0.01))

    with pytest.raises(ExportError):
        client.get("channels/1", watch=Watch(SystemClock()))
    client.close()


def test_a_server_that_says_nothing_is_not_waited_for(discord: ScriptedDiscord, clock: FakeClock, watch: Watch) -> None:
    limits = ClientLimits(timeouts=Timeouts(silence_s=0.05))
    client = DiscordClient(discord.base_url, TOKEN, clock=clock, limits=limits)
    discord.on("channels/1", Reply(body={"id": "1", "type": 5}, pause_s=0.5), {"id": "1", "type": 0})

    assert client.get("channels/1", watch=watch) == {"id": "1", "type": 0}
    client.close()

    assert discord.paths.count("channels/1") == 2


def test_a_server_that_takes_no_connection_is_not_waited_for(clock: FakeClock, watch: Watch) -> None:
    limits = ClientLimits(timeouts=Timeouts(connect_s=0.05))
    with deaf_server() as port:
        client = DiscordClient(f"http://127.0.0.1:{port}/api/v10/", TOKEN, clock=clock, limits=limits)
        with pytest.raises(RequestGivenUp, match="ConnectTimeout"):
            client.get("channels/1", watch=watch)
        client.close()


def test_the_token_is_in_no_log_error_or_repr(
    discord: ScriptedDiscord, client: DiscordClient, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    discord.on("channels/1", Reply(status=403, body={"message": TOKEN}))

    with pytest.raises(RequestRefused) as refused:
        client.get("channels/1", watch=watch)
    client.close()

    assert TOKEN not in caplog.text
    assert TOKEN not in f"{refused.value} {refused.value.hint} {client!r} {vars(refused.value)}"


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "tab\there", "ümlaut", "null\0"])
def test_a_text_that_is_no_token_is_refused_without_being_shown(token: str, clock: FakeClock) -> None:
    with pytest.raises(BadToken) as refused:
        DiscordClient("http://127.0.0.1:9", token, clock=clock)

    assert not token or token not in f"{refused.value} {refused.value.hint}"
