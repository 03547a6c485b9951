"""Tests of the exporter as a whole, against real HTTP."""

import json
import threading
import tracemalloc
from pathlib import Path

import pytest

from dce_play.discord.exporters.discord_api.channel_export import ListingEndedEarly
from dce_play.discord.exporters.discord_api.exporter import NoMessageContent
from dce_play.discord.exporters.discord_api.rest.client import BudgetSpent, ClientLimits
from dce_play.discord.exporters.discord_api.rest.pages import EndlessListing
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    Completeness,
    DiskFull,
    ExportCancelled,
    ExportFailed,
    ExportProgress,
    SkipReason,
)
from dce_play.snowflake import ChannelId, MessageId
from tests.support.exporting import export, opened
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import Reply, Room, ScriptedDiscord, message, replay

GOLD = Path(__file__).parents[4] / "data" / "gold"
WORLDS = ("stub-rich", "stub-th", "stub-empty", "sb-general")


def without_export_time(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if not line.startswith(b'  "exportedAt":')]


def ids(path: Path) -> list[int]:
    return [int(found["id"]) for found in json.loads(path.read_bytes())["messages"]]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.contract("R-16.01", "R-16.04", "R-16.07", "R-18.12")
def test_the_same_answers_give_the_same_bytes_as_dce(discord: ScriptedDiscord, tmp_path: Path, world: str) -> None:
    expected = (GOLD / world / "expected.json").read_bytes()
    replay(GOLD / world / "api.jsonl", discord)
    output = tmp_path / "export.json"

    with opened(discord) as exporter:
        outcome = export(exporter, output, channel_id=json.loads(expected)["channel"]["id"])

    assert without_export_time(output.read_bytes()) == without_export_time(expected)
    assert outcome.completeness is Completeness.COMPLETE
    assert outcome.message_count == json.loads(expected)["messageCount"]
    assert outcome.request_count == len(discord.requests)


@pytest.mark.contract("R-3.16", "R-18.04")
def test_a_forbidden_channel_is_skipped_and_leaves_no_file(discord: ScriptedDiscord, tmp_path: Path) -> None:
    replay(GOLD / "stub-secret" / "api.jsonl", discord)
    output = tmp_path / "export.json"

    with opened(discord) as exporter, pytest.raises(ChannelSkipped) as skipped:
        export(exporter, output, channel_id="796622506164224000")

    assert skipped.value.reason is SkipReason.FORBIDDEN
    assert skipped.value.channel_id == "796622506164224000"
    assert not output.exists()


@pytest.mark.contract("R-3.16", "R-18.04")
def test_an_unknown_channel_is_skipped_and_its_siblings_are_not(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()

    with opened(discord) as exporter:
        with pytest.raises(ChannelSkipped) as skipped:
            export(exporter, tmp_path / "gone.json", channel_id="404")
        assert export(exporter, tmp_path / "here.json").message_count == 1

    assert skipped.value.reason is SkipReason.NOT_FOUND
    assert not (tmp_path / "gone.json").exists()


@pytest.mark.parametrize("type_number", [4, 14, 15, 16])
@pytest.mark.contract("R-3.02")
def test_a_channel_without_messages_of_its_own_is_skipped(
    discord: ScriptedDiscord, tmp_path: Path, type_number: int
) -> None:
    Room(discord=discord, message_ids=[5], channel_type=type_number).open()

    with opened(discord) as exporter, pytest.raises(ChannelSkipped) as skipped:
        export(exporter, tmp_path / "export.json")

    assert skipped.value.reason is SkipReason.FORUM


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
@pytest.mark.contract("R-18.01")
def test_all_messages_are_exported_oldest_first(discord: ScriptedDiscord, tmp_path: Path, count: int) -> None:
    wanted = [1000 + 7 * number for number in range(count)]
    Room(discord=discord, message_ids=wanted).open()

    with opened(discord) as exporter:
        outcome = export(exporter, tmp_path / "export.json")

    assert ids(tmp_path / "export.json") == wanted
    assert outcome.message_count == count
    assert outcome.last_id == (MessageId(str(wanted[-1])) if wanted else None)


@pytest.mark.contract("R-18.01")
def test_a_short_page_is_not_the_end(discord: ScriptedDiscord, tmp_path: Path) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 31)))
    room.open()
    discord.on("channels/111/messages", lambda query: room.page(query | {"limit": str(min(int(query["limit"]), 7))}))

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    assert ids(tmp_path / "export.json") == list(range(1, 31))


