import hashlib
import json
import re
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.append.rewrite import WouldLose
from dce_play.discord.archive.merge.normalise import Normalised, confirm, kept_originals, normalise
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.records import AppendLine, read_appends
from dce_play.discord.archive.records.write_errors import NotEnoughSpace, WriteFailed
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import Disk
from dce_play.system.durable.json_lines import read_lines
from dce_play.system.lock.file_lock import FileBusy, flock_file
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.fakes import FakeClock

CHANNEL = ChannelId("111")
VALUE = json.loads(channel_bytes([1, 2, 3], contents={2: "caf\u00e9 \U0001f600"}))
ODD_LAYOUTS = {
    "minified": json.dumps(VALUE, separators=(",", ":")),
    "four spaces": json.dumps(VALUE, indent=4),
    "tabs": json.dumps(VALUE, indent="\t"),
    "sorted keys": json.dumps(VALUE, indent=2, sort_keys=True),
    "messages first": json.dumps({"messages": VALUE["messages"]} | VALUE, indent=2),
    "unknown key at the end": json.dumps(VALUE | {"note": {"a": [1.10, 1e3]}}, indent=2),
}


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


@pytest.fixture
def archive(layout: TargetLayout) -> Path:
    return layout.folder / "room [111].json"


def run(archive: Path, layout: TargetLayout, *, refresh_head: bool = False, disk: Disk | None = None) -> Normalised:
    return normalise(
        archive, layout=layout, run_id="r", clock=FakeClock(), refresh_head=refresh_head, disk=disk or Disk()
    )


@pytest.mark.contract("R-16.02")
@pytest.mark.parametrize("text", ODD_LAYOUTS.values(), ids=ODD_LAYOUTS)
def test_any_layout_becomes_one_that_can_be_appended_to(archive: Path, layout: TargetLayout, text: str) -> None:
    archive.write_text(text)
    delta = write_channel(layout.folder / "delta/export.json", [4])
    options = AppendOptions(run_id="r")
    with pytest.raises(NotCanonical, match="cannot be appended to"):
        append(archive, [delta], options, layout=layout, clock=FakeClock())

    run(archive, layout)
    append(archive, [delta], options, layout=layout, clock=FakeClock())

    value = json.loads(archive.read_bytes())
    assert value["messages"][:3] == VALUE["messages"]
    assert value["messageCount"] == 4
    assert {key: value[key] for key in value if key not in {"messages", "messageCount"}} == {
        key: entry for key, entry in json.loads(text).items() if key not in {"messages", "messageCount"}
    }


@pytest.mark.parametrize("text", ODD_LAYOUTS.values(), ids=ODD_LAYOUTS)
def test_a_file_without_messages_of_any_layout_becomes_one_that_can_grow(
    archive: Path, layout: TargetLayout, text: str
) -> None:
    value = json.loads(text) | {"messages": [], "messageCount": 0}
    archive.write_text(json.dumps(value, indent=4))

    run(archive, layout)

    assert json.loads(archive.read_bytes()) == value
    assert b'\n  "messages": [],\n  "messageCount": 0\n}' in archive.read_bytes()
    delta = write_channel(layout.folder / "delta/export.json", [4])
    append(archive, [delta], AppendOptions(run_id="r"), layout=layout, clock=FakeClock())
    assert ids_in(archive) == [4]


def test_numbers_of_unknown_keys_keep_their_spelling(archive: Path, layout: TargetLayout) -> None:
    archive.write_text(json.dumps(VALUE, indent=2)[:-2] + ',\n  "ratio": 1.10e0\n}')

    run(archive, layout)

    assert b'"ratio": 1.10e0' in archive.read_bytes()


def test_a_file_that_states_no_count_goes_without_and_keys_keep_their_spelling(
    archive: Path, layout: TargetLayout
) -> None:
    value = {key: entry for key, entry in VALUE.items() if key != "messageCount"} | {"gr\u00f6\u00dfe \U0001f600": 1}
    archive.write_bytes(json.dumps(value, ensure_ascii=False).encode())

    run(archive, layout)

    assert json.loads(archive.read_bytes()) == value
    assert '\n  "gr\u00f6\u00dfe \U0001f600": 1,\n'.encode() in archive.read_bytes()


def test_a_file_in_the_exporters_layout_stays_the_same_bytes(archive: Path, layout: TargetLayout) -> None:
    archive.write_bytes(channel_bytes([1, 2]))

    run(archive, layout)

    assert archive.read_bytes() == channel_bytes([1, 2])


@pytest.mark.contract("R-3.10", "D-31")
def test_messages_are_put_in_order_and_repeated_ones_left_out(archive: Path, layout: TargetLayout) -> None:
    archive.write_bytes(channel_bytes([3, 1, 2, 1]))

    outcome = run(archive, layout)

    assert ids_in(archive) == [1, 2, 3]
    assert (outcome.before_count, outcome.after_count, outcome.repeated) == (4, 3, 1)


