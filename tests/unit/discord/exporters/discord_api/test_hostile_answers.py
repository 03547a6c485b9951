"""Tests of answers that are none: blocked clients, empty histories, ids of the future, drips, endless pages."""

import itertools
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.exporters.discord_api.export_file import LARGEST_MESSAGE_BYTES
from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.exporters.discord_api.odd_messages import UnreadableMessage
from dce_play.discord.exporters.discord_api.rest.client import (
    DOUBTS,
    ClientBlocked,
    ClientLimits,
    DiscordClient,
    RequestGivenUp,
    RequestRefused,
)
from dce_play.discord.exporters.discord_api.rest.pages import EndlessListing
from dce_play.discord.exporters.discord_api.rest.transport import Timeouts
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    ExportCancelled,
    ExportOutcome,
    ExportRequest,
    SkipReason,
)
from dce_play.snowflake import ChannelId, first_snowflake_at
from dce_play.system.clock import SystemClock
from tests.support.exporting import export, opened
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, Reply, Room, ScriptedDiscord, message

PAGE = b"<!doctype html><title>Access denied</title>"
BLOCKS = {
    "403 with a page": Reply(status=403, raw=PAGE),
    "404 with a page": Reply(status=404, raw=PAGE),
    "403 with nothing": Reply(status=403, raw=b""),
    "403 with a list": Reply(status=403, body=[]),
    "code 40333": Reply(status=403, body={"message": "internal network error", "code": 40333}),
    "code 40002": Reply(status=403, body={"message": "verify your account", "code": 40002}),
    "a redirect": Reply(status=302, raw=PAGE, headers={"Location": "http://portal.invalid/"}),
    "400 with a page": Reply(status=400, raw=PAGE),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.contract("F-L2")
def test_a_client_that_is_kept_out_says_nothing_about_the_channel(
    discord: ScriptedDiscord, tmp_path: Path, clock: FakeClock, name: str
) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", BLOCKS[name])

    with opened(discord, clock) as exporter, pytest.raises(ClientBlocked) as blocked:
        export(exporter, tmp_path / "export.json")

    assert blocked.value.channel_id == "111"
    assert not isinstance(blocked.value, ChannelSkipped | RequestRefused)
    assert discord.paths.count("channels/111/messages") == 1 + DOUBTS
    assert 5 < clock.monotonic() < 60


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.contract("F-L2")
def test_a_block_that_passes_is_got_over(discord: ScriptedDiscord, tmp_path: Path, name: str) -> None:
    room = Room(discord=discord, message_ids=[5])
    room.open()
    discord.on("channels/111/messages", BLOCKS[name], room.page)

    with opened(discord) as exporter:
        assert export(exporter, tmp_path / "export.json").message_count == 1


@pytest.mark.contract("F-L2")
def test_once_kept_out_the_other_channels_are_asked_once_each(discord: ScriptedDiscord, tmp_path: Path) -> None:
    for channel_id in ("111", "112", "113"):
        Room(discord=discord, message_ids=[5], channel_id=channel_id).open()
        discord.on(f"channels/{channel_id}", Reply(status=403, raw=PAGE))

    with opened(discord) as exporter:
        for channel_id in ("111", "112", "113"):
            with pytest.raises(ClientBlocked):
                export(exporter, tmp_path / "export.json", channel_id=channel_id)

    assert [discord.paths.count(f"channels/{each}") for each in ("111", "112", "113")] == [1 + DOUBTS, 1, 1]


@pytest.mark.parametrize("refusal", [BLOCKS["403 with a page"], Reply(status=401, raw=PAGE)], ids=str)
@pytest.mark.contract("F-L2")
def test_a_page_on_the_first_question_makes_no_users_token_and_no_dead_one(
    discord: ScriptedDiscord, clock: FakeClock, refusal: Reply
) -> None:
    discord.on("users/@me", refusal, Reply(status=401), {"id": "1", "username": "bot"})
    client = DiscordClient(discord.base_url, TOKEN, clock=clock)

    assert client.is_bot(Watch(clock))
    client.close()

    assert [seen.authorization for seen in discord.requests] == [TOKEN, TOKEN, f"Bot {TOKEN}"]


@pytest.mark.parametrize("body", [{"message": "401: Unauthorized", "code": 0}, {}, None])
@pytest.mark.contract("F-L2")
def test_a_401_without_a_page_is_about_the_token(discord: ScriptedDiscord, clock: FakeClock, body: Any) -> None:
    discord.on("users/@me", Reply(status=401, body=body))
    client = DiscordClient(discord.base_url, TOKEN, clock=clock)

    with pytest.raises(AuthenticationFailed):
        client.get("users/@me", watch=Watch(clock))
    client.close()


@pytest.mark.parametrize("path", ["guilds/222", "guilds/222/channels", "guilds/222/roles"])
@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.contract("F-D8", "F-L2")
def test_a_refused_guild_is_no_refused_channel(
    discord: ScriptedDiscord, tmp_path: Path, path: str, status: int
) -> None:
    Room(discord=discord, message_ids=[5]).open()
    discord.on(path, Reply(status=status))

    with opened(discord) as exporter, pytest.raises(RequestRefused, match=path) as refused:
        export(exporter, tmp_path / "export.json")

    assert refused.value.channel_id == "111"


@pytest.mark.parametrize("after", [None, "5"])
@pytest.mark.contract("F-L3")
def test_a_history_that_may_not_be_read_is_told_as_such(
    discord: ScriptedDiscord, tmp_path: Path, after: str | None
) -> None:
    Room(discord=discord, last_message_id=9).open()

    with opened(discord) as exporter:
        with pytest.raises(ChannelSkipped, match="Read Message History") as skipped:
            export(exporter, tmp_path / "export.json", after=after)
        with pytest.raises(ChannelSkipped, match="Read Message History"):
            exporter.probe(ChannelId("111"), None)

    assert skipped.value.reason is SkipReason.NO_HISTORY
    assert not (tmp_path / "export.json").exists()


@pytest.mark.parametrize("told", [None, 0, 3, 4])
@pytest.mark.contract("F-L4")
def test_what_is_said_of_a_last_message_is_a_hint_only(
    discord: ScriptedDiscord, tmp_path: Path, told: int | None
) -> None:
    room = Room(discord=discord, message_ids=[3, 4, 5, 6])
    room.open()
    said = None if told is None else str(told)
    discord.on("channels/111", {"id": "111", "guild_id": "222", "type": 0, "name": "x", "last_message_id": said})

    with opened(discord) as exporter:
        outcome = export(exporter, tmp_path / "export.json", after="4")

    assert (outcome.message_count, outcome.last_id) == (2, "6")
    assert {"limit": "1"} in [seen.query for seen in discord.requests if seen.path == "channels/111/messages"]


FUTURE = int(first_snowflake_at(FakeClock().now())) + (400 * 86_400_000 << 22)
"""A year after the test's clock."""


def with_future(room: Room, *, everywhere: bool = False) -> Callable[[dict[str, str]], list[dict[str, Any]]]:
    def page(query: dict[str, str]) -> list[dict[str, Any]]:
        found = room.page(query)
        full = len(found) == int(query["limit"])
        shown = "after" not in query or everywhere or not full
        after = int(query.get("after", "0"))
        if shown and after < FUTURE:
            found = [message(FUTURE), *(found[1:] if full else found)]
        return found

    return page


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.contract("F-L5")
def test_an_id_of_the_future_is_refused_by_name_and_honest_messages_are_kept(
    discord: ScriptedDiscord, tmp_path: Path, *, everywhere: bool
) -> None:
    room = Room(discord=discord, message_ids=list(range(1, 251)))
    room.open()
    discord.on("channels/111/messages", with_future(room, everywhere=everywhere))

    with opened(discord) as exporter, pytest.raises(UnreadableMessage, match=f"message {FUTURE} .*2027-12-"):
        export(exporter, tmp_path / "export.json")
    with opened(discord) as exporter:
        outcome = keeping_odd(exporter, tmp_path)

    assert outcome.last_id == "250"
    assert outcome.message_count == 250
    assert [each.message_id for each in outcome.odd] == [str(FUTURE)]
    assert [json.loads(line)["id"] for line in (tmp_path / "odd.jsonl").read_text().splitlines()] == [str(FUTURE)]


@pytest.mark.contract("F-L5")
def test_messages_of_tomorrow_are_taken_as_clocks_differ(discord: ScriptedDiscord, tmp_path: Path) -> None:
    soon = int(first_snowflake_at(FakeClock().now())) + (23 * 3_600_000 << 22)
    Room(discord=discord, message_ids=[5, soon]).open()

    with opened(discord) as exporter:
        assert export(exporter, tmp_path / "export.json").last_id == str(soon)


def keeping_odd(exporter: DiscordApiExporter, folder: Path, *, stop: bool = False) -> ExportOutcome:
    request = ExportRequest(
        channel_id=ChannelId("111"), output=folder / "kept.json", odd=folder / "odd.jsonl", stop_at_odd=stop
    )
    return exporter.export(request, on_progress=lambda _: None, cancelled=lambda: False)


@pytest.mark.contract("F-L12")
def test_more_users_than_reacted_are_not_asked_for_on_and_on(discord: ScriptedDiscord, tmp_path: Path) -> None:
    made = itertools.count(1)
    Room(discord=discord, message_ids=[5]).open()
    reacted = message(5, reactions=[{"emoji": {"name": "x"}, "count": 1}])
    discord.on("channels/111/messages", lambda query: [] if query.get("after") == "5" else [reacted])
    discord.on(
        "channels/111/messages/5/reactions/x",
        lambda _: [{"id": str(next(made)), "username": "u"} for _ in range(100)],
    )

    with opened(discord) as exporter, pytest.raises(EndlessListing):
        export(exporter, tmp_path / "export.json")

    assert len(discord.requests) < 15


@pytest.mark.contract("F-L12")
def test_more_users_than_a_message_first_said_are_taken(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5]).open()
    reacted = message(5, reactions=[{"emoji": {"name": "x"}, "count": 60}])
    users = [{"id": str(number), "username": "u"} for number in range(1, 151)]
    discord.on("channels/111/messages", lambda query: [] if query.get("after") == "5" else [reacted])
    discord.on(
        "channels/111/messages/5/reactions/x",
        lambda query: [user for user in users if int(user["id"]) > int(query["after"])][:100],
    )

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    written = json.loads((tmp_path / "export.json").read_bytes())
    assert len(written["messages"][0]["reactions"][0]["users"]) == 150


