import json
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.merge.normalise import Normalised, confirm, kept_originals, normalise
from dce_play.discord.archive.records.write_errors import WriteFailed
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import Disk
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

    run(archive, layout)
    assert json.loads(archive.read_bytes())["exportedAt"] == "2026-01-05T00:00:00+00:00"

    confirm(layout, CHANNEL)
    run(archive, layout, refresh_head=True)
    assert json.loads(archive.read_bytes())["exportedAt"] == "2026-02-05T00:00:00+00:00"


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


@pytest.mark.contract("R-3.10", "S-22")
@pytest.mark.parametrize("disk", [LyingDisk(), ForgetfulDisk()])
def test_a_new_file_that_lacks_something_does_not_take_the_name(
    archive: Path, layout: TargetLayout, disk: Disk
) -> None:
    archive.write_text(ODD_LAYOUTS["minified"])

    with pytest.raises(WriteFailed, match="read back"):
        run(archive, layout, disk=disk)

    assert archive.read_text() == ODD_LAYOUTS["minified"]