def test_an_outcome_a_line_and_an_edit_say_what_was_done(archive: Path, layout: TargetLayout) -> None:
    data = channel_bytes([2, 1, 2]).replace(b"message 2", b"other 2", 1)
    archive.write_bytes(data)

    outcome = run(archive, layout)

    written = archive.read_bytes()
    assert written == channel_bytes([1, 2], contents={2: "other 2"})
    (original,) = kept_originals(layout, CHANNEL)
    assert re.fullmatch(r"111\.20261121T011507Z\.[0-9a-f]{6}\.original", original.name)
    assert original.read_bytes() == data
    kept = [written[written.index(b'{\n      "id": "%d"' % n) :] for n in (1, 2)]
    kept = [each[: each.index(b"\n    }") + 6] for each in kept]
    digest = b"".join(b"%d %d\n%b" % (n, len(each), each) for n, each in enumerate(kept, start=1))
    assert outcome == Normalised(
        archive=archive,
        original=original,
        before_count=3,
        after_count=2,
        repeated=1,
        digest=hashlib.sha256(digest).hexdigest(),
    )
    (line,) = read_appends(layout, CHANNEL)
    assert line == AppendLine(
        kind="rewritten",
        append_id=line.append_id,
        time="2026-11-21T01:15:07Z",
        run_id="r",
        channel_id=CHANNEL,
        first_id=None,
        last_id=None,
        count=0,
        message_count=2,
        cut_before=0,
        cut_after=written.rindex(b"\n  ]"),
        exporter="",
        exporter_version="",
        exported_at=None,
    )
    (edit,) = read_lines(layout.edits(CHANNEL))
    assert edit["message"]["content"] == "message 2"
    assert (edit["id"], edit["run_id"], edit["time"]) == ("2", "r", "2026-11-21T01:15:07Z")
    assert edit["exported_at"] == "2026-01-05T00:00:00+00:00"


@pytest.mark.parametrize("layout_name", ["crlf", "count first"])
def test_line_breaks_stay_and_the_count_goes_to_the_end(archive: Path, layout: TargetLayout, layout_name: str) -> None:
    data = channel_bytes([2, 1])
    if layout_name == "crlf":
        archive.write_bytes(data.replace(b"\n", b"\r\n"))
        expected = channel_bytes([1, 2]).replace(b"\n", b"\r\n")
    else:
        bare = data.replace(b',\n  "messageCount": 2', b"")
        archive.write_bytes(bare.replace(b"{", b'{\n  "messageCount": 2,', 1))
        expected = channel_bytes([1, 2])

    run(archive, layout)

    assert archive.read_bytes() == expected


def test_who_holds_the_file_is_waited_for(archive: Path, layout: TargetLayout) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])
    clock = FakeClock()
    with flock_file(archive), pytest.raises(FileBusy):
        normalise(archive, layout=layout, run_id="r", clock=clock)
    assert sum(clock.sleeps) >= 29
    assert archive.read_text() == ODD_LAYOUTS["minified"]


def test_a_linked_name_stays_a_link(archive: Path, layout: TargetLayout) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])
    link = layout.folder / "link [111].json"
    link.symlink_to(archive)

    assert run(link, layout).archive == archive

    assert link.is_symlink()
    assert ids_in(archive) == [1, 2, 3]


def test_originals_of_other_channels_are_no_ones_to_confirm(archive: Path, layout: TargetLayout) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])
    original = run(archive, layout).original
    other = original.with_name(original.name.replace("111.", "1112.", 1))
    other.write_bytes(b"another channel's")

    assert confirm(layout, CHANNEL) == [original]
    assert [other.exists(), original.exists()] == [True, False]
    assert confirm(layout, CHANNEL) == []


def test_without_originals_there_is_nothing_to_confirm(layout: TargetLayout) -> None:
    assert confirm(layout, CHANNEL) == []


@pytest.mark.contract("R-19.05")
def test_a_file_can_be_normalised_twice_in_one_second(archive: Path, layout: TargetLayout) -> None:
    for name in ("minified", "tabs"):
        archive.write_text(ODD_LAYOUTS[name])
        run(archive, layout)
    kept = {path.read_text() for path in kept_originals(layout, CHANNEL)}
    assert kept == {ODD_LAYOUTS["minified"], ODD_LAYOUTS["tabs"]}


def test_the_original_is_kept_until_confirmed(archive: Path, layout: TargetLayout) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])
    outcome = run(archive, layout)

    assert outcome.original.read_text() == ODD_LAYOUTS["minified"]
    assert not outcome.original.name.endswith(".json")
    assert kept_originals(layout, CHANNEL) == [outcome.original]
    assert confirm(layout, CHANNEL) == [outcome.original]
    assert kept_originals(layout, CHANNEL) == []
    assert ids_in(archive) == [1, 2, 3]