NO_DATES = (
    "+058262-06-17T00:00:00Z", "2020-13-45T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00",
    "0001-01-01T00:00:00+14:00", "2021-02-29T00:00:00Z", "yesterday", "2020-W01-1", "20200101T000000Z", "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("written", NO_DATES, ids=ascii)
@pytest.mark.contract("F-B7")
def test_a_date_that_is_none_is_null_where_dce_has_null(discord: ScriptedDiscord, tmp_path: Path, written: str) -> None:
    odd = message(5, embeds=[{"timestamp": written}], edited_timestamp=written, call={"ended_timestamp": written})
    Room(discord=discord, message_ids=[5]).open()
    discord.on("channels/111/messages", lambda query: [] if query.get("after") == "5" else [odd])

    with opened(discord) as exporter:
        export(exporter, tmp_path / "export.json")

    found = json.loads((tmp_path / "export.json").read_bytes())["messages"][0]
    assert [found["embeds"][0]["timestamp"], found["timestampEdited"], found["callEndedTimestamp"]] == [None] * 3


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "footer without text": ({"embeds": [{}, {"footer": {}}]}, "embeds[1].footer.text is not a text"),
    "field without value": ({"embeds": [{"fields": [{"name": "n"}]}]}, "embeds[0].fields[0].value is not a text"),
    "attachment without size": (
        {"attachments": [{"id": "1", "url": "u", "filename": "f"}]},
        "attachments[0].size is not a whole number",
    ),
    "author null": ({"author": None}, "author is not an object"),
    "author without a name": ({"author": {"id": "9"}}, "author.username is not a text"),
    "time that is none": ({"timestamp": NO_DATES[0]}, "a time is not in ISO 8601"),
    "reaction without emoji": ({"reactions": [{"count": 1}]}, "reactions[0].emoji is not an object"),
    "mention that is a text": ({"mentions": ["bob"]}, "mentions[0].id is missing"),
    "sticker without a format": ({"sticker_items": [{"id": "1"}]}, "sticker_items[0].format_type is not a whole"),
    "interaction without user": ({"interaction": {"id": "1", "name": "n"}}, "interaction.user is not an object"),
    "number as type": ({"type": 1 << 40}, "type is not a whole number"),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.contract("F-B7")
def test_a_message_that_cannot_be_read_is_named_by_id_and_place_and_kept_as_it_came(
    discord: ScriptedDiscord, tmp_path: Path, name: str
) -> None:
    changes, place = ODD[name]
    room = Room(discord=discord, message_ids=list(range(1, 151)))
    room.open()
    odd = message(77, **changes)
    discord.on(
        "channels/111/messages",
        lambda query: [odd if each["id"] == "77" else each for each in room.page(query)],
    )

    with opened(discord) as exporter:
        with pytest.raises(UnreadableMessage) as unreadable:
            export(exporter, tmp_path / "export.json")
        outcome = keeping_odd(exporter, tmp_path)

    assert "message 77 of channel 111" in str(unreadable.value)
    assert place in str(unreadable.value)
    assert "odd_messages: raw" in unreadable.value.hint
    assert outcome.message_count == 149
    assert outcome.last_id == "150"
    assert [json.loads(line)["message"] for line in (tmp_path / "odd.jsonl").read_text().splitlines()] == [odd]


@pytest.mark.contract("F-B6")
def test_a_message_that_no_archive_takes_is_told_and_the_channel_goes_on(
    discord: ScriptedDiscord, tmp_path: Path
) -> None:
    huge = message(6, content="x" * LARGEST_MESSAGE_BYTES)
    Room(discord=discord, message_ids=[5, 6, 7]).open()
    every = [message(5), huge, message(7)]
    discord.on(
        "channels/111/messages",
        lambda query: [each for each in every if int(each["id"]) > int(query.get("after", "6"))],
    )

    with opened(discord) as exporter:
        outcome = keeping_odd(exporter, tmp_path, stop=True)

    assert [each.message_id for each in outcome.odd] == ["6"]
    assert "bytes of JSON" in outcome.odd[0].reason
    assert outcome.message_count == 2
    assert json.loads((tmp_path / "odd.jsonl").read_text())["message"] == huge


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let one function answer every connection, as bytes; yield the API base."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                threading.Thread(target=_answer, args=(answer, connection), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/api"
        finally:
            ended.set()
            thread.join(timeout=5)


def _answer(answer: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection:
        connection.recv(65536)
        try:
            answer(connection)
        except OSError:
            return


def _drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(600):
        connection.sendall(f"X-{number}: 1\r\n".encode())
        time.sleep(0.02)


def _drip_continues(connection: socket.socket) -> None:
    for _ in range(600):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


def _empty_blocks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nConnection: close\r\n\r\n")
    deflate = zlib.compressobj()
    connection.sendall(deflate.compress(b"") + deflate.flush(zlib.Z_SYNC_FLUSH))
    for _ in range(600):
        connection.sendall(deflate.flush(zlib.Z_FULL_FLUSH) or b"\x00\x00\x00\xff\xff")
        time.sleep(0.02)


DRIPS = (_drip_headers, _drip_continues, _empty_blocks)


@pytest.mark.parametrize("drip", DRIPS)
@pytest.mark.contract("F-B3")
def test_the_deadline_is_for_the_whole_answer(drip: Callable[[socket.socket], None]) -> None:
    clock = SystemClock()
    started = clock.monotonic()
    with serving(drip) as base_url:
        limits = ClientLimits(timeouts=Timeouts(total_s=0.4))
        client = DiscordClient(base_url, TOKEN, clock=clock, limits=limits)
        watch = Watch(clock, cancelled=lambda: clock.monotonic() - started > 6)
        with pytest.raises((ExportCancelled, RequestGivenUp)):
            client.get("channels/1", watch=watch)
        client.close()

    assert client.request_count >= 2


@pytest.mark.parametrize("drip", DRIPS)
@pytest.mark.contract("F-B3")
def test_a_wish_to_stop_ends_an_answer_that_drips(drip: Callable[[socket.socket], None]) -> None:
    clock = SystemClock()
    started = clock.monotonic()
    with serving(drip) as base_url:
        client = DiscordClient(base_url, TOKEN, clock=clock)
        with pytest.raises(ExportCancelled):
            client.get("channels/1", watch=Watch(clock, cancelled=lambda: clock.monotonic() - started > 0.3))
        client.close()

    assert clock.monotonic() - started < 5


@pytest.mark.contract("F-B3")
def test_a_small_answer_that_decodes_to_gigabytes_is_cut_off() -> None:
    block = zlib.compressobj(9)
    bomb = b"".join(block.compress(b"0" * (1 << 20)) for _ in range(300)) + block.flush()

    def burst(connection: socket.socket) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
        connection.sendall(head.encode() + bomb)

    with serving(burst) as base_url:
        client = DiscordClient(base_url, TOKEN, clock=FakeClock())
        with pytest.raises(RequestGivenUp, match="more than 64 MiB"):
            client.get("channels/1", watch=Watch(FakeClock()))
        client.close()


@pytest.mark.contract("F-D6")
def test_a_channel_of_an_unknown_kind_without_messages_is_a_skip(discord: ScriptedDiscord, tmp_path: Path) -> None:
    Room(discord=discord, message_ids=[5], channel_type=99).open()
    refusal = Reply(status=400, body={"message": "Cannot execute action on this channel type", "code": 50024})
    discord.on("channels/111/messages", refusal)

    with opened(discord) as exporter, pytest.raises(ChannelSkipped) as skipped:
        export(exporter, tmp_path / "export.json")

    assert skipped.value.reason is SkipReason.FORUM
