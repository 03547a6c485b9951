"""What every exporter promises. An implementation joins by adding its bench to ``BENCHES``."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from dce_play.discord.exporters.discord_api.exporter import DiscordApiExporter
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelSkipped,
    ExportCancelled,
    Exporter,
    ExportError,
    ExportOutcome,
    ExportProgress,
    ExportRequest,
    SkipReason,
)
from dce_play.snowflake import ChannelId, GuildId, MessageId
from tests.standins.cli_benches import container_bench, dce_cli_bench
from tests.support.fakes import FakeClock
from tests.support.scripted_discord import TOKEN, Reply, Room, running_discord

GUILD = GuildId("754679440998400000")
OPEN = ChannelId("796622485192704000")
SECRET = ChannelId("796622506164224000")
UNKNOWN = ChannelId("796622506164224999")
FIRST_ID = 1_191_184_013_721_600_001


class Bench(Protocol):
    """A place where one exporter can be tried: a guild that it can see, made up by the test."""

    def channel(self, channel_id: ChannelId, message_ids: list[int]) -> None:
        """Let a channel of the guild have these messages."""

    def forbid(self, channel_id: ChannelId) -> None:
        """Let a channel exist that the token cannot read."""

    def kill_token(self) -> None:
        """Let the token be refused from now on."""

    def opened(self) -> AbstractContextManager[Exporter]:
        """Open the exporter."""


class DiscordApiBench:
    """Our own exporter, against a server on this machine."""

    def __init__(self, base_url: str, room: Callable[[ChannelId, list[int]], Room], kill: Callable[[], None]) -> None:
        self._base_url = base_url
        self._room = room
        self._kill = kill

    def channel(self, channel_id: ChannelId, message_ids: list[int]) -> None:
        self._room(channel_id, message_ids).open()

    def forbid(self, channel_id: ChannelId) -> None:
        room = self._room(channel_id, [FIRST_ID])
        room.open()
        room.discord.on(f"channels/{channel_id}/messages", Reply(status=403))

    def kill_token(self) -> None:
        self._kill()

    @contextmanager
    def opened(self) -> Iterator[Exporter]:
        exporter = DiscordApiExporter(self._base_url, TOKEN, clock=FakeClock())
        try:
            yield exporter
        finally:
            exporter.close()


@contextmanager
def discord_api_bench(_: Path) -> Iterator[Bench]:
    with running_discord() as discord:
        discord.on(
            "users/@me/guilds", lambda query: [{"id": GUILD, "name": "Fixture"}] if query["after"] == "0" else []
        )
        discord.on("users/@me/channels", [])
        yield DiscordApiBench(
            discord.base_url,
            lambda channel_id, ids: Room(discord=discord, guild_id=GUILD, channel_id=channel_id, message_ids=ids),
            lambda: discord.on("users/@me", Reply(status=401)),
        )


BENCHES: dict[str, Callable[[Path], AbstractContextManager[Bench]]] = {
    "discord_api": discord_api_bench,
    "dce_cli": dce_cli_bench,
    "container": container_bench,
}
"""By the exporter's name: makes a bench in an empty folder."""


