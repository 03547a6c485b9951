import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from benchmarks.generate import CHANNEL_ID, write_export
from dce_play.discord.archive.append.append import (
    AppendOptions,
    AppendOutcome,
    EditPolicy,
    GapPolicy,
    ReaderSafe,
    append,
    plan_append,
)
from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.write_errors import CannotClone, NotEnoughSpace
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import Disk
from dce_play.system.durable.json_lines import read_lines
from dce_play.system.lock.file_lock import flock_file
from tests.support.channel_files import channel_bytes, ids_in, write_channel, write_large_channel
from tests.support.fakes import FakeClock

DATA = Path(__file__).parents[4] / "data"
CHANNEL = ChannelId("111")
LATER = "2026-02-01T00:00:00+00:00"
EARLIER = "2025-01-01T00:00:00+00:00"
FIRST = "2026-01-05T00:00:00+00:00"
"""When ``channel_bytes`` was exported, unless told."""


class Bench:
    """One target's folder, and an append with everything it needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = TargetLayout(folder / "target")
        self.archive = self.layout.folder / "room [111].json"

    def stored(self, data: bytes) -> None:
        self.archive.parent.mkdir(exist_ok=True)
        self.archive.write_bytes(data)

    def delta(self, data: bytes, name: str = "delta.json") -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def append(
        self,
        *deltas: bytes,
        run_id: str = "run-1",
        edits: EditPolicy = EditPolicy.SIDECAR,
        holes: GapPolicy = GapPolicy.MERGE,
        reader_safe: ReaderSafe = ReaderSafe.AUTO,
        disk: Disk | None = None,
    ) -> AppendOutcome:
        paths = [self.delta(data, f"delta-{number}.json") for number, data in enumerate(deltas)]
        options = AppendOptions(
            run_id=run_id, exporter="t", exporter_version="2.46", edits=edits, holes=holes, reader_safe=reader_safe
        )
        return append(self.archive, paths, options, layout=self.layout, clock=FakeClock(), disk=disk or Disk())

    def edits(self) -> list[str]:
        return [line["message"]["content"] for line in read_lines(self.layout.edits(CHANNEL))]

    def contents(self) -> dict[str, str]:
        return {entry["id"]: entry["content"] for entry in json.loads(self.archive.read_bytes())["messages"]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.contract("S-02", "S-09", "R-3.08", "R-16.01")
def test_an_append_writes_what_one_export_of_everything_would_have(bench: Bench) -> None:
    bench.stored(channel_bytes([1, 2]))

    outcome = bench.append(channel_bytes([3, 4]))

    assert bench.archive.read_bytes() == channel_bytes([1, 2, 3, 4])
    assert (outcome.before_count, outcome.appended, outcome.after_count) == (2, 2, 4)
    assert (outcome.placed, outcome.edited, outcome.holes_filled, outcome.behind) == (0, 0, 0, 0)
    assert (outcome.first_id, outcome.last_id, outcome.unchanged) == ("3", "4", False)
    assert outcome.every_id_placed


def test_the_exporters_own_bytes_come_out_as_one_export(tmp_path: Path) -> None:
    layout = TargetLayout(tmp_path)
    archive = write_export(tmp_path / f"a [{CHANNEL_ID}].json", range(20))
    delta = write_export(tmp_path / "delta.json", range(20, 50))
    whole = write_export(tmp_path / "whole.json", range(50))

    append(archive, [delta], AppendOptions(run_id="r"), layout=layout, clock=FakeClock())

    assert archive.read_bytes() == whole.read_bytes()


@pytest.mark.contract("D-10", "R-3.08", "D-49")
def test_bytes_before_the_cut_are_never_touched(bench: Bench) -> None:
    old = channel_bytes([1, 2])
    bench.stored(old)

    bench.append(channel_bytes([3], after="2026-01-02T00:00:00+00:00", exported_at=LATER, category="Renamed"))

    cut = old.index(b'\n  ],\n  "messageCount"')
    assert bench.archive.read_bytes()[:cut] == old[:cut]


@pytest.mark.parametrize("way", [ReaderSafe.OFF, ReaderSafe.REWRITE])
def test_an_append_of_several_mebibytes_comes_out_as_one_export(tmp_path: Path, way: ReaderSafe) -> None:
    layout = TargetLayout(tmp_path)
    archive = write_large_channel(tmp_path / "a [111].json", 1000, 100, channel_id="111")
    delta = write_large_channel(tmp_path / "delta.json", 1100, 3000, channel_id="111")
    whole = write_large_channel(tmp_path / "whole.json", 1000, 3100, channel_id="111")

    append(archive, [delta], AppendOptions(run_id="r", reader_safe=way), layout=layout, clock=FakeClock())

    assert delta.stat().st_size > 2 << 20
    assert archive.read_bytes() == whole.read_bytes()


def test_an_operators_archive_is_appended_to_in_its_own_style(tmp_path: Path) -> None:
    source = next((DATA / "operators").glob("Lab Guild*.json"))
    archive = tmp_path / source.name
    shutil.copy(source, archive)
    old = archive.read_bytes()

    outcome = append(
        archive,
        [DATA / "operators/increment-general.json"],
        AppendOptions(run_id="r"),
        layout=TargetLayout(tmp_path),
        clock=FakeClock(),
    )

    data = archive.read_bytes()
    assert (outcome.before_count, outcome.after_count, outcome.edited) == (306, 308, 0)
    assert data.endswith(b'"messageCount": 308\n}\n')
    assert data.startswith(old[: old.rindex(b"\n  ]")])
    assert len(json.loads(data)["messages"]) == 308


@pytest.mark.contract("R-16.02")
def test_an_archive_without_message_count_stays_without(bench: Bench) -> None:
    bench.stored(channel_bytes([1]).replace(b',\n  "messageCount": 1', b""))

    bench.append(channel_bytes([2]))

    assert bench.archive.read_bytes() == channel_bytes([1, 2]).replace(b',\n  "messageCount": 2', b"")


@pytest.mark.contract("R-16.02")
def test_crlf_stays_crlf_between_the_messages(bench: Bench) -> None:
    bench.stored(channel_bytes([1]).replace(b"\n", b"\r\n"))

    bench.append(channel_bytes([2, 3]).replace(b"\n", b"\r\n"))

    assert bench.archive.read_bytes() == channel_bytes([1, 2, 3]).replace(b"\n", b"\r\n")


@pytest.mark.contract("R-16.02")
@pytest.mark.parametrize("newlines", [(b"\r\n", b"\r\n"), (b"\r\n", b"\n"), (b"\n", b"\r\n")])
def test_the_archives_line_breaks_part_the_messages_when_it_is_written_anew_too(
    bench: Bench, newlines: tuple[bytes, bytes]
) -> None:
    ours, theirs = newlines
    bench.stored(channel_bytes([1, 3]).replace(b"\n", ours))

    bench.append(channel_bytes([2]).replace(b"\n", theirs))

    added = _span(channel_bytes([1, 2, 3]), 2).replace(b"\n", theirs)
    expected = channel_bytes([1, 2, 3]).replace(b"\n", ours)
    assert bench.archive.read_bytes() == expected.replace(_span(expected, 2), added)


def test_deltas_of_another_layout_are_spliced_in_as_they_are(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))
    minified = json.dumps(json.loads(channel_bytes([2, 3])), separators=(",", ":")).encode()

    bench.append(minified)
    bench.append(channel_bytes([4]))

    assert ids_in(bench.archive) == [1, 2, 3, 4]
    assert b'{"id":"3","type":"Default"' in bench.archive.read_bytes()


@pytest.mark.contract("R-3.05")
def test_an_empty_archive_gets_its_first_messages(bench: Bench) -> None:
    bench.stored(channel_bytes([]))

    outcome = bench.append(channel_bytes([1, 2]))

    assert bench.archive.read_bytes() == channel_bytes([1, 2])
    assert (outcome.before_count, outcome.after_count) == (0, 2)


@pytest.mark.parametrize("way", [ReaderSafe.OFF, ReaderSafe.REWRITE])
def test_a_file_that_gets_shorter_ends_where_its_last_brace_is(bench: Bench, way: ReaderSafe) -> None:
    bench.stored(channel_bytes([]).replace(b"[]", b"[" + b" " * 5000 + b"]"))

    bench.append(channel_bytes([1, 2]), reader_safe=way)

    assert bench.archive.read_bytes() == channel_bytes([1, 2])


@pytest.mark.contract("S-11", "R-3.07", "D-48")
def test_the_same_delta_again_leaves_the_file_alone(bench: Bench) -> None:
    bench.stored(channel_bytes([1, 2]))
    bench.append(channel_bytes([2, 3]))
    before = bench.archive.stat()

    outcome = bench.append(channel_bytes([2, 3]), run_id="run-2")

    assert bench.archive.stat() == before
    assert outcome.unchanged
    assert (outcome.placed, outcome.appended, outcome.edited) == (2, 0, 0)
    assert bench.archive.read_bytes() == channel_bytes([1, 2, 3])


@pytest.mark.contract("R-3.07", "R-16.05")
def test_a_delta_without_messages_leaves_the_file_alone_and_makes_its_record(bench: Bench) -> None:
    bench.stored(channel_bytes([1, 2]))
    before = bench.archive.stat()

    assert bench.append(channel_bytes([])).unchanged

    assert bench.archive.stat() == before
    assert read_cursor(bench.archive, layout=bench.layout).recorded


@pytest.mark.contract("S-03", "R-3.13")
def test_a_delta_of_another_channel_is_refused(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    with pytest.raises(ForeignChannel, match="channel 999, not of 111"):
        bench.append(channel_bytes([2], channel_id="999"))

    assert bench.archive.read_bytes() == channel_bytes([1])


def test_a_refusal_tells_the_file_both_channels_and_what_to_look_at(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    with pytest.raises(ForeignChannel) as caught:
        bench.append(channel_bytes([2]), channel_bytes([3], channel_id="999"))

    delta = bench.folder / "delta-1.json"
    assert str(caught.value) == f"{delta} is of channel 999, not of 111"
    assert (caught.value.path, caught.value.found, caught.value.expected) == (delta, "999", "111")
    assert caught.value.hint == "nothing was changed; see where the file comes from"


@pytest.mark.contract("S-08", "R-3.13")
def test_an_archive_of_another_channel_is_refused(bench: Bench) -> None:
    bench.stored(channel_bytes([1], channel_id="999"))
    options = AppendOptions(run_id="r", channel_id=CHANNEL)
    delta = bench.delta(channel_bytes([2]))

    with pytest.raises(ForeignChannel, match=f"^{re.escape(str(bench.archive))} is of channel 999, not of 111$"):
        append(bench.archive, [delta], options, layout=bench.layout, clock=FakeClock())


def test_a_delta_of_another_guild_is_refused(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    told = re.escape(f"{bench.folder / 'delta-0.json'} is of guild 223, not of 222")
    with pytest.raises(ForeignChannel, match=f"^{told}$"):
        bench.append(channel_bytes([2]).replace(b'"id": "222"', b'"id": "223"'))


@pytest.mark.contract("S-06", "R-3.14")
@pytest.mark.parametrize("data", [b"not-json", channel_bytes([1, 2])[:-60], b""])
def test_an_archive_that_cannot_be_read_is_left_alone(bench: Bench, data: bytes) -> None:
    bench.stored(data)

    with pytest.raises((DamagedFile, NotCanonical)):
        bench.append(channel_bytes([3]))

    assert bench.archive.read_bytes() == data


@pytest.mark.contract("R-16.02")
def test_an_archive_that_states_its_count_first_is_to_be_normalised(bench: Bench) -> None:
    data = channel_bytes([1]).replace(b',\n  "messageCount": 1', b"").replace(b"{", b'{\n  "messageCount": 1,', 1)
    bench.stored(data)

    with pytest.raises(NotCanonical) as caught:
        bench.append(channel_bytes([2]))

    reason = "its messageCount stands before its messages"
    assert str(caught.value) == f"{bench.archive} cannot be appended to: {reason}"
    assert (caught.value.path, caught.value.reason, caught.value.whole) == (bench.archive, reason, True)
    assert caught.value.hint == f"dce-play archive normalise '{bench.archive}'"
    assert bench.archive.read_bytes() == data


def test_a_truncated_delta_is_refused(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    with pytest.raises(DamagedFile):
        bench.append(channel_bytes([2, 3])[:-30])

    assert bench.archive.read_bytes() == channel_bytes([1])


@pytest.mark.contract("R-3.04", "S-13", "D-30")
def test_an_unsorted_archive_is_appended_to_after_its_greatest_id(bench: Bench) -> None:
    bench.stored(channel_bytes([1, 999, 2]))

    outcome = bench.append(channel_bytes([1000]))

    assert ids_in(bench.archive) == [1, 999, 2, 1000]
    assert (outcome.appended, outcome.last_id) == (1, "1000")


@pytest.mark.contract("R-3.04", "S-14", "R-16.07")
def test_ids_are_compared_as_numbers(bench: Bench) -> None:
    bench.stored(channel_bytes([999999999999999999, 1000000000000000000]))

    outcome = bench.append(channel_bytes([1000000000000000001]))

    assert (outcome.appended, outcome.last_id) == (1, "1000000000000000001")


@pytest.mark.contract("D-31", "R-3.10")
def test_an_archive_with_repeated_ids_can_be_appended_to(bench: Bench) -> None:
    bench.stored(channel_bytes([1, 2, 2]))

    outcome = bench.append(channel_bytes([3]))

    assert ids_in(bench.archive) == [1, 2, 2, 3]
    assert (outcome.before_count, outcome.after_count) == (3, 4)


def test_several_deltas_go_in_at_once_in_order_of_ids(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    outcome = bench.append(channel_bytes([5, 4, 7]), channel_bytes([2, 6, 7], contents={7: "newer"}))

    assert ids_in(bench.archive) == [1, 2, 4, 5, 6, 7]
    assert outcome.appended == 5
    assert bench.contents()["7"] == "newer"


@pytest.mark.contract("R-3.06", "D-11")
class TestEdits:
    old = channel_bytes([1, 2], contents={2: "as it was"})
    newer = channel_bytes([2, 3], contents={2: "as it is"}, exported_at=LATER)

    def test_a_newer_copy_goes_into_the_sidecar(self, bench: Bench) -> None:
        bench.stored(self.old)

        outcome = bench.append(self.newer)

        assert bench.contents() == {"1": "message 1", "2": "as it was", "3": "message 3"}
        assert bench.edits() == ["as it is"]
        assert (outcome.edited, outcome.appended, outcome.every_id_placed) == (1, 1, True)

    def test_the_same_newer_copy_is_kept_once(self, bench: Bench) -> None:
        bench.stored(self.old)
        bench.append(self.newer)

        bench.append(self.newer, run_id="run-2")

        assert bench.edits() == ["as it is"]

    @pytest.mark.parametrize(
        ("policy", "kept"), [(EditPolicy.SIDECAR, ("as it is", LATER)), (EditPolicy.REWRITE, ("as it was", FIRST))]
    )
    def test_a_kept_copy_says_of_what_export_it_is_and_who_kept_it(
        self, bench: Bench, policy: EditPolicy, kept: tuple[str, str]
    ) -> None:
        bench.stored(self.old)

        bench.append(self.newer, edits=policy)

        (line,) = read_lines(bench.layout.edits(CHANNEL))
        assert (line["message"]["content"], line["exported_at"]) == kept
        assert (line["id"], line["run_id"], line["time"]) == ("2", "run-1", "2026-11-21T01:15:07Z")

    def test_an_edit_taken_back_is_an_edit(self, bench: Bench) -> None:
        bench.stored(self.old)
        bench.append(self.newer)
        bench.append(channel_bytes([2], contents={2: "as it came"}, exported_at=LATER), run_id="run-2")

        bench.append(self.newer, run_id="run-3")

        assert bench.edits() == ["as it is", "as it came", "as it is"]

    def test_ignore_keeps_nothing(self, bench: Bench) -> None:
        bench.stored(self.old)

        outcome = bench.append(self.newer, edits=EditPolicy.IGNORE)

        assert outcome.edited == 1
        assert bench.edits() == []

    @pytest.mark.contract("S-10")
    def test_rewrite_takes_the_newer_copy_and_keeps_the_older(self, bench: Bench) -> None:
        bench.stored(self.old)

        outcome = bench.append(self.newer, edits=EditPolicy.REWRITE)

        assert bench.contents() == {"1": "message 1", "2": "as it is", "3": "message 3"}
        assert bench.edits() == ["as it was"]
        assert (outcome.rewritten, outcome.after_count) == (True, 3)

    def test_rewriting_the_same_again_changes_nothing(self, bench: Bench) -> None:
        bench.stored(self.old)
        bench.append(self.newer, edits=EditPolicy.REWRITE)
        before = bench.archive.stat()

        outcome = bench.append(self.newer, edits=EditPolicy.REWRITE, run_id="run-2")

        assert outcome.unchanged
        assert bench.archive.stat() == before

    @pytest.mark.parametrize("policy", list(EditPolicy))
    def test_an_older_copy_never_wins(self, bench: Bench, policy: EditPolicy) -> None:
        bench.stored(self.old)

        outcome = bench.append(channel_bytes([2], contents={2: "older"}, exported_at=EARLIER), edits=policy)

        assert bench.contents()["2"] == "as it was"
        assert (bench.edits(), outcome.edited, outcome.placed) == ([], 0, 1)

    @pytest.mark.parametrize("time", ["", "not a time", "2026-01-05T00:00:00", "2026-01-05T00:00:00.1234567+00:00"])
    def test_odd_times_stop_nothing_and_hide_nothing(self, bench: Bench, time: str) -> None:
        bench.stored(self.old)

        assert bench.append(channel_bytes([2, 3], contents={2: "as it is"}, exported_at=time)).appended == 1
        assert bench.edits() == ["as it is"]

    def test_a_copy_of_the_same_time_is_an_edit(self, bench: Bench) -> None:
        bench.stored(self.old)

        bench.append(channel_bytes([2], contents={2: "as it is"}))

        assert bench.edits() == ["as it is"]

    def test_what_an_append_brought_is_as_old_as_its_export(self, bench: Bench) -> None:
        bench.stored(self.old)
        bench.append(channel_bytes([3], exported_at="2026-03-01T00:00:00+00:00"))

        outcome = bench.append(channel_bytes([3], contents={3: "older"}, exported_at=LATER), run_id="run-2")

        assert outcome.edited == 0

    def test_what_another_channel_got_makes_no_copy_older(self, bench: Bench) -> None:
        bench.stored(self.old)
        other = write_channel(bench.layout.folder / "other [112].json", [1], channel_id="112")
        delta = write_channel(bench.folder / "other.json", [2], channel_id="112", exported_at=LATER)
        append(other, [delta], AppendOptions(run_id="r"), layout=bench.layout, clock=FakeClock())

        outcome = bench.append(channel_bytes([2], contents={2: "as it is"}, exported_at="2026-01-20T00:00:00+00:00"))

        assert outcome.edited == 1
        assert bench.edits() == ["as it is"]

    @pytest.mark.contract("R-16.06", "R-16.08")
    def test_another_spelling_of_the_same_is_no_edit(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1], contents={1: "caf\u00e9 \U0001f600"}))
        escaped = json.dumps(json.loads(channel_bytes([1], contents={1: "caf\u00e9 \U0001f600"}, exported_at=LATER)))

        assert bench.append(escaped.encode()).unchanged


@pytest.mark.contract("R-3.10")
class TestHoles:
    def test_a_missing_message_is_put_in_its_place(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1, 3]))

        outcome = bench.append(channel_bytes([2, 3, 4]))

        assert bench.archive.read_bytes() == channel_bytes([1, 2, 3, 4])
        assert (outcome.holes_filled, outcome.appended, outcome.after_count) == (1, 1, 4)
        assert (outcome.behind, outcome.every_id_placed) == (0, True)

    def test_report_leaves_the_hole_and_says_that_the_delta_must_stay(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1, 3]))

        outcome = bench.append(channel_bytes([2, 3, 4]), holes=GapPolicy.REPORT)

        assert ids_in(bench.archive) == [1, 3, 4]
        assert (outcome.behind, outcome.every_id_placed) == (1, False)

    @pytest.mark.parametrize("holes", list(GapPolicy))
    def test_each_message_is_told_as_what_it_is_also_behind_a_missing_one(self, bench: Bench, holes: GapPolicy) -> None:
        bench.stored(channel_bytes([1, 3, 5, 9]))
        delta = channel_bytes([2, 3, 4, 5, 9, 10], contents={5: "edited"}, exported_at=LATER)

        outcome = bench.append(delta, holes=holes)

        filled = 2 if holes is GapPolicy.MERGE else 0
        assert (outcome.placed, outcome.edited, outcome.appended) == (2, 1, 1)
        assert (outcome.holes_filled, outcome.behind) == (filled, 2 - filled)
        assert bench.edits() == ["edited"]
        assert ids_in(bench.archive) == ([1, 2, 3, 4, 5, 9, 10] if filled else [1, 3, 5, 9, 10])

    def test_the_record_says_whether_the_file_is_in_order_now(self, bench: Bench) -> None:
        for stored, delta, ordered in (([1, 3], [4], True), ([3, 1], [4], False), ([4, 1], [2], True)):
            bench.stored(channel_bytes(stored))
            bench.append(channel_bytes(delta))
            cursor = read_cursor(bench.archive, layout=bench.layout)
            assert (cursor.recorded, cursor.ordered) == (True, ordered)

    def test_filling_a_hole_leaves_repeated_ids_out_and_loses_none(self, bench: Bench) -> None:
        repeated = channel_bytes([1, 3, 3, 5]).replace(b'"content": "message 3"', b'"content": "other 3"', 1)
        bench.stored(repeated)

        outcome = bench.append(channel_bytes([2]))

        assert ids_in(bench.archive) == [1, 2, 3, 5]
        assert outcome.after_count == 4
        assert bench.edits() == ["message 3"]

    def test_the_line_of_a_rewrite_tells_what_came_when(self, bench: Bench) -> None:
        old = channel_bytes([1, 4, 4, 6])
        bench.stored(old)

        bench.append(
            channel_bytes([3, 2, 9], exported_at=FIRST),
            channel_bytes([6], contents={6: "newer"}, exported_at=LATER),
            edits=EditPolicy.REWRITE,
        )

        (line,) = read_appends(bench.layout, CHANNEL)
        assert (line.kind, line.run_id, line.time) == ("rewritten", "run-1", "2026-11-21T01:15:07Z")
        assert (line.first_id, line.last_id, line.count, line.message_count) == ("2", "9", 2, 6)
        assert (line.cut_before, line.cut_after) == (_cut(old), _cut(bench.archive.read_bytes()))
        assert (line.exporter, line.exporter_version, line.exported_at) == ("t", "2.46", LATER)

    def test_copies_of_a_missing_message_are_no_edits(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1, 3]))

        bench.append(channel_bytes([2], contents={2: "one"}), channel_bytes([2], contents={2: "other"}))

        assert bench.contents() == {"1": "message 1", "2": "other", "3": "message 3"}
        assert bench.edits() == []

    def test_mode_is_kept_and_nothing_is_left_beside(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1, 3]))
        bench.archive.chmod(0o640)

        bench.append(channel_bytes([2]))

        assert bench.archive.stat().st_mode & 0o777 == 0o640
        assert sorted(path.name for path in bench.layout.folder.iterdir()) == [".dce-meta", "room [111].json"]


@pytest.mark.contract("D-02", "R-2.07")
def test_mode_and_inode_are_kept(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))
    bench.archive.chmod(0o640)
    before = bench.archive.stat()

    bench.append(channel_bytes([2]), reader_safe=ReaderSafe.OFF)

    after = bench.archive.stat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)


@pytest.mark.parametrize("way", [ReaderSafe.REWRITE, ReaderSafe.AUTO, ReaderSafe.OFF])
def test_every_way_of_writing_gives_the_same_file(bench: Bench, way: ReaderSafe) -> None:
    bench.stored(channel_bytes([1]))
    bench.archive.chmod(0o604)
    inode = bench.archive.stat().st_ino

    bench.append(channel_bytes([2]), reader_safe=way)
    is_new = bench.archive.stat().st_ino != inode
    bench.append(channel_bytes([3]), reader_safe=way)

    assert bench.archive.read_bytes() == channel_bytes([1, 2, 3])
    assert bench.archive.stat().st_mode & 0o777 == 0o604
    assert is_new or way is not ReaderSafe.REWRITE
    assert not (is_new and way is ReaderSafe.OFF)
    assert read_cursor(bench.archive, layout=bench.layout).recorded
    assert [line.count for line in read_appends(bench.layout)] == [1, 1]


class CloningDisk(Disk):
    """A file system that shares blocks."""

    def clone(self, source: int, destination: int) -> None:
        self.copy(source, destination, self.facts(source).size_bytes)


class PlainDisk(Disk):
    """A file system that does not."""

    def clone(self, _source: int, _destination: int) -> None:
        raise OSError(95, "Operation not supported")


def test_auto_clones_where_the_file_system_can(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))
    inode = bench.archive.stat().st_ino

    bench.append(channel_bytes([2]), disk=CloningDisk())

    assert bench.archive.stat().st_ino != inode
    assert bench.archive.read_bytes() == channel_bytes([1, 2])


def test_reflink_says_where_the_file_system_cannot(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    with pytest.raises(CannotClone):
        bench.append(channel_bytes([2]), reader_safe=ReaderSafe.REFLINK, disk=PlainDisk())

    assert bench.archive.read_bytes() == channel_bytes([1])
    assert [path.name for path in bench.layout.folder.glob("*.json")] == [bench.archive.name]


class SmallDisk(Disk):
    """Has room for little."""

    def __init__(self, free: int) -> None:
        self._free = free

    def free_bytes(self, _folder: Path) -> int:
        return self._free


@pytest.mark.contract("R-3.12")
@pytest.mark.parametrize("way", [ReaderSafe.REWRITE, ReaderSafe.AUTO])
def test_too_little_space_is_refused_before_anything_is_touched(bench: Bench, way: ReaderSafe) -> None:
    bench.stored(channel_bytes([1]))
    before = bench.archive.stat()

    with pytest.raises(NotEnoughSpace):
        bench.append(channel_bytes([2]), disk=SmallDisk(1 << 20), reader_safe=way)

    assert bench.archive.stat() == before
    assert not bench.layout.journal(CHANNEL).parent.exists()


@pytest.mark.contract("R-3.12")
@pytest.mark.parametrize("way", [ReaderSafe.REWRITE, ReaderSafe.AUTO, ReaderSafe.OFF])
def test_an_append_needs_its_payload_and_a_mebibyte_and_a_copy_as_much_as_the_file(
    bench: Bench, way: ReaderSafe
) -> None:
    old, new = channel_bytes(range(1, 200)), channel_bytes(range(1, 202))
    payload = len(new) - _cut(old)
    needed = (len(old) if way is ReaderSafe.REWRITE else 0) + payload + (1 << 20)
    bench.stored(old)

    with pytest.raises(NotEnoughSpace, match=f"{needed} bytes needed, {needed - 1} free"):
        bench.append(channel_bytes([200, 201]), disk=SmallDisk(needed - 1), reader_safe=way)
    assert bench.append(channel_bytes([200, 201]), disk=SmallDisk(needed), reader_safe=way).appended == 2

    assert bench.archive.read_bytes() == new


def test_the_line_of_an_append_tells_what_came_when(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    bench.append(channel_bytes([2, 3], exported_at=LATER))

    (line,) = read_appends(bench.layout, CHANNEL)
    assert (line.kind, line.run_id, line.time) == ("appended", "run-1", "2026-11-21T01:15:07Z")
    assert (line.first_id, line.last_id, line.count, line.message_count) == ("2", "3", 2, 3)
    assert (line.cut_before, line.cut_after) == (_cut(channel_bytes([1])), _cut(bench.archive.read_bytes()))
    assert (line.exporter, line.exporter_version, line.exported_at) == ("t", "2.46", LATER)


def test_nothing_pending_is_left_behind(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))

    bench.append(channel_bytes([2]))

    assert pending_journals(bench.layout, disk=Disk()) == []


def test_a_second_writer_waits_for_the_first(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))
    clock = FakeClock()
    delta = bench.delta(channel_bytes([2]))

    with flock_file(bench.archive), pytest.raises(Exception, match="another process is changing"):
        append(bench.archive, [delta], AppendOptions(run_id="r"), layout=bench.layout, clock=clock)

    assert sum(clock.sleeps) >= 29


@pytest.mark.contract("R-3.26")
class TestPlan:
    def test_a_plan_says_what_an_append_then_does(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1, 3]))
        data = channel_bytes([2, 3, 4], contents={3: "edited"}, exported_at=LATER)
        delta = bench.delta(data)

        planned = plan_append(bench.archive, [delta], AppendOptions(run_id="run-1"), layout=bench.layout)

        assert planned == bench.append(data)

    def test_a_plan_writes_nothing(self, bench: Bench) -> None:
        bench.stored(channel_bytes([1]))
        delta = bench.delta(channel_bytes([2]))
        before = _tree(bench.folder)

        plan_append(bench.archive, [delta], AppendOptions(run_id="r"), layout=bench.layout)

        assert _tree(bench.folder) == before


def test_a_linked_name_stays_a_link(bench: Bench) -> None:
    bench.stored(channel_bytes([1]))
    link = bench.folder / "link [111].json"
    link.symlink_to(bench.archive)
    delta = bench.delta(channel_bytes([2]))
    options = AppendOptions(run_id="r", reader_safe=ReaderSafe.REWRITE)

    append(link, [delta], options, layout=bench.layout, clock=FakeClock())

    assert link.is_symlink()
    assert ids_in(bench.archive) == [1, 2]


def test_a_name_that_is_not_utf8_can_be_appended_to(tmp_path: Path) -> None:
    archive = Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xf6hre [111].json"))
    archive.write_bytes(channel_bytes([1]))
    delta = write_channel(tmp_path / "delta.json", [2])

    append(archive, [delta], AppendOptions(run_id="r"), layout=TargetLayout(tmp_path), clock=FakeClock())

    assert ids_in(archive) == [1, 2]


def _cut(data: bytes) -> int:
    return data.rindex(b"\n  ]")


def _span(data: bytes, identifier: int) -> bytes:
    """Return the bytes of one message, as they stand in a channel file in the exporter's layout."""
    start = data.rindex(b"{", 0, data.index(b'"id": "%d",' % identifier, data.index(b'"messages"')))
    return data[start : data.index(b"\n    }", start) + 6]


def _tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.rglob("*")
        if path.is_file()
    }
