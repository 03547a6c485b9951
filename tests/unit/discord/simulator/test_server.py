"""The simulator over real HTTP: tokens, refusals, limits, faults, growth."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from dce_play.discord.simulator.faults import Dropped, Fault, Faults, Garbage, RateLimited, Slow, Status, Truncated
from dce_play.discord.simulator.limits import RateLimits
from dce_play.discord.simulator.server import PortTaken, Simulator, running_simulator
from dce_play.discord.simulator.world import Kind, World
from dce_play.discord.simulator.worlds import Size, build_world, rehearsal_world

pytestmark = pytest.mark.contract("R-15.06")


@contextmanager
def client_of(simulator: Simulator, *, authorization: str | None = None) -> Iterator[httpx2.Client]:
    headers = {"Authorization": simulator.token if authorization is None else authorization}
    with httpx2.Client(base_url=simulator.base_url, headers=headers, trust_env=False) as client:
        yield client


def first_text(world: World) -> str:
    return next(channel.channel_id for channel in world.channels() if channel.kind is Kind.TEXT)


def test_it_listens_on_loopback_only() -> None:
    with running_simulator(build_world(1)) as simulator:
        assert simulator.base_url == f"http://127.0.0.1:{simulator.port}/api/v10"


def test_a_port_in_use_is_named() -> None:
    with (
        running_simulator(build_world(1)) as simulator,
        pytest.raises(PortTaken, match=str(simulator.port)),
        running_simulator(build_world(1), port=simulator.port),
    ):
        pass


@pytest.mark.contract("R-18.05")
def test_user_and_bot_tokens_are_told_apart() -> None:
    world = build_world(1)
    with running_simulator(world) as simulator:
        expected = {
            simulator.token: world.user.user_id,
            f"Bot {simulator.bot_token}": world.bot.user_id,
            f"Bot {simulator.token}": None,
            simulator.bot_token: None,
            "nonsense": None,
        }
        for authorization, user_id in expected.items():
            with client_of(simulator, authorization=authorization) as client:
                response = client.get("/users/@me")
                assert response.status_code == (200 if user_id else 401)
                assert response.json().get("id") == user_id


def test_growth_is_seen_by_the_next_request() -> None:
    world = build_world(1, size=Size(channels=2, messages=3))
    channel = first_text(world)
    with running_simulator(world) as simulator, client_of(simulator) as client:
        before = client.get(f"/channels/{channel}/messages").json()
        simulator.grow(4)
        after = client.get(f"/channels/{channel}/messages").json()
        assert len(after) == len(before) + 2
        assert after[2:] == before
        last = client.get(f"/channels/{channel}").json()["last_message_id"]
        assert last == after[0]["id"]


def test_another_process_grows_the_world_by_a_request() -> None:
    world = build_world(1, size=Size(channels=1, messages=3))
    with running_simulator(world) as simulator, client_of(simulator) as client:
        control = simulator.base_url.removesuffix("/api/v10") + "/_simulator/grow"
        assert client.post(control, json={"messages": 5}).status_code == 200
        assert world.timeline(next(world.channels()).channel_id).count == 8
        assert client.post(control, content=b"[]").status_code == 400
        assert client.get(control).status_code == 405


def test_forbidden_missing_and_wrong_things_are_refused_in_discords_words() -> None:
    world = rehearsal_world(1)
    by_name = {channel.name: channel.channel_id for channel in world.channels()}
    expected = {
        f"/channels/{by_name['board-room']}": (200, None),
        f"/channels/{by_name['board-room']}/messages?limit=1": (403, 50001),
        f"/channels/{by_name['ideas']}/messages": (400, 50024),
        f"/channels/{by_name['general']}/messages?limit=101": (400, 50035),
        f"/channels/{by_name['general']}/messages?after=x": (400, 50035),
        f"/channels/{by_name['general']}/messages/1/reactions/x": (404, 10008),
        "/channels/1": (404, 10003),
        "/guilds/1": (404, 10004),
        "/nonsense": (404, 0),
    }
    with running_simulator(world) as simulator, client_of(simulator) as client:
        for path, (status, code) in expected.items():
            response = client.get(path)
            assert (response.status_code, response.json().get("code")) == (status, code), path
        assert client.delete("/users/@me").status_code == 405


@pytest.mark.contract("R-18.03")
def test_a_bucket_runs_out_and_says_when_it_is_full_again() -> None:
    world = build_world(1, size=Size(channels=2))
    one, two = [channel.channel_id for channel in world.channels()]
    limits = RateLimits(per_bucket=2, window_s=3600.0)
    with running_simulator(world, limits=limits) as simulator, client_of(simulator) as client:
        answers = [client.get(f"/channels/{one}") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [each.headers["X-RateLimit-Remaining"] for each in answers] == ["1", "0", "0"]
        refused = answers[2]
        assert 0 < float(refused.headers["X-RateLimit-Reset-After"]) <= 3600
        assert refused.json()["retry_after"] <= int(refused.headers["Retry-After"]) <= 3600
        assert refused.json()["global"] is False
        assert client.get(f"/channels/{two}").status_code == 200
        assert client.get(f"/channels/{one}/messages").status_code == 200


@pytest.mark.contract("R-18.03")
def test_the_global_limit_covers_all_buckets() -> None:
    limits = RateLimits(everywhere=1)
    with running_simulator(build_world(1), limits=limits) as simulator, client_of(simulator) as client:
        answers = [client.get(path) for path in ("/users/@me", "/users/@me/guilds")]
        refused = answers[1]
        assert (refused.status_code, refused.json()["global"]) == (429, True)
        assert refused.headers["X-RateLimit-Scope"] == "global"


@pytest.mark.contract("R-18.03")
def test_scripted_faults_hit_the_requests_they_name_and_no_others() -> None:
    world = build_world(1)
    path = f"/channels/{first_text(world)}/messages?limit=2"
    faults = Faults(
        scripted=(
            Fault(path="/channels/*/messages*", skip=1, times=2, trouble=Status(status=502)),
            Fault(path="/users/@me", trouble=RateLimited(retry_after_s=0.25, header="0.25")),
            Fault(path="/users/@me/guilds", trouble=Garbage()),
            Fault(path="/users/@me/channels", trouble=Slow(delay_s=0.01), times=None),
        )
    )
    with running_simulator(world, faults=faults) as simulator, client_of(simulator) as client:
        assert [client.get(path).status_code for _ in range(4)] == [200, 502, 502, 200]
        limited = client.get("/users/@me")
        assert (limited.status_code, limited.headers["Retry-After"]) == (429, "0.25")
        assert client.get("/users/@me").status_code == 200
        with pytest.raises(json.JSONDecodeError):
            client.get("/users/@me/guilds").json()
        assert client.get("/users/@me/channels").json() == []
        simulator.play(Faults(scripted=(Fault(trouble=Status(status=503)),)))
        assert client.get(path).status_code == 503


@pytest.mark.contract("R-18.03")
@pytest.mark.parametrize("trouble", [Dropped(), Truncated(), Truncated(share=0.99)])
def test_a_cut_connection_is_an_error_to_the_client_and_only_once(trouble: Dropped | Truncated) -> None:
    faults = Faults(scripted=(Fault(path="/users/@me", trouble=trouble),))
    with running_simulator(build_world(1), faults=faults) as simulator, client_of(simulator) as client:
        with pytest.raises(httpx2.TransportError):
            client.get("/users/@me")
        assert client.get("/users/@me").status_code == 200
        assert [each.status for each in simulator.requests] == [0, 200]


def test_random_trouble_is_the_same_for_the_same_seed() -> None:
    def statuses() -> list[int]:
        faults = Faults(random_share=0.5, random_troubles=(Status(status=500), Status(status=502)), seed=3)
        with running_simulator(build_world(1), faults=faults) as simulator, client_of(simulator) as client:
            return [client.get("/users/@me").status_code for _ in range(20)]

    first = statuses()
    assert first == statuses()
    assert {200, 500, 502} == set(first)


def test_a_bot_without_the_content_intent_sees_messages_without_content() -> None:
    world = build_world(1, bot_reads_content=False)
    with running_simulator(world) as simulator:
        path = f"/channels/{first_text(world)}/messages?limit=100"
        with client_of(simulator, authorization=f"Bot {simulator.bot_token}") as client:
            assert {message["content"] for message in client.get(path).json()} == {""}
            assert client.get("/applications/@me").json()["flags"] == 0
        with client_of(simulator) as client:
            assert any(message["content"] for message in client.get(path).json())


def test_messages_posted_while_a_page_is_read_are_on_no_page_before() -> None:
    world = build_world(1, size=Size(messages=5))
    channel = first_text(world)
    with running_simulator(world, faults=Faults(live_messages=3)) as simulator, client_of(simulator) as client:
        path = f"/channels/{channel}/messages?limit=100"
        assert [len(client.get(path).json()) for _ in range(3)] == [5, 8, 11]


def test_every_request_is_noted_with_whose_it_was() -> None:
    with running_simulator(build_world(1)) as simulator:
        with client_of(simulator, authorization=f"Bot {simulator.bot_token}") as client:
            client.get("/users/@me/guilds?limit=100")
        with client_of(simulator, authorization="x") as client:
            client.get("/users/@me")
        noted = [(each.method, each.path, each.status, each.bot) for each in simulator.requests]
    assert noted == [("GET", "/users/@me/guilds?limit=100", 200, True), ("GET", "/users/@me", 401, None)]
