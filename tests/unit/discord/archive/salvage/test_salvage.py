"""What becomes of exports that dead runs left behind."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import load_map, save_map
from dce_play.discord.archive.folder.owner import write_owner
from dce_play.discord.archive.folder.temps import Temp, end_ownership, list_temps, new_temp
from dce_play.discord.archive.salvage import salvage as salvage_module
from dce_play.discord.archive.salvage.report import Fate, SalvageReport
from dce_play.discord.archive.salvage.salvage import SalvagePolicy, salvage_target
from dce_play.discord.archive.salvage.whole import WholeExport
from dce_play.errors import UsageError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.clock import SystemClock
from tests.support.channel_files import channel_bytes, ids_in, write_channel

ROOM = ChannelId("111")
CLOCK = SystemClock()


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    folder = tmp_path / "target"
    folder.mkdir()
    return TargetLayout(folder)


@pytest.fixture
def archive(layout: TargetLayout) -> Path:
    return write_channel(layout.folder / "Fixture [111].json", [1, 2])


def left(layout: TargetLayout, data: bytes | None, *, name: str = "export.111.abcdef", age_s: float = 3600) -> Path:
    """Leave an export behind as the old scripts do: no owner record, some time ago."""
    place = layout.temp / name
    place.mkdir(parents=True)
    if data is not None:
        export = place / "export.json"
        export.write_bytes(data)
        moment = time.time() - age_s
        os.utime(export, (moment, moment))
    return place


def owned(layout: TargetLayout, data: bytes, *, cursor: str | None) -> Temp:
    """Leave an export behind as a run of ours does that has ended."""
    temp = new_temp(layout, ROOM, cursor=None if cursor is None else MessageId(cursor), now=CLOCK.now())
    temp.export.write_bytes(data)
    end_ownership(temp, now=CLOCK.now())
    return temp


def salvage(layout: TargetLayout, *, dry_run: bool = False, **environment: str) -> SalvageReport:
    return salvage_target(layout, run_id="r1", clock=CLOCK, environment=environment, dry_run=dry_run)


def only_line(report: SalvageReport, fate: Fate) -> str:
    [item] = report.items
    assert item.fate is fate, item.line
    return item.line


def truncated(ids: list[int], *, after: str | None = None) -> bytes:
    """Return an export whose last message is cut in the middle of its content."""
    data = channel_bytes([*ids, 99], after=after)
    return data[: data.rindex(b'"author"') + 20]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestRowsOfTheTable:
    """Contract 4.2, with rows 4, 5, 8, 11 and 12 as R-4.02 to R-4.05 change them."""

    @pytest.mark.contract("R-4.01")
    @pytest.mark.usefixtures("archive")
    def test_1_a_temp_without_export_goes(self, layout: TargetLayout) -> None:
        place = left(layout, None)
        only_line(salvage(layout), Fate.DISCARDED)
        assert not place.exists()

    @pytest.mark.contract("R-4.01")
    @pytest.mark.usefixtures("archive")
    def test_2_a_temp_with_an_empty_export_goes_however_young(self, layout: TargetLayout) -> None:
        place = left(layout, b"", age_s=0)
        only_line(salvage(layout), Fate.DISCARDED)
        assert not place.exists()

    @pytest.mark.contract("R-4.01", "S-19")
    def test_3_a_young_temp_is_left_alone(self, layout: TargetLayout, archive: Path) -> None:
        place = left(layout, channel_bytes([3]), age_s=100)
        line = only_line(salvage(layout), Fate.ACTIVE)
        assert line == f"Stale temp still active (recently modified), skipping salvage: {place}"
        assert ids_in(archive) == [1, 2]
        assert (place / "export.json").exists()

    @pytest.mark.contract("R-4.01", "S-19")
    @pytest.mark.usefixtures("archive")
    def test_3_the_age_limit_comes_from_the_environment(self, layout: TargetLayout) -> None:
        left(layout, channel_bytes([3]), age_s=9000)
        report = salvage(layout, DCE_STALE_TEMP_MIN_AGE_SECONDS="9999")
        assert "still active" in only_line(report, Fate.ACTIVE)

    @pytest.mark.contract("R-4.01")
    @pytest.mark.usefixtures("archive")
    def test_3_active_temps_are_taken_when_asked_for(self, layout: TargetLayout) -> None:
        left(layout, channel_bytes([3]), age_s=0)
        only_line(salvage(layout, DCE_SALVAGE_ACTIVE_TEMPS="1"), Fate.SALVAGED)

    @pytest.mark.contract("R-4.01", "R-4.02", "D-60")
    @pytest.mark.parametrize("data", [b"garbage", b'{\n  "guild": {\n    "id": "2', b"\0" * 100])
    @pytest.mark.usefixtures("archive")
    def test_4_what_cannot_be_salvaged_is_quarantined(self, layout: TargetLayout, data: bytes) -> None:
        left(layout, data)
        line = only_line(salvage(layout), Fate.QUARANTINED)
        assert line.startswith("Stale temp export unsalvageable")
        kept = layout.quarantine / "export.111.abcdef"
        assert (kept / "export.json").read_bytes() == data
        assert json.loads((kept / "quarantine_reason.json").read_bytes())["reason"] == "unsalvageable"

    @pytest.mark.contract("R-4.01", "R-4.02", "D-60")
    def test_5_another_channel_s_export_is_quarantined(self, layout: TargetLayout, archive: Path) -> None:
        data = channel_bytes([4], channel_id="999")
        left(layout, data)
        line = only_line(salvage(layout), Fate.QUARANTINED)
        assert "wrong channel (999 != 111)" in line
        assert (layout.quarantine / "export.111.abcdef" / "export.json").read_bytes() == data
        assert ids_in(archive) == [1, 2]

    @pytest.mark.contract("R-4.01")
    @pytest.mark.usefixtures("archive")
    def test_6_an_export_without_a_whole_message_goes(self, layout: TargetLayout) -> None:
        place = left(layout, truncated([]))
        only_line(salvage(layout), Fate.DISCARDED)
        assert not place.exists()

    @pytest.mark.contract("R-4.01", "R-4.09", "S-20", "S-21")
    def test_7_new_messages_go_into_the_archive(self, layout: TargetLayout, archive: Path) -> None:
        place = left(layout, truncated([2, 3, 4]))
        report = salvage(layout)
        assert only_line(report, Fate.SALVAGED) == (f"SALVAGED {archive} (+2 messages from stale temp, 2 → 4)")
        assert report.messages_added == 2
        assert ids_in(archive) == [1, 2, 3, 4]
        assert json.loads(archive.read_bytes())["messageCount"] == 4
        assert not place.exists()

    @pytest.mark.contract("R-4.01", "R-4.03", "D-11", "D-48")
    def test_8_when_nothing_is_new_the_archive_is_not_touched(self, layout: TargetLayout, archive: Path) -> None:
        before, facts = archive.read_bytes(), archive.stat()
        place = left(layout, channel_bytes([1, 2]))
        line = only_line(salvage(layout), Fate.DISCARDED)
        assert line == f"Stale temp merged with no new messages, discarding: {place}"
        assert archive.read_bytes() == before
        assert (archive.stat().st_mtime_ns, archive.stat().st_ino) == (facts.st_mtime_ns, facts.st_ino)
        assert not place.exists()

    @pytest.mark.contract("R-4.01", "R-4.12", "D-61")
    def test_9_and_10_when_the_archive_cannot_take_it_the_export_is_kept(
        self, layout: TargetLayout, archive: Path
    ) -> None:
        other = write_channel(layout.folder / "Other [222].json", [5], channel_id="222")
        archive.write_bytes(archive.read_bytes()[:-30])
        place = left(layout, channel_bytes([3]))
        left(layout, channel_bytes([6], channel_id="222"), name="export.222.abcdef")
        report = salvage(layout)
        assert [item.fate for item in report.items] == [Fate.RETAINED, Fate.SALVAGED]
        assert report.items[0].line.startswith(f"Stale temp merge failed, retaining for retry: {place}: ")
        assert (place / "export.json").exists()
        assert ids_in(other) == [5, 6]
        assert not report.ok

    @pytest.mark.contract("R-4.01", "R-4.05", "D-59")
    def test_11_a_full_export_makes_the_mapped_file_that_is_missing(self, layout: TargetLayout) -> None:
        path = layout.folder / "my name [111].json"
        save_map(layout, {ROOM: path})
        left(layout, truncated([1, 2]))
        line = only_line(salvage(layout), Fate.SALVAGED)
        assert line == f"SALVAGED {path} (2 messages from stale temp, new archive)"
        assert ids_in(path) == [1, 2]

    @pytest.mark.contract("R-4.01", "R-4.05", "D-12")
    def test_12_a_full_export_makes_the_archive_at_its_default_place(self, layout: TargetLayout) -> None:
        left(layout, channel_bytes([1, 2]))
        only_line(salvage(layout), Fate.SALVAGED)
        path = layout.folder / "Fixture Guild - Testing Grounds - fixture-room [111].json"
        assert ids_in(path) == [1, 2]
        assert load_map(layout) == {ROOM: path}
        assert list(layout.temp.iterdir()) == []

    @pytest.mark.contract("R-4.01", "R-4.05", "R-2.12", "D-12")
    def test_12_a_delta_without_its_archive_is_an_orphan_and_told(self, layout: TargetLayout) -> None:
        place = left(layout, channel_bytes([8, 9], after="2026-01-02T00:00:00+00:00"))
        report = salvage(layout)
        assert only_line(report, Fate.ORPHAN).endswith(f"keeping it as an orphan: {place}")
        assert not report.ok
        assert (place / "export.json").exists()
        assert list(layout.folder.glob("*.json")) == []


@pytest.mark.contract("R-4.05")
def test_the_owner_s_cursor_tells_a_delta_from_a_full_export(layout: TargetLayout) -> None:
    owned(layout, channel_bytes([8, 9]), cursor="7")
    only_line(salvage(layout), Fate.ORPHAN)


@pytest.mark.contract("R-4.04", "D-11")
def test_an_older_copy_never_takes_a_newer_one_s_place(layout: TargetLayout) -> None:
    archive = layout.folder / "Fixture [111].json"
    archive.write_bytes(channel_bytes([1, 2], contents={2: "new"}, exported_at="2026-03-01T00:00:00+00:00"))
    left(layout, channel_bytes([1, 2, 3], contents={2: "old"}, exported_at="2026-02-01T00:00:00+00:00"))
    only_line(salvage(layout), Fate.SALVAGED)
    contents = [entry["content"] for entry in json.loads(archive.read_bytes())["messages"]]
    assert contents == ["message 1", "new", "message 3"]
    assert not layout.edits(ROOM).exists()


@pytest.mark.contract("R-4.11")
@pytest.mark.parametrize("names", [("aaa", "bbb"), ("bbb", "aaa")])
def test_several_exports_of_a_channel_go_in_oldest_first(
    layout: TargetLayout, archive: Path, names: tuple[str, str]
) -> None:
    left(layout, channel_bytes([3, 4]), name=f"export.111.{names[0]}", age_s=9000)
    left(layout, channel_bytes([3, 4, 5]), name=f"export.111.{names[1]}", age_s=200)
    report = salvage(layout)
    assert [item.messages_added for item in report.items] == [2, 1]
    assert ids_in(archive) == [1, 2, 3, 4, 5]


@pytest.mark.contract("R-4.06", "D-62")
def test_an_export_of_a_living_owner_is_left_alone_even_when_active_ones_are_taken(
    layout: TargetLayout, archive: Path
) -> None:
    temp = new_temp(layout, ROOM, cursor=MessageId("2"), now=CLOCK.now())
    temp.export.write_bytes(channel_bytes([3]))
    os.utime(temp.export, (0, 0))
    line = only_line(salvage(layout, DCE_SALVAGE_ACTIVE_TEMPS="1"), Fate.ACTIVE)
    assert f"pid {os.getpid()}" in line


@pytest.mark.contract("R-4.06", "D-62")
def test_an_export_of_a_dead_owner_is_salvaged_at_once(layout: TargetLayout, archive: Path) -> None:
    temp = new_temp(layout, ROOM, cursor=MessageId("2"), now=CLOCK.now())
    temp.export.write_bytes(truncated([3]))
    assert temp.owner is not None
    write_owner(temp.place, replace(temp.owner, boot_id="before the reboot"))
    only_line(salvage(layout), Fate.SALVAGED)
    assert ids_in(archive) == [1, 2, 3]


@pytest.mark.contract("R-4.06")
def test_an_export_from_the_future_is_active_and_told(layout: TargetLayout, archive: Path) -> None:
    left(layout, channel_bytes([3]), age_s=-3600)
    assert "in the future" in only_line(salvage(layout), Fate.ACTIVE)


def test_an_export_that_runs_backwards_is_quarantined(layout: TargetLayout, archive: Path) -> None:
    left(layout, channel_bytes([5, 4, 3]))
    only_line(salvage(layout), Fate.QUARANTINED)
    assert ids_in(archive) == [1, 2]


def test_an_export_of_another_guild_is_quarantined(layout: TargetLayout, archive: Path) -> None:
    left(layout, channel_bytes([3]).replace(b'"id": "222"', b'"id": "333"'))
    assert "wrong guild" in only_line(salvage(layout), Fate.QUARANTINED)


@pytest.mark.contract("R-2.02", "D-01")
def test_an_export_of_a_channel_with_two_files_is_kept(layout: TargetLayout, archive: Path) -> None:
    twin = write_channel(layout.folder / "Twin [111].json", [1])
    place = left(layout, channel_bytes([3]))
    line = only_line(salvage(layout), Fate.RETAINED)
    assert str(twin) in line
    assert str(archive) in line
    assert place.exists()


@pytest.mark.contract("R-2.08")
def test_a_replacement_that_an_old_script_left_is_salvaged(layout: TargetLayout) -> None:
    room = "1573508731788951644"
    archive = write_channel(layout.folder / f"room [{room}].json", [1, 2], channel_id=room)
    leftover = layout.folder / f".room [{room}].json.dce-replace.Ab12Cd"
    leftover.write_bytes(channel_bytes([1, 2, 3], channel_id=room)[:-10])
    os.utime(leftover, (1, 1))
    only_line(salvage(layout), Fate.SALVAGED)
    assert ids_in(archive) == [1, 2, 3]
    assert not leftover.exists()


@pytest.mark.contract("R-4.02")
def test_other_files_beside_a_salvaged_export_are_kept_in_quarantine(layout: TargetLayout, archive: Path) -> None:
    place = left(layout, channel_bytes([3]))
    (place / "notes.txt").write_text("precious", encoding="utf-8")
    only_line(salvage(layout), Fate.SALVAGED)
    assert (layout.quarantine / place.name / "notes.txt").read_text(encoding="utf-8") == "precious"


@pytest.mark.contract("R-4.14")
@pytest.mark.parametrize(
    "data",
    [b"", b"garbage", truncated([3, 4]), channel_bytes([1]), channel_bytes([3], channel_id="999"), truncated([])],
)
def test_a_dry_run_decides_the_same_and_writes_nothing(layout: TargetLayout, archive: Path, data: bytes) -> None:
    left(layout, data)
    before = tree(layout.folder)
    planned = salvage(layout, dry_run=True)
    assert tree(layout.folder) == before
    assert salvage(layout) == planned


@pytest.mark.contract("R-4.14")
def test_a_dry_run_of_a_new_archive_writes_nothing(layout: TargetLayout) -> None:
    left(layout, truncated([1, 2]))
    before = tree(layout.folder)
    planned = salvage(layout, dry_run=True)
    assert tree(layout.folder) == before
    assert salvage(layout) == planned


@pytest.mark.contract("R-4.13", "D-58")
def test_the_counters_add_up(layout: TargetLayout, archive: Path) -> None:
    left(layout, channel_bytes([3, 4]), name="export.111.a")
    left(layout, b"", name="export.111.b")
    left(layout, b"garbage", name="export.111.c")
    left(layout, channel_bytes([9]), name="export.111.d", age_s=1)
    left(layout, channel_bytes([9], channel_id="5", after="2026"), name="export.5.e")
    size = len(channel_bytes([3, 4]))
    assert salvage(layout).counters() == {
        "examined": 5,
        "active": 1,
        "salvaged": 1,
        "discarded": 1,
        "quarantined": 1,
        "retained": 0,
        "orphan": 1,
        "messages_added": 2,
        "bytes_freed": size,
    }


@pytest.mark.contract("R-4.10")
def test_only_the_channels_asked_for_are_salvaged(layout: TargetLayout, archive: Path) -> None:
    left(layout, channel_bytes([3]))
    left(layout, channel_bytes([6], channel_id="222"), name="export.222.x")
    report = salvage_target(layout, run_id="r", clock=CLOCK, environment={}, channels=[ROOM])
    assert [item.channel_id for item in report.items] == [ROOM]
    assert [temp.channel_id for temp in list_temps(layout)] == ["222"]


def test_a_salvage_of_nothing_reports_nothing(layout: TargetLayout) -> None:
    report = salvage(layout)
    assert (report.examined, report.ok) == (0, True)


def test_an_age_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError):
        SalvagePolicy.from_environment({"DCE_STALE_TEMP_MIN_AGE_SECONDS": "2m"})


@pytest.mark.contract("F-B2")
@pytest.mark.parametrize(
    "cut",
    [
        b'],\n  "x": ' + b"[" * 2000,
        b'],\n  "x": ' + b'{"a":' * 2000,
        b'],\n  "messageCount": 3,\n  "x": ' + b"[" * 2000,
        b',\n    {"id": "9", "x": ' + b"[" * 2000,
    ],
    ids=["brackets", "braces", "after a member", "in a message"],
)
def test_a_trailer_nested_too_deep_ends_neither_its_own_salvage_nor_the_others(
    layout: TargetLayout, archive: Path, cut: bytes
) -> None:
    whole = channel_bytes([2, 3])
    end = whole.rindex(b"\n  ],")
    left(layout, whole[:end] + (b"\n  " if cut.startswith(b"]") else b"") + cut, name="export.111.aaaaaa", age_s=7200)
    left(layout, channel_bytes([4]), name="export.111.bbbbbb")
    report = salvage(layout)
    assert report.ok
    assert ids_in(archive) == [1, 2, 3, 4]


@pytest.mark.contract("F-B2")
@pytest.mark.parametrize("failure", [ValueError("odd"), KeyError("odd"), RecursionError("odd")])
def test_whatever_a_reader_fails_with_on_one_file_never_ends_the_others(
    layout: TargetLayout, archive: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """No file is known that gets so far: what is not foreseen is put in by hand."""
    odd = left(layout, channel_bytes([2]), name="export.111.aaaaaa", age_s=7200)
    left(layout, channel_bytes([4]), name="export.111.bbbbbb")
    place = salvage_module._Salvage._place

    def fail_once(self: salvage_module._Salvage, temp: Temp, whole: WholeExport) -> object:
        if temp.export.parent == odd:
            raise failure
        return place(self, temp, whole)

    monkeypatch.setattr(salvage_module._Salvage, "_place", fail_once)
    report = salvage(layout)
    assert [item.fate for item in report.items] == [Fate.RETAINED, Fate.SALVAGED]
    assert (odd / "export.json").read_bytes() == channel_bytes([2])
    assert ids_in(archive) == [1, 2, 4]
