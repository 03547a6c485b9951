import contextlib
import gzip
import json
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import EditPolicy
from dce_play.discord.exporters.protocol import (
    AuthenticationFailed,
    ChannelListing,
    ChannelSkipped,
    Completeness,
    DiskFull,
    ExportAborted,
    Exporter,
    ExportFailed,
    OddMessage,
    SkipReason,
)
from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome, TargetOutcome
from dce_play.discord.scrape.target import Job, ScrapeStopped, scrape_target
from dce_play.discord.scrape.tools import Policies, Tools
from dce_play.discord.targets.model import Discover, Target
from dce_play.snowflake import ChannelId, GuildId
from tests.support.canned_exporter import CannedExporter, Lines, tree
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.fakes import FakeClock

ROOM, OTHER, THIRD = "111111111111111111", "222222222222222222", "333333333333333333"
NAME = f"Fixture Guild - Testing Grounds - fixture-room [{ROOM}].json"


class Scene:
    """A target's folder, an exporter, and scrapes of the one with the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "archives" / "demo"
        self.exporter = CannedExporter()
        self.lines = Lines()
        self.target = Target(name="demo", output_dir=self.folder, channel_ids=(ChannelId(ROOM),))
        self.environment: dict[str, str] = {}
        self.policies = Policies()

    @property
    def archive(self) -> Path:
        return self.folder / NAME

    def channels(self, *ids: str) -> None:
        self.target = Target(name="demo", output_dir=self.folder, channel_ids=tuple(map(ChannelId, ids)))

    def scrape(self, refresh: Callable[[], Exporter | None] = lambda: None, **job: object) -> TargetOutcome:
        tools = Tools(
            exporter=self.exporter,
            clock=FakeClock(),
            run_id="run-1",
            environment=self.environment,
            listener=self.lines,
            cancelled=lambda: False,
            policies=self.policies,
        )
        return scrape_target(Job(target=self.target, **job), tools, refresh=refresh)  # type: ignore[arg-type]

    def only(self, **job: object) -> ChannelOutcome:
        (outcome,) = self.scrape(**job).channels  # type: ignore[arg-type]
        return outcome

    def stale(self, data: bytes, channel: str = ROOM) -> Path:
        place = self.folder / ".dce-temp" / f"export.{channel}.abc123"
        place.mkdir(parents=True)
        (place / "export.json").write_bytes(data)
        os.utime(place / "export.json", (1_700_000_000, 1_700_000_000))
        return place


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.exporter.messages[ROOM] = [1, 2]
    return made


@pytest.mark.contract("S-01", "S-12", "R-3.05", "R-2.05", "R-2.08")
def test_a_first_scrape_creates_the_channel_file_and_its_map_entry(scene: Scene) -> None:
    outcome = scene.only()
    assert (outcome.action, outcome.before_count, outcome.after_count, outcome.fetched_count) == ("CREATED", 0, 2, 2)
    assert ids_in(scene.archive) == [1, 2]
    assert json.loads((scene.folder / ".dce-meta/channel-map.json").read_text()) == {ROOM: str(scene.archive)}
    assert not list(scene.folder.glob(".dce-temp/export.*"))
    assert not (scene.folder / "channels").exists()
    assert scene.exporter.requests[0].after is None


@pytest.mark.contract("R-2.07", "D-02")
def test_a_new_channel_file_has_the_umasks_mode(scene: Scene) -> None:
    before = os.umask(0o027)
    try:
        scene.only()
    finally:
        os.umask(before)
    assert stat.S_IMODE(scene.archive.stat().st_mode) == 0o640


@pytest.mark.contract("S-02", "S-09", "R-3.25")
def test_a_second_scrape_appends_what_is_newer(scene: Scene) -> None:
    scene.only()
    scene.exporter.messages[ROOM] = [1, 2, 3]
    outcome = scene.only()
    assert (outcome.action, outcome.before_count, outcome.after_count, outcome.delta) == ("MERGED", 2, 3, 1)
    assert ids_in(scene.archive) == [1, 2, 3]
    assert scene.exporter.requests[-1].after == "2"
    assert any(f"Exporting channel {ROOM} for target 'demo' after message 2 → " in line for line in scene.lines.lines)


@pytest.mark.contract("R-3.07", "S-11", "D-48")
def test_nothing_new_leaves_the_file_untouched(scene: Scene) -> None:
    scene.only()
    before = scene.archive.stat()
    scene.exporter.overlap = True
    outcome = scene.only()
    after = scene.archive.stat()
    assert outcome.action is ChannelAction.UNCHANGED
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


@pytest.mark.contract("R-3.07", "S-10")
def test_a_newer_copy_of_a_known_message_is_kept_beside_it_or_takes_its_place(scene: Scene) -> None:
    scene.only()
    scene.exporter.overlap = True
    scene.exporter.contents[2] = "second (slightly modified)"
    scene.exporter.exported_at = "2026-12-02T00:00:00+00:00"
    outcome = scene.only()
    assert (outcome.action, outcome.edit_count, outcome.delta) == ("UPDATED", 1, 0)
    assert b"slightly" not in scene.archive.read_bytes()
    assert b"slightly" in (scene.folder / f".dce-meta/edits/{ROOM}.jsonl").read_bytes()
    scene.policies = Policies(edits=EditPolicy.REWRITE)
    scene.exporter.messages[ROOM] = [2, 3, 4]
    scene.only()
    assert ids_in(scene.archive) == [1, 2, 3, 4]
    assert b"slightly" in scene.archive.read_bytes()


@pytest.mark.contract("S-03", "R-3.13")
def test_an_export_of_another_channel_is_refused(scene: Scene) -> None:
    scene.only()
    before = tree(scene.folder)[NAME]
    scene.exporter.embedded[ROOM] = "999999999999999999"
    scene.exporter.messages[ROOM] = [3]
    outcome = scene.only()
    assert outcome.action is ChannelAction.FAILED
    assert tree(scene.folder)[NAME] == before
    assert not list(scene.folder.glob("*999999999999999999*"))


@pytest.mark.contract("S-04", "S-15", "R-3.01")
def test_a_seeded_target_is_updated_in_place_without_a_listing(scene: Scene) -> None:
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),))
    archive = write_channel(scene.folder / "sub" / f"old name [{ROOM}].json", [1, 2], channel_id=ROOM)
    scene.exporter.messages[ROOM] = [1, 2, 3]
    assert scene.only().file_path == archive
    assert ids_in(archive) == [1, 2, 3]
    assert scene.exporter.listed == []
    assert any(line.startswith("Bootstrapped 1 channel map entries") for line in scene.lines.lines)


@pytest.mark.contract("S-05", "R-2.02", "D-01")
def test_two_files_of_one_channel_fail_that_channel_and_no_other(scene: Scene) -> None:
    for folder in ("a", "b"):
        write_channel(scene.folder / folder / f"x [{ROOM}].json", [1], channel_id=ROOM)
    scene.channels(ROOM, OTHER)
    scene.exporter.messages[OTHER] = [7]
    twin, other = scene.scrape().channels
    assert (twin.action, other.action) == ("FAILED", "CREATED")
    assert "/a/x" in twin.reason
    assert "/b/x" in twin.reason


@pytest.mark.contract("S-06", "R-3.14", "D-61")
@pytest.mark.parametrize("content", [b"not-json", b"", channel_bytes([1], channel_id=ROOM)[:-40]])
def test_a_broken_channel_file_is_named_and_left_alone(scene: Scene, content: bytes) -> None:
    scene.folder.mkdir(parents=True)
    scene.archive.write_bytes(content)
    scene.channels(ROOM, OTHER)
    scene.exporter.messages[OTHER] = [7]
    broken, other = scene.scrape().channels
    assert (broken.action, other.action) == ("FAILED", "CREATED")
    assert str(scene.archive) in broken.reason
    assert scene.archive.read_bytes() == content


@pytest.mark.contract("S-07", "R-2.04")
def test_a_map_entry_outside_the_target_is_refused(scene: Scene) -> None:
    outside = scene.folder.parent / "outside.json"
    (scene.folder / ".dce-meta").mkdir(parents=True)
    (scene.folder / ".dce-meta/channel-map.json").write_text(json.dumps({ROOM: f"{scene.folder}/../outside.json"}))
    assert scene.only().action is ChannelAction.FAILED
    assert not outside.exists()


@pytest.mark.contract("S-08")
def test_a_file_whose_name_and_content_disagree_is_refused(scene: Scene) -> None:
    write_channel(scene.archive, [1], channel_id="999999999999999999")
    assert scene.only().action is ChannelAction.FAILED
    assert ids_in(scene.archive) == [1]


@pytest.mark.contract("R-2.12", "D-32")
def test_a_vanished_channel_file_is_not_quietly_made_anew(scene: Scene) -> None:
    scene.only()
    scene.archive.unlink()
    outcome = scene.only()
    assert outcome.action is ChannelAction.FAILED
    assert "archive disappeared" in outcome.reason
    assert not scene.archive.exists()


@pytest.mark.contract("S-13", "S-14", "R-3.04")
@pytest.mark.parametrize(
    ("stored", "cursor"),
    [([1, 999, 2], "999"), ([999999999999999999, 1000000000000000000], "1000000000000000000")],
)
def test_the_cursor_is_the_greatest_id_by_value(scene: Scene, stored: list[int], cursor: str) -> None:
    write_channel(scene.archive, stored, channel_id=ROOM)
    newest = int(cursor) + 1
    scene.exporter.messages[ROOM] = [newest]
    scene.only()
    assert scene.exporter.requests[-1].after == cursor
    assert sorted(ids_in(scene.archive)) == sorted([*stored, newest])


@pytest.mark.contract("S-16", "R-3.16", "R-11.10")
def test_a_forbidden_channel_is_skipped_with_its_reason_and_leaves_no_file(scene: Scene) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.troubles[OTHER] = ChannelSkipped(OTHER, SkipReason.FORBIDDEN)
    first, second = scene.scrape().channels
    assert (first.action, second.action, second.reason) == ("CREATED", "SKIPPED", "forbidden")
    assert not list(scene.folder.rglob(f"*{OTHER}*"))


@pytest.mark.contract("S-17", "S-18", "R-3.15", "F-D7")
@pytest.mark.parametrize(
    ("exit_code", "action"),
    [(134, "SKIPPED_OOM"), (137, "SKIPPED_OOM"), (139, "SKIPPED_OOM"), (143, "SKIPPED"), (130, "SKIPPED")],
)
def test_an_aborted_export_is_a_skip_and_its_partial_is_kept(scene: Scene, exit_code: int, action: str) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.troubles[OTHER] = ExportAborted(OTHER, exit_code)
    scene.exporter.partials[OTHER] = channel_bytes([5, 6], channel_id=OTHER)[:-60]
    first, second = scene.scrape().channels
    assert (first.action, second.action) == ("CREATED", action)
    assert (first.unfinished, second.unfinished) == (False, True)
    assert f"exit {exit_code}" in second.reason
    assert second.temp_kept is not None
    assert (second.temp_kept / "export.json").stat().st_size > 0
    assert any("Preserving partial export temp" in line for line in scene.lines.lines)


@pytest.mark.contract("R-3.17", "D-04", "D-64", "D-65")
def test_an_unknown_failure_keeps_the_partial_and_the_run_goes_on(scene: Scene) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.troubles[ROOM] = ExportFailed("zoom-room says boom", channel_id=ROOM)
    scene.exporter.partials[ROOM] = channel_bytes([5, 6], channel_id=ROOM)[:-60]
    scene.exporter.messages[OTHER] = [7]
    first, second = scene.scrape().channels
    assert (first.action, second.action) == ("FAILED", "CREATED")
    assert first.temp_kept is not None


@pytest.mark.contract("R-3.17")
def test_stopping_at_the_first_failure_leaves_the_rest_untried(scene: Scene) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.troubles[ROOM] = ExportFailed("no", channel_id=ROOM)
    with pytest.raises(ScrapeStopped) as caught:
        scene.scrape(stop_at_first_failure=True)
    assert [each.action for each in caught.value.outcome.channels] == ["FAILED", "NOT_TRIED"]


@pytest.mark.contract("R-3.12", "D-52")
def test_a_full_disk_stops_the_run_and_keeps_the_partial(scene: Scene) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.troubles[ROOM] = DiskFull("no space left", channel_id=ROOM)
    scene.exporter.partials[ROOM] = b"{"
    with pytest.raises(ScrapeStopped) as caught:
        scene.scrape()
    first, second = caught.value.outcome.channels
    assert (first.action, second.action) == ("NOT_TRIED", "NOT_TRIED")
    assert first.temp_kept is not None
    assert len(scene.exporter.requests) == 1


def test_a_file_that_may_not_grow_fails_its_channel_and_no_other(scene: Scene) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.messages = {ROOM: list(range(1, 500)), OTHER: [5]}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        first, second = scene.scrape().channels
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (first.action, second.action) == ("FAILED", "CREATED")
    assert first.reason.startswith(f"File too large: {scene.folder} (free space does not help")


@pytest.mark.contract("R-3.22", "R-11.09", "R-11.12", "H-02", "H-03", "E-17")
def test_a_dead_token_is_refreshed_once_and_the_scrape_goes_on_where_it_stopped(scene: Scene) -> None:
    scene.channels(ROOM, OTHER, THIRD)
    scene.exporter.troubles[OTHER] = AuthenticationFailed("Authentication token is invalid.")
    fresh = CannedExporter(messages={OTHER: [5], THIRD: [6]})
    asked = []

    def refresh() -> Exporter:
        asked.append(1)
        return fresh

    outcome = scene.scrape(refresh)
    assert [each.action for each in outcome.channels] == ["CREATED", "CREATED", "CREATED"]
    assert [request.channel_id for request in fresh.requests] == [OTHER, THIRD]
    fresh.troubles[OTHER] = AuthenticationFailed("Authentication token is invalid.")
    with pytest.raises(ScrapeStopped):
        scene.scrape(refresh)
    assert len(asked) == 2


@pytest.mark.contract("R-11.09", "D-24")
def test_without_another_token_a_dead_one_stops_the_run_at_once(scene: Scene) -> None:
    scene.channels(ROOM, OTHER)
    scene.exporter.troubles[ROOM] = AuthenticationFailed("Authentication token is invalid.")
    with pytest.raises(ScrapeStopped) as caught:
        scene.scrape()
    assert isinstance(caught.value.cause, AuthenticationFailed)
    assert len(scene.exporter.requests) == 1


@pytest.mark.contract("S-19", "R-4.06", "D-62")
def test_a_temp_that_may_still_be_written_is_left_alone(scene: Scene) -> None:
    place = scene.stale(channel_bytes([1, 2, 3], channel_id=ROOM))
    scene.environment["DCE_STALE_TEMP_MIN_AGE_SECONDS"] = "999999999"
    scene.only()
    assert place.is_dir()
    assert any("still active" in line for line in scene.lines.lines)


@pytest.mark.contract("S-20", "R-2.08")
def test_what_a_dead_run_left_is_salvaged_before_the_export(scene: Scene) -> None:
    scene.only()
    scene.exporter.messages[ROOM] = [1, 2, 3, 4, 5]
    whole = channel_bytes([3, 4], channel_id=ROOM)
    place = scene.stale(whole[: whole.rindex(b'"id": "4"') + 30])
    outcome = scene.only()
    assert (outcome.salvaged_count, outcome.fetched_count, outcome.delta) == (1, 2, 3)
    assert scene.exporter.requests[-1].after == "3"
    assert ids_in(scene.archive) == [1, 2, 3, 4, 5]
    assert not place.exists()
    assert any("SALVAGED" in line for line in scene.lines.lines)


@pytest.mark.contract("R-4.05", "S-20")
def test_what_a_dead_first_run_left_becomes_the_channel_file_and_the_export_goes_on_from_it(scene: Scene) -> None:
    scene.exporter.messages[ROOM] = [1, 2, 3, 4]
    whole = channel_bytes([1, 2, 3], channel_id=ROOM)
    scene.stale(whole[: whole.rindex(b'"id": "3"') + 30])
    outcome = scene.only()
    assert (outcome.action, outcome.before_count, outcome.salvaged_count, outcome.after_count) == ("MERGED", 0, 2, 4)
    assert scene.exporter.requests[-1].after == "2"
    assert ids_in(scene.archive) == [1, 2, 3, 4]


@pytest.mark.contract("R-3.02", "D-08")
def test_a_forum_is_skipped_and_never_fatal(scene: Scene) -> None:
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),))
    scene.exporter.listings = [
        ChannelListing(
            channel_id=ChannelId(THIRD), guild_id=GuildId(OTHER), name="ideas", kind="GuildForum", exportable=False
        ),
        ChannelListing(channel_id=ChannelId(ROOM), guild_id=GuildId(OTHER), name="room", kind="GuildTextChat"),
    ]
    outcome = scene.scrape()
    assert [(each.action, each.reason[:5]) for each in outcome.channels] == [("CREATED", ""), ("SKIPPED", "forum")]


@pytest.mark.contract("R-3.01", "R-7.08", "D-09")
def test_a_seeded_target_can_be_told_to_look_for_new_channels(scene: Scene) -> None:
    write_channel(scene.archive, [1, 2], channel_id=ROOM)
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),), discover=Discover.ALWAYS)
    scene.exporter.listings = [
        ChannelListing(channel_id=ChannelId(OTHER), guild_id=GuildId(OTHER), name="new", kind="GuildTextChat")
    ]
    scene.exporter.messages[OTHER] = [9]
    assert [each.action for each in scene.scrape().channels] == ["UNCHANGED", "CREATED"]
    assert any(OTHER in line and line.startswith("  New channels") for line in scene.lines.lines)


def listed(*ids: str) -> list[ChannelListing]:
    return [
        ChannelListing(channel_id=ChannelId(each), guild_id=GuildId(OTHER), name="room", kind="GuildTextChat")
        for each in ids
    ]


@pytest.mark.contract("R-3.01", "D-09")
@pytest.mark.parametrize(
    "trouble",
    [
        ExportFailed("HTTP 503, 9 times"),
        AuthenticationFailed("401"),
        ExportAborted(OTHER, 137),
        MemoryError("a bug, as good as a kill"),
    ],
)
def test_a_listed_channel_that_the_first_scrape_did_not_come_to_is_in_the_next_one(
    scene: Scene, trouble: Exception
) -> None:
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),))
    scene.exporter.listings = listed(ROOM, OTHER)
    scene.exporter.messages[OTHER] = [9]
    scene.exporter.troubles[OTHER] = trouble
    with contextlib.suppress(ScrapeStopped, MemoryError):
        scene.scrape()
    scene.exporter.troubles.clear()
    assert [(each.channel_id, each.action) for each in scene.scrape().channels] == [
        (ROOM, "UNCHANGED"),
        (OTHER, "CREATED"),
    ]
    assert not (scene.folder / ".dce-meta/unfinished.json").exists()


@pytest.mark.contract("R-3.01", "D-09")
def test_a_channel_that_cannot_be_read_is_not_owed(scene: Scene) -> None:
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),))
    scene.exporter.listings = listed(ROOM, OTHER)
    scene.exporter.troubles[OTHER] = ChannelSkipped(OTHER, SkipReason.FORBIDDEN)
    scene.scrape()
    assert [each.channel_id for each in scene.scrape().channels] == [ROOM]


@pytest.mark.contract("F-L6")
def test_a_first_run_that_was_narrowed_owes_the_rest_and_says_so(scene: Scene) -> None:
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),))
    scene.exporter.listings = listed(ROOM, OTHER, THIRD)
    scene.exporter.messages |= {OTHER: [9], THIRD: [8]}
    first = scene.scrape(only=(ChannelId(ROOM),))
    assert [each.channel_id for each in first.channels] == [ROOM]
    assert len(first.unarchived) == 2
    assert any("2 channels of the guild are not archived" in line and OTHER in line for line in scene.lines.lines)
    second = scene.scrape()
    assert [(each.channel_id, each.action) for each in second.channels] == [
        (ROOM, "UNCHANGED"),
        (OTHER, "CREATED"),
        (THIRD, "CREATED"),
    ]
    assert second.unarchived == ()


@pytest.mark.contract("F-L6")
def test_a_target_that_goes_by_its_files_names_what_the_guild_has_besides(scene: Scene) -> None:
    write_channel(scene.archive, [1, 2], channel_id=ROOM)
    scene.target = Target(
        name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),), exclude_channel_ids=(ChannelId(THIRD),)
    )
    scene.exporter.name = "discord_api"
    scene.exporter.listings = listed(ROOM, OTHER, THIRD)
    outcome = scene.scrape()
    assert outcome.unarchived == ("room",)
    assert [each.channel_id for each in outcome.channels] == [ROOM]
    assert scene.exporter.listed == [f"channels {OTHER} none False"]
    scene.exporter.troubles["listing"] = ExportFailed("HTTP 503")
    assert scene.scrape().unarchived == ()
    assert any("is not known: HTTP 503" in line for line in scene.lines.lines)


FUTURE = 4_000_000_000_000_000_000


@pytest.mark.contract("F-L5")
def test_no_cursor_rests_on_a_message_of_the_future(scene: Scene) -> None:
    scene.exporter.messages[ROOM] = [1, 2, FUTURE]
    new = scene.only()
    assert (new.action, scene.archive.exists()) == ("FAILED", False)
    assert str(FUTURE) in new.reason
    write_channel(scene.archive, [1, 2, FUTURE], channel_id=ROOM)
    asked = len(scene.exporter.requests)
    stands = scene.only()
    assert stands.action == "FAILED"
    assert str(FUTURE) in stands.reason
    assert len(scene.exporter.requests) == asked


@pytest.mark.contract("F-B7", "F-B6", "F-L13")
def test_messages_that_cannot_be_read_are_kept_beside_the_file_and_told(scene: Scene) -> None:
    scene.policies = Policies(stop_at_odd=False, raw=True)
    scene.exporter.odd = {ROOM: [OddMessage(message_id="2", reason="author is not an object")]}
    for _ in range(2):
        outcome = scene.only()
        assert [each.message_id for each in outcome.odd] == ["2"]
        scene.exporter.messages[ROOM].append(3)
    kept = (scene.folder / f".dce-meta/odd/{ROOM}.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in kept] == ["2"]
    raw = gzip.decompress((scene.folder / f".dce-meta/raw/{ROOM}.jsonl.gz").read_bytes()).splitlines()
    assert [json.loads(line)["id"] for line in raw] == ["1", "2", "3"]
    assert any("message 2 of channel" in line and "author is not an object" in line for line in scene.lines.lines)
    assert not (scene.folder / ".dce-temp").exists() or not list((scene.folder / ".dce-temp").iterdir())


@pytest.mark.contract("F-L13")
def test_raw_messages_of_an_export_that_failed_are_kept_as_its_partial_is(scene: Scene) -> None:
    scene.policies = Policies(raw=True)
    scene.exporter.messages[ROOM] = [1, 2, FUTURE]
    outcome = scene.only()
    assert (outcome.action, outcome.temp_kept is not None) == ("FAILED", True)
    raw = gzip.decompress((scene.folder / f".dce-meta/raw/{ROOM}.jsonl.gz").read_bytes()).splitlines()
    assert len(raw) == 3


@pytest.mark.contract("F-L13")
def test_a_new_file_is_begun_in_the_latest_format_and_an_old_one_keeps_its_own(scene: Scene) -> None:
    scene.scrape()
    scene.scrape()
    write_channel(scene.folder / f"old [{OTHER}].json", [1], channel_id=OTHER)
    scene.channels(OTHER)
    scene.scrape()
    scene.policies = Policies(format="latest")
    scene.scrape()
    assert [each.format for each in scene.exporter.requests] == ["latest", "2.46", "2.46", "latest"]


@pytest.mark.contract("R-3.03", "D-28", "E-08")
def test_a_failed_listing_is_an_error_and_no_channel_is_tried(scene: Scene) -> None:
    scene.target = Target(name="demo", output_dir=scene.folder, guild_ids=(GuildId(OTHER),))
    scene.exporter.troubles["listing"] = ExportFailed("Channel discovery failed for guild")
    with pytest.raises(ExportFailed, match="discovery failed"):
        scene.scrape()
    assert scene.exporter.requests == []


@pytest.mark.contract("R-3.24")
def test_several_channels_at_once_give_the_same_archives(tmp_path: Path) -> None:
    ids = [str(100000000000000000 + number) for number in range(12)]
    trees = []
    for parallel in (1, 4):
        scene = Scene(tmp_path / str(parallel))
        scene.channels(*ids)
        scene.exporter.messages = {each: [1, 2, 3] for each in ids}
        outcome = scene.scrape(parallel=parallel)
        assert [each.channel_id for each in outcome.channels] == ids
        trees.append({name: data for name, data in tree(scene.folder).items() if not name.startswith(".dce-meta")})
        assert set(json.loads((scene.folder / ".dce-meta/channel-map.json").read_text())) == set(ids)
    assert trees[0] == trees[1]


def test_an_export_of_unproven_completeness_is_appended_and_told(scene: Scene) -> None:
    scene.exporter.completeness = Completeness.UNPROVEN
    outcome = scene.only()
    assert (outcome.action, outcome.unproven) == ("CREATED", True)


@pytest.mark.contract("D-29", "R-2.06")
def test_a_guild_with_a_very_long_name_gets_a_file_that_fits(scene: Scene) -> None:
    long = json.loads(channel_bytes([1], channel_id=ROOM))
    long["guild"]["name"] = "漢" * 300
    scene.exporter.partials[ROOM] = b""

    class Long(CannedExporter):
        def export(self, request, /, *, on_progress, cancelled):  # type: ignore[no-untyped-def]
            outcome = super().export(request, on_progress=on_progress, cancelled=cancelled)
            request.output.write_text(json.dumps(long, indent=2))
            return outcome

    scene.exporter = Long(messages={ROOM: [1]})
    outcome = scene.only()
    assert outcome.file_path is not None
    assert outcome.file_path.name.endswith(f" [{ROOM}].json")
    assert len(outcome.file_path.name.encode()) <= 255