@pytest.fixture(params=BENCHES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(name: str, tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "bench"
    folder.mkdir()
    with BENCHES[name](folder) as made:
        yield made


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder / "export.json"


def export(
    exporter: Exporter,
    output: Path,
    channel_id: ChannelId = OPEN,
    *,
    after: int | None = None,
    on_progress: Callable[[ExportProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportOutcome:
    request = ExportRequest(
        channel_id=channel_id, output=output, after=None if after is None else MessageId(str(after))
    )
    return exporter.export(request, on_progress=on_progress, cancelled=cancelled)


def numbered(count: int) -> list[int]:
    return [FIRST_ID + (number << 22) for number in range(count)]


def test_it_goes_by_its_name_and_tells_its_version(bench: Bench, name: str) -> None:
    with bench.opened() as exporter:
        assert exporter.name == name
        assert exporter.version().strip()


@pytest.mark.parametrize("count", [1, 3, 150])
@pytest.mark.contract("R-16.01", "R-18.12")
def test_an_export_is_a_whole_file_with_all_messages_in_order(bench: Bench, output: Path, count: int) -> None:
    bench.channel(OPEN, numbered(count))

    with bench.opened() as exporter:
        outcome = export(exporter, output)

    written = json.loads(output.read_bytes())
    assert written["channel"]["id"] == OPEN
    assert [int(message["id"]) for message in written["messages"]] == numbered(count)
    assert written["messageCount"] == outcome.message_count == count
    assert outcome.last_id == str(numbered(count)[-1])


def test_after_is_exclusive(bench: Bench, output: Path) -> None:
    ids = numbered(3)
    bench.channel(OPEN, ids)

    with bench.opened() as exporter:
        outcome = export(exporter, output, after=ids[0])

    assert [int(message["id"]) for message in json.loads(output.read_bytes())["messages"]] == ids[1:]
    assert outcome.message_count == 2


def test_nothing_newer_is_a_success_without_messages(bench: Bench, output: Path) -> None:
    ids = numbered(3)
    bench.channel(OPEN, ids)

    with bench.opened() as exporter:
        outcome = export(exporter, output, after=ids[-1])

    assert (outcome.message_count, outcome.last_id) == (0, None)
    assert not output.exists() or json.loads(output.read_bytes())["messages"] == []


def test_an_empty_channel_is_a_success_without_messages(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, [])

    with bench.opened() as exporter:
        outcome = export(exporter, output)

    assert (outcome.message_count, outcome.last_id) == (0, None)


@pytest.mark.contract("R-3.16", "R-18.04")
def test_a_forbidden_channel_is_skipped_leaves_no_file_and_its_sibling_is_exported(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, numbered(2))
    bench.forbid(SECRET)

    with bench.opened() as exporter:
        with pytest.raises(ChannelSkipped) as skipped:
            export(exporter, output.with_name("secret.json"), SECRET)
        assert export(exporter, output).message_count == 2

    assert (skipped.value.reason, skipped.value.channel_id) == (SkipReason.FORBIDDEN, SECRET)
    assert not output.with_name("secret.json").exists()


@pytest.mark.contract("R-3.16", "R-18.04")
def test_an_unknown_channel_is_skipped_and_leaves_no_file(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, numbered(2))

    with bench.opened() as exporter, pytest.raises(ChannelSkipped) as skipped:
        export(exporter, output, UNKNOWN)

    assert (skipped.value.reason, skipped.value.channel_id) == (SkipReason.NOT_FOUND, UNKNOWN)
    assert not output.exists()


@pytest.mark.contract("R-18.04")
def test_a_dead_token_is_no_matter_of_one_channel(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, numbered(2))
    bench.kill_token()

    with bench.opened() as exporter, pytest.raises(AuthenticationFailed):
        export(exporter, output)

    assert not output.exists()


@pytest.mark.contract("R-16.05")
def test_a_cancelled_export_is_not_taken_for_a_whole_one(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, numbered(150))

    with bench.opened() as exporter, pytest.raises(ExportCancelled):
        export(exporter, output, cancelled=lambda: True)

    assert not output.exists() or b'"messageCount"' not in output.read_bytes()[-200:]


def test_progress_only_grows(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, numbered(150))
    told: list[int] = []

    with bench.opened() as exporter:
        export(exporter, output, on_progress=lambda progress: told.append(progress.message_count))

    assert told == sorted(told)
    assert all(count <= 150 for count in told)


def test_a_probe_tells_whether_a_channel_can_be_read(bench: Bench, output: Path) -> None:
    bench.channel(OPEN, numbered(2))
    bench.forbid(SECRET)

    with bench.opened() as exporter:
        exporter.probe(OPEN, None)
        exporter.probe(OPEN, MessageId(str(FIRST_ID)))
        with pytest.raises(ChannelSkipped) as skipped:
            exporter.probe(SECRET, None)

    assert skipped.value.reason is SkipReason.FORBIDDEN
    assert list(output.parent.iterdir()) == []


def test_what_the_token_can_see_is_listed(bench: Bench) -> None:
    bench.channel(OPEN, numbered(2))

    with bench.opened() as exporter:
        guilds = exporter.guilds()
        channels = exporter.channels(GUILD, threads="none", voice=True)
        direct = exporter.direct_messages()

    assert [guild.guild_id for guild in guilds] == [GUILD]
    assert [(channel.channel_id, channel.guild_id, channel.exportable) for channel in channels] == [(OPEN, GUILD, True)]
    assert direct == []


def test_no_error_shows_the_token(bench: Bench, output: Path) -> None:
    bench.forbid(SECRET)

    with bench.opened() as exporter, pytest.raises(ExportError) as failed:
        export(exporter, output, SECRET)

    assert TOKEN not in f"{failed.value} {failed.value.hint} {exporter!r}"