@pytest.mark.contract("R-18.01")
def test_a_page_in_ascending_order_is_taken_as_well(discord: ScriptedDiscord, tmp_path: Path) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 131)))
    room.open()
    discord.on("channels/111/messages", lambda query: room.page(query)[::-1])

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    assert ids(tmp_path / "export.json") == list(range(1, 131))


@pytest.mark.contract("R-18.01")
def test_a_message_posted_during_the_export_is_left_for_the_next_one(discord: ScriptedDiscord, tmp_path: Path) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 151)))
    room.open()

    def page(query: dict[str, str]) -> object:
        found = room.page(query)
        if query.get("after") == "100":
            room.message_ids.append(151)
            found = room.page(query)
        return found

    discord.on("channels/111/messages", page)

    with opened(discord) as exporter:
        first = export(exporter, tmp_path / "first.json")
        room.open()
        second = export(exporter, tmp_path / "second.json", after=first.last_id)

    assert first.last_id == "150"
    assert first.completeness is Completeness.COMPLETE
    assert ids(tmp_path / "second.json") == [151]
    assert second.completeness is Completeness.COMPLETE


@pytest.mark.contract("R-18.01", "R-18.02")
def test_after_is_exclusive_and_dated(discord: ScriptedDiscord, tmp_path: Path) -> None:
    after, newer = 1191184013721600001, 1191184013721600002
    Room(discord=discord, message_ids=[after, newer]).open()

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json", after=str(after))

    assert ids(tmp_path / "export.json") == [newer]
    written = json.loads((tmp_path / "export.json").read_bytes())
    assert written["dateRange"] == {"after": "2024-01-01T01:00:00+00:00", "before": None}


def test_nothing_newer_costs_one_request_for_one_message(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()

    with opened(discord) as exporter:
        outcome = export(exporter, tmp_path / "export.json", after="5")

    assert outcome.message_count == 0
    assert outcome.last_id is None
    assert outcome.completeness is Completeness.COMPLETE
    assert [seen.query for seen in discord.requests if seen.path == "channels/111/messages"] == [{"limit": "1"}]
    assert (tmp_path / "export.json").read_bytes().endswith(b'  "messages": [],\n  "messageCount": 0\n}')


def test_a_last_message_that_was_deleted_leaves_the_export_complete(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5, 6], last_message_id=9).open()

    with opened(discord) as exporter:
        outcome = export(exporter, tmp_path / "export.json")

    assert outcome.completeness is Completeness.COMPLETE
    assert ids(tmp_path / "export.json") == [5, 6]


@pytest.mark.contract("R-16.05", "R-18.02")
def test_pages_that_end_before_the_newest_message_leave_a_partial(discord: ScriptedDiscord, tmp_path: Path) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 301)))
    room.open()
    discord.on(
        "channels/111/messages",
        lambda query: [] if query["limit"] == "100" and int(query["after"]) >= 200 else room.page(query),
    )

    with opened(discord) as exporter, pytest.raises(ListingEndedEarly):
        export(exporter, tmp_path / "export.json")

    assert_partial(tmp_path / "export.json", list(range(1, 201)))


