"""The archive table."""

from pathlib import Path

import pytest

from dce_play.discord.archive.folder.channel_map import save_map
from dce_play.discord.archive.view.table import TableEntry, archive_table, table_lines
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from tests.support.channel_files import write_channel

ROOM = ChannelId("1573508731788951644")


def status(folder: Path, *, enabled: bool = True) -> tuple[str, bool]:
    [row] = archive_table([TableEntry(name="T", folder=folder, enabled=enabled)])
    return row.status, row.ok


@pytest.mark.contract("R-9.06")
def test_each_state_of_a_target_has_its_status(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    assert status(folder) == ("missing output_dir", False)
    assert status(folder, enabled=False) == ("disabled", True)
    folder.mkdir()
    assert status(folder) == ("no json archives", False)
    (folder / "notes.json").write_bytes(b"{}")
    assert status(folder) == ("no seeded channel ids", False)
    room = write_channel(folder / f"room [{ROOM}].json", [1], channel_id=ROOM)
    assert status(folder) == ("ok (map will bootstrap on first run)", True)
    save_map(TargetLayout(folder), {ROOM: room})
    assert status(folder) == ("ok", True)


@pytest.mark.contract("R-9.06")
def test_twins_invalid_files_and_a_damaged_map_are_a_status_and_no_crash(tmp_path: Path) -> None:
    room = write_channel(tmp_path / f"room [{ROOM}].json", [1], channel_id=ROOM)
    twin = write_channel(tmp_path / f"twin [{ROOM}].json", [1], channel_id=ROOM)
    assert status(tmp_path) == (f"twin archives of channel {ROOM}", False)
    twin.unlink()
    room.write_bytes(b"not-json")
    assert status(tmp_path)[0].startswith(f"1 invalid archive, such as {room}")
    (tmp_path / ".dce-meta").mkdir()
    (tmp_path / ".dce-meta" / "channel-map.json").write_bytes(b"{")
    assert status(tmp_path)[0].startswith("damaged channel map")


def test_the_columns_stand_under_their_names(tmp_path: Path) -> None:
    entries = [TableEntry(name="a long name", folder=tmp_path, enabled=False, memory="8g")]
    header, row = table_lines(archive_table(entries))
    assert row.index("8g") == header.index("MEM")
    assert row.index("disabled") == header.index("STATUS")
