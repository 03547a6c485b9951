"""What mends a channel that failed: a command that works, and how many messages it saves."""

import shlex
from pathlib import Path

import pytest

from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.folder.temps import end_ownership, new_temp
from dce_play.discord.exporters.protocol import ExportFailed
from dce_play.discord.scrape.mending import Mending, failure_of
from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from tests.support.channel_files import channel_bytes, write_channel
from tests.support.command_line import Terminal

ROOM = "948278447312435651"
OPTIONS = AppendOptions(run_id="r", exporter="x", exporter_version="1")


def mending(error: DcePlayError, folder: Path, *, temp_kept: Path | None = None) -> Mending:
    outcome = ChannelOutcome(
        target="lab",
        channel_id=ChannelId(ROOM),
        action=ChannelAction.FAILED,
        error=error,
        reason=str(error),
        temp_kept=temp_kept,
    )
    return failure_of(outcome, folder=folder, archive_root=folder / "root")


def appended(archive: Path) -> DcePlayError:
    """Return why nothing can be added to the archive."""
    delta = write_channel(archive.parent.parent / "delta.json", [9], channel_id=ROOM)
    with pytest.raises(DcePlayError) as caught:
        append(archive, [delta], OPTIONS, layout=TargetLayout(archive.parent), clock=SystemClock())
    return caught.value


def typed(command: str, folder: Path) -> str:
    """Type the command and return what it says."""
    done = Terminal(folder=folder, variables={}).run(*shlex.split(command)[1:])
    assert done.code == 0, done
    return done.out


@pytest.mark.contract("O6")
@pytest.mark.parametrize(("ids", "kept"), [([1, 2, 3], "2 messages"), ([1, 2], "1 message")])
def test_of_a_file_that_ends_inside_a_message_the_whole_ones_are_told_and_kept(
    tmp_path: Path, ids: list[int], kept: str
) -> None:
    archive = write_channel(tmp_path / "root" / f"room [{ROOM}].json", ids, channel_id=ROOM)
    data = archive.read_bytes()
    archive.write_bytes(data[: data.rindex(b'"content"')])
    found = mending(appended(archive), tmp_path)
    assert found.keeps == f"{kept} can be kept; a backup stays"
    assert found.fix == f"dce-play archive salvage 'root/room [{ROOM}].json'"
    assert f"Valid JSON with {kept.split(maxsplit=1)[0]} messages" in typed(found.fix, tmp_path)


def test_where_nothing_can_be_salvaged_salvage_is_not_proposed(tmp_path: Path) -> None:
    archive = write_channel(tmp_path / "root" / f"room [{ROOM}].json", [1], channel_id=ROOM)
    archive.write_bytes(archive.read_bytes()[:20])
    found = mending(appended(archive), tmp_path)
    assert found.fix.startswith("dce-play archive audit ")
    assert found.keeps == ""


@pytest.mark.contract("O6")
@pytest.mark.parametrize("cut", [60, 0])
def test_what_a_partial_export_holds_is_told_with_the_command_that_takes_it_in(tmp_path: Path, cut: int) -> None:
    layout = TargetLayout(tmp_path / "root" / "lab")
    clock = SystemClock()
    temp = new_temp(layout, ChannelId(ROOM), cursor=None, now=clock.now())
    data = channel_bytes([5, 6, 7], channel_id=ROOM)
    temp.export.write_bytes(data[: len(data) - cut])
    end_ownership(temp, now=clock.now())
    found = mending(ExportFailed("boom", channel_id=ROOM), tmp_path, temp_kept=temp.place)
    assert found.fix == "dce-play archive salvage --root root"
    count = int(found.keeps.split()[0])
    assert found.keeps == f"{count} messages of its export can be kept; the next run takes them too"
    assert f"messages added {count}" in typed(found.fix, tmp_path)


def test_of_a_partial_export_without_a_message_nothing_is_promised(tmp_path: Path) -> None:
    place = tmp_path / "root" / "lab" / ".dce-temp" / f"export.{ROOM}.abc"
    place.mkdir(parents=True)
    (place / "export.json").write_bytes(b"{")
    assert mending(ExportFailed("boom", channel_id=ROOM), tmp_path, temp_kept=place) == Mending()