def assert_partial(path: Path, wanted: list[int]) -> None:
    """Check that the file ends behind a whole message and has no trailer."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n    }")
    assert [int(found["id"]) for found in json.loads(text + "\n  ]\n}")["messages"]] == wanted


@pytest.mark.contract("R-16.05", "R-18.02")
def test_a_failure_on_a_later_page_keeps_the_messages_before_it(discord: ScriptedDiscord, tmp_path: Path) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 251)))
    room.open()
    discord.on(
        "channels/111/messages",
        lambda query: Reply(status=500) if query.get("after") == "200" else room.page(query),
    )

    with opened(discord) as exporter, pytest.raises(ExportFailed):
        export(exporter, tmp_path / "export.json")

    assert_partial(tmp_path / "export.json", list(range(1, 201)))


@pytest.mark.contract("R-18.04")
def test_a_channel_that_becomes_forbidden_half_way_keeps_its_partial(discord: ScriptedDiscord, tmp_path: Path) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 151)))
    room.open()
    discord.on(
        "channels/111/messages",
        lambda query: Reply(status=403) if query.get("after") == "100" else room.page(query),
    )

    with opened(discord) as exporter, pytest.raises(ChannelSkipped):
        export(exporter, tmp_path / "export.json")

    assert_partial(tmp_path / "export.json", list(range(1, 101)))


@pytest.mark.contract("R-18.04")
def test_a_dead_token_stops_all_channels_and_is_not_tried_again(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", Reply(status=401))

    with opened(discord) as exporter:
        with pytest.raises(AuthenticationFailed):
            export(exporter, tmp_path / "export.json")
        asked = len(discord.requests)
        with pytest.raises(AuthenticationFailed):
            export(exporter, tmp_path / "export.json")

    assert len(discord.requests) == asked


def test_a_message_that_discord_describes_otherwise_fails_the_channel(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", [message(5, author="bob")])

    with opened(discord) as exporter, pytest.raises(ExportFailed, match="author is not an object") as failed:
        export(exporter, tmp_path / "export.json")

    assert failed.value.channel_id == "111"


@pytest.mark.parametrize("given", [{"after": "0"}, {}])
def test_a_server_that_ignores_after_is_found_out(
    discord: ScriptedDiscord, tmp_path: Path, given: dict[str, str]
) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 151)))
    room.open()
    discord.on("channels/111/messages", lambda query: room.page({"limit": query["limit"]} | given))

    with opened(discord) as exporter, pytest.raises(EndlessListing):
        export(exporter, tmp_path / "export.json")


@pytest.mark.contract("R-18.11")
def test_a_bot_without_the_right_to_contents_is_told_so(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("users/@me", Reply(status=401), {"id": "1", "username": "bot"})
    discord.on("channels/111/messages", [message(5, content="")])
    discord.on("applications/@me", {"id": "1", "flags": 0})

    with opened(discord) as exporter, pytest.raises(NoMessageContent):
        export(exporter, tmp_path / "export.json")


@pytest.mark.parametrize("flags", [1 << 18, 1 << 19])
@pytest.mark.contract("R-18.11")
def test_a_bot_with_that_right_is_asked_about_once(discord: ScriptedDiscord, tmp_path: Path, flags: int) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 151)))
    room.open()
    discord.on("users/@me", Reply(status=401), {"id": "1", "username": "bot"})
    discord.on("channels/111/messages", lambda query: [found | {"content": ""} for found in room.page(query)])
    discord.on("applications/@me", {"id": "1", "flags": flags})

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    assert discord.paths.count("applications/@me") == 1


@pytest.mark.parametrize("refusal", [400, 403, 404])
@pytest.mark.contract("R-18.04")
def test_members_reactions_and_parents_may_be_out_of_reach(
    discord: ScriptedDiscord, tmp_path: Path, refusal: int
) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111", {"id": "111", "guild_id": "222", "type": 0, "parent_id": "7", "last_message_id": "5"})
    discord.on("channels/7", Reply(status=403))
    discord.on("guilds/222/members/9", Reply(status=403))
    discord.on(
        "channels/111/messages",
        lambda query: (
            [] if query.get("after") == "5" else [message(5, reactions=[{"emoji": {"name": "x"}, "count": 3}])]
        ),
    )
    discord.on("channels/111/messages/5/reactions/x", Reply(status=refusal))

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    written = json.loads((tmp_path / "export.json").read_bytes())
    assert written["channel"]["categoryId"] is None
    assert written["messages"][0]["author"]["nickname"] == "bob"
    assert written["messages"][0]["reactions"] == [
        {"emoji": written["messages"][0]["reactions"][0]["emoji"], "count": 3, "users": []}
    ]


@pytest.mark.contract("R-18.07")
def test_guild_roles_and_members_are_asked_for_once_a_run(discord: ScriptedDiscord, tmp_path: Path) -> None:
    for channel_id in ("111", "112", "113"):
        Room(discord=discord, message_ids=[5, 6], channel_id=channel_id).open()
    discord.on("guilds/222/members/9", {"nick": "Bobby", "roles": [], "user": {"id": "9", "username": "bob"}})

    with opened(discord) as exporter:
        for channel_id in ("111", "112", "113"):
            export(exporter, tmp_path / f"{channel_id}.json", channel_id=channel_id)

    for path in ("users/@me", "guilds/222", "guilds/222/channels", "guilds/222/roles", "guilds/222/members/9"):
        assert discord.paths.count(path) == 1
    assert b"Bobby" in (tmp_path / "113.json").read_bytes()


@pytest.mark.contract("R-18.07", "R-18.12")
def test_a_file_does_not_depend_on_which_channels_came_before(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5], channel_id="111").open()
    Room(discord=discord, message_ids=[5], channel_id="112").open()
    reacted = message(5, author={"id": "8", "username": "cy"}, reactions=[{"emoji": {"name": "x"}, "count": 1}])
    discord.on("channels/112/messages", lambda query: [] if query.get("after") == "5" else [reacted])
    discord.on("channels/112/messages/5/reactions/x", [{"id": "9", "username": "bob"}])
    discord.on("guilds/222/members/9", {"nick": "Bobby", "roles": [], "user": {"id": "9", "username": "bob"}})

    with opened(discord) as exporter:
        export(exporter, tmp_path / "111.json", channel_id="111")
        export(exporter, tmp_path / "after.json", channel_id="112")
    with opened(discord) as exporter:
        export(exporter, tmp_path / "alone.json", channel_id="112")

    assert (tmp_path / "after.json").read_bytes() == (tmp_path / "alone.json").read_bytes()


@pytest.mark.contract("R-18.08")
def test_the_users_of_reactions_can_be_left_out_and_the_version_says_so(
    discord: ScriptedDiscord, tmp_path: Path
) -> None:
    replay(GOLD / "stub-rich" / "api.jsonl", discord)

    with opened(discord, reaction_users=False) as exporter:
        export(exporter, tmp_path / "export.json", channel_id="796622485192704000")
        version = exporter.version()

    reactions = json.loads((tmp_path / "export.json").read_bytes())["messages"][4]["reactions"]
    assert [(reaction["count"], reaction["users"]) for reaction in reactions] == [(2, []), (1, [])]
    assert not any("/reactions/" in path for path in discord.paths)
    assert "reactions: counts" in version


@pytest.mark.contract("R-18.09")
def test_a_budget_of_requests_is_kept(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=list(range(1, 1001))).open()

    with opened(discord, limits=ClientLimits(budget=10)) as exporter:
        with pytest.raises(BudgetSpent):
            export(exporter, tmp_path / "export.json")
        assert exporter.request_count == 10

    assert len(discord.requests) == 10


@pytest.mark.contract("R-18.09")
def test_requests_are_counted_for_each_channel(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5], channel_id="111").open()
    Room(discord=discord, message_ids=[5], channel_id="112").open()

    with opened(discord) as exporter:
        first = export(exporter, tmp_path / "1.json", channel_id="111").request_count
        second = export(exporter, tmp_path / "2.json", channel_id="112").request_count
        assert exporter.request_count == (first or 0) + (second or 0) == len(discord.requests)

    assert second == 4


@pytest.mark.contract("R-18.02")
def test_a_cancelled_export_leaves_a_partial(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=list(range(1, 501))).open()
    told: list[ExportProgress] = []

    with opened(discord) as exporter, pytest.raises(ExportCancelled):
        export(exporter, tmp_path / "export.json", on_progress=told.append, cancelled=lambda: len(told) == 2)

    assert_partial(tmp_path / "export.json", list(range(1, 201)))


def test_a_wait_is_cut_short_by_a_cancellation(discord: ScriptedDiscord, tmp_path: Path, clock: FakeClock) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", Reply(status=429, headers={"Retry-After": "600"}))

    with opened(discord, clock) as exporter, pytest.raises(ExportCancelled):
        export(exporter, tmp_path / "export.json", cancelled=lambda: clock.monotonic() >= 3)

    assert clock.monotonic() < 5


@pytest.mark.contract("R-3.23")
def test_progress_is_told_at_every_page(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=list(range(1, 251))).open()
    told: list[ExportProgress] = []

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json", on_progress=told.append)

    assert [progress.message_count for progress in told] == [100, 200, 250]
    assert told[-1].last_timestamp == "2024-01-01T00:00:00+00:00"


@pytest.mark.contract("R-3.23")
def test_progress_is_told_during_a_long_wait(discord: ScriptedDiscord, tmp_path: Path, clock: FakeClock) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("guilds/222/members/9", Reply(status=429, headers={"Retry-After": "60"}), Reply(status=404))
    told: list[float] = []

    with opened(discord, clock) as exporter:
        export(exporter, tmp_path / "export.json", on_progress=lambda _: told.append(clock.monotonic()))

    assert max(later - earlier for earlier, later in zip([0.0, *told], told, strict=False)) <= 10


def test_a_full_disk_is_told_as_such(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    (tmp_path / "export.json").symlink_to("/dev/full")

    with opened(discord) as exporter, pytest.raises(DiskFull) as full:
        export(exporter, tmp_path / "export.json")

    assert full.value.channel_id == "111"


def test_channels_exported_at_once_do_not_mix(discord: ScriptedDiscord, tmp_path: Path) -> None:
    channel_ids = [str(number) for number in range(111, 119)]
    for number, channel_id in enumerate(channel_ids):
        Room(discord=discord, message_ids=list(range(1 + number, 251 + number)), channel_id=channel_id).open()
    failures: list[BaseException] = []

    with opened(discord, limits=ClientLimits(parallel=3, per_second=None)) as exporter:

        def work(channel_id: str) -> None:
            try:
                export(exporter, tmp_path / f"{channel_id}.json", channel_id=channel_id)
            except BaseException as error:  # noqa: BLE001 - told below, by the test's own thread
                failures.append(error)

        threads = [threading.Thread(target=work, args=(channel_id,)) for channel_id in channel_ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    for number, channel_id in enumerate(channel_ids):
        assert ids(tmp_path / f"{channel_id}.json") == list(range(1 + number, 251 + number))


def test_a_probe_writes_nothing_and_asks_for_one_message(discord: ScriptedDiscord) -> None:
    Room(discord=discord, message_ids=[5, 6]).open()

    with opened(discord) as exporter:
        exporter.probe(ChannelId("111"), None)
        exporter.probe(ChannelId("111"), MessageId("5"))

    pages = [seen.query for seen in discord.requests if seen.path == "channels/111/messages"]
    assert pages == [{"limit": "1"}, {"limit": "1", "after": "5"}]


def test_a_probe_of_a_channel_that_cannot_be_read_is_a_skip(discord: ScriptedDiscord) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", Reply(status=403))

    with opened(discord) as exporter, pytest.raises(ChannelSkipped):
        exporter.probe(ChannelId("111"), None)


def test_direct_messages_are_exported_without_a_guild(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    recipient = {"id": "9", "username": "bob", "global_name": "Bob"}
    channel = {"id": "111", "type": 3, "icon": "abc", "recipients": [recipient], "last_message_id": "5"}
    discord.on("channels/111", channel)
    discord.on("users/@me/channels", [channel])

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    written = json.loads((tmp_path / "export.json").read_bytes())
    assert written["guild"]["id"] == "0"
    assert written["guild"]["name"] == "Direct Messages"
    assert written["channel"]["type"] == "DirectGroupTextChat"
    assert written["channel"]["name"] == "Bob"
    assert written["channel"]["iconUrl"] == "https://cdn.discordapp.com/channel-icons/111/abc.png?size=512"
    assert not any(path.startswith("guilds/") for path in discord.paths)


@pytest.mark.slow
@pytest.mark.contract("R-16.03")
def test_memory_does_not_grow_with_the_channel(discord: ScriptedDiscord, tmp_path: Path) -> None:
    def peak_bytes(count: int) -> int:
        room = Room(discord=discord)
        room.open()
        discord.on("channels/111", {"id": "111", "guild_id": "222", "type": 0, "last_message_id": str(count)})
        discord.on("channels/111/messages", lambda query: endless_page(query, count))
        tracemalloc.start()
        with opened(discord, limits=ClientLimits(per_second=None)) as exporter:
            assert export(exporter, tmp_path / "export.json").message_count == count
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1_000)  # what is loaded once
    assert peak_bytes(8_000) - peak_bytes(1_000) < 300_000


def endless_page(query: dict[str, str], count: int) -> list[dict[str, object]]:
    """Make one page of a channel with so many messages."""
    first = int(query["after"]) + 1 if "after" in query else count
    last = min(first + int(query["limit"]) - 1, count)
    author = {"username": "bob", "discriminator": "0"}
    return [message(number, author=author | {"id": str(number % 50)}) for number in range(last, first - 1, -1)]