def test_the_head_is_refreshed_only_when_asked(archive: Path, layout: TargetLayout) -> None:
    write_channel(archive, [1], exported_at="2026-01-05T00:00:00+00:00")
    delta = write_channel(layout.folder / "delta/export.json", [2], exported_at="2026-02-05T00:00:00+00:00")
    append(archive, [delta], AppendOptions(run_id="r"), layout=layout, clock=FakeClock())

    normalise(archive, layout=layout, run_id="r", clock=FakeClock())
    assert json.loads(archive.read_bytes())["exportedAt"] == "2026-01-05T00:00:00+00:00"

    confirm(layout, CHANNEL)
    run(archive, layout, refresh_head=True)
    assert json.loads(archive.read_bytes())["exportedAt"] == "2026-02-05T00:00:00+00:00"


def test_the_head_is_refreshed_by_this_channels_newest_moment(archive: Path, layout: TargetLayout) -> None:
    write_channel(archive, [1])
    other = write_channel(layout.folder / "other [112].json", [1], channel_id="112")
    later, latest, others = "2026-02-05T00:00:00+00:00", "2026-02-04T23:30:00-02:00", "2026-12-05T00:00:00+00:00"
    for path, channel_id, ids, time in ((archive, "111", [2], latest), (archive, "111", [3], later),
                                        (other, "112", [2], others)):  # fmt: skip
        delta = write_channel(layout.folder / "delta/export.json", ids, channel_id=channel_id, exported_at=time)
        append(path, [delta], AppendOptions(run_id="r"), layout=layout, clock=FakeClock())

    run(archive, layout, refresh_head=True)

    assert json.loads(archive.read_bytes())["exportedAt"] == latest


def test_a_head_that_nothing_was_appended_to_is_refreshed_by_nothing(archive: Path, layout: TargetLayout) -> None:
    write_channel(archive, [1])

    run(archive, layout, refresh_head=True)

    assert archive.read_bytes() == channel_bytes([1])


def test_a_damaged_file_is_left_alone(archive: Path, layout: TargetLayout) -> None:
    archive.write_bytes(channel_bytes([1, 2])[:-50])

    with pytest.raises(DamagedFile):
        run(archive, layout)

    assert archive.read_bytes() == channel_bytes([1, 2])[:-50]
    assert kept_originals(layout, CHANNEL) == []


class LyingDisk(Disk):
    """Writes another message than it was given."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data.replace(b"message 1", b"massage 1"), offset)


class ForgetfulDisk(Disk):
    """Writes a file with one message less."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data.replace(b'"id":"1"', b'"id":"0"'), offset)


class DriftingDisk(Disk):
    """Reads another message whenever it is read alone, but for the first time: that is written, and read back."""

    def __init__(self) -> None:
        self._reads = 0

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        data = super().read_at(descriptor, size_bytes, offset)
        if data.startswith(b'{"id":"1"') and data.endswith(b"}") and b'"id":"2"' not in data:
            self._reads += 1
            if self._reads > 1:
                return data.replace(b"message 1", b"massage 1")
        return data


@pytest.mark.contract("R-3.10", "S-22")
def test_a_new_file_whose_messages_are_not_the_originals_does_not_take_the_name(
    archive: Path, layout: TargetLayout
) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])

    with pytest.raises(WouldLose) as caught:
        run(archive, layout, disk=DriftingDisk())

    reason = "the contents of its messages are not what they were"
    assert str(caught.value) == f"rewriting {archive} would lose messages: {reason}"
    assert archive.read_text() == ODD_LAYOUTS["minified"]


@pytest.mark.contract("R-19.04")
def test_an_append_that_has_not_finished_is_settled_first(archive: Path, layout: TargetLayout) -> None:
    class NoLine(Disk):
        def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
            if b'"append_id"' in data and b'"kind"' in data:
                raise OSError(28, "No space left on device")
            super().write_at(descriptor, data, offset)

    archive.write_bytes(channel_bytes([2, 1]))
    delta = write_channel(layout.folder / "delta/export.json", [3])
    options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
    with pytest.raises(NotEnoughSpace):
        append(archive, [delta], options, layout=layout, clock=FakeClock(), disk=NoLine())
    assert len(pending_journals(layout, disk=Disk())) == 1

    run(archive, layout)

    assert archive.read_bytes() == channel_bytes([1, 2, 3])
    assert pending_journals(layout, disk=Disk()) == []
    assert [line.kind for line in read_appends(layout, CHANNEL)] == ["appended", "rewritten"]


@pytest.mark.contract("R-3.10", "S-22")
@pytest.mark.parametrize("disk", [LyingDisk(), ForgetfulDisk()])
def test_a_new_file_that_lacks_something_does_not_take_the_name(
    archive: Path, layout: TargetLayout, disk: Disk
) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])

    with pytest.raises(WriteFailed, match=re.escape(f"writing to {archive} failed: ") + ".*read back"):
        run(archive, layout, disk=disk)

    assert archive.read_text() == ODD_LAYOUTS["minified"]
