"""The order in which what lies beside an archive becomes durable, as the kernel was asked: a kill shows none of it.

Appends are proven on a simulated disk (``test_power_loss``); this is what goes to the machine's own disk.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.call_order import changes, strace
from tests.support.channel_files import write_channel
from tests.support.processes import python

pytestmark = pytest.mark.strace

ROOM = "1573508731788951644"
TEMP = f".dce-temp/export.{ROOM}.*"
OWNED = [
    f"fsync {TEMP}/.owner.json.*.tmp",
    f"rename {TEMP}/.owner.json.*.tmp to {TEMP}/owner.json",
    f"fsync {TEMP}",
]
IMPORTS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dce_play.discord.archive.folder.temps import RAW_NAME, list_temps, new_temp, quarantine, remove
from dce_play.discord.archive.merge.normalise import confirm, normalise
from dce_play.discord.archive.merge.twins import merge_twins
from dce_play.discord.archive.records.recover import recover_channel
from dce_play.discord.exporters.discord_api.export_file import ExportFile
from dce_play.discord.scrape.beside import keep_raw
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from tests.support.fakes import FakeClock
layout, room, now = TargetLayout(Path(sys.argv[1])), ChannelId(sys.argv[2]), datetime(2026, 11, 21, tzinfo=UTC)
"""


def order(folder: Path, script: str, *more: str) -> list[str]:
    """Run a script on a folder's archive; return what it did below the folder."""
    log = folder.with_name("calls")
    argv = [*strace(log, *more), *python(IMPORTS + script, folder, ROOM)]
    subprocess.run(argv, check=True, timeout=60, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    return [re.sub(r"\.(?:[0-9a-f]{6}|[0-9a-f]{8})(?=/|\.\d\.| |$)", ".*", each) for each in changes(log, folder)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "archive"
    made.mkdir()
    return made


def test_twins_have_a_durable_second_name_before_the_first_is_replaced_and_go_after_that_is_durable(
    folder: Path,
) -> None:
    for name, ids in (("a", [1, 2, 3]), ("b", [4])):
        write_channel(folder / f"{name} [{ROOM}].json", ids, channel_id=ROOM)
    made = order(folder, "merge_twins(layout, room, run_id='r', clock=FakeClock())")
    originals = ".dce-meta/originals"
    assert [each.replace(f" [{ROOM}].json", "").replace(f"{ROOM}.20261121T011507Z.*.", "") for each in made] == [
        f"link a to {originals}/1.original",
        f"link b to {originals}/2.original",
        f"fsync {originals}",
        "fsync .dce-meta",
        "ftruncate .a.dce-replace.*",
        "fsync .a.dce-replace.*",
        "rename .a.dce-replace.* to a",
        "fsync .",
        "unlink b",
        "fsync .",
        "fsync .dce-meta/.channel-map.json.*.tmp",
        "rename .dce-meta/.channel-map.json.*.tmp to .dce-meta/channel-map.json",
        "fsync .dce-meta",
    ]


def test_an_export_is_durable_when_it_is_complete(folder: Path) -> None:
    script = "with ExportFile(room, layout.folder / 'e.json', {}) as made:\n    made.add({'id': '1'}); made.finish()"
    assert order(folder, script, "write") == ["write e.json", "fsync e.json"]


def test_raw_messages_are_durable_where_they_are_kept_before_they_go_where_they_were(folder: Path) -> None:
    script = """
temp = new_temp(layout, room, cursor=None, now=now)
(temp.place / RAW_NAME).write_bytes(b"raw")
keep_raw(layout, room, temp)
"""
    assert order(folder, script) == [
        *OWNED,
        f"fsync .dce-meta/raw/{ROOM}.jsonl.gz",
        "fsync .dce-meta/raw",
        f"unlink {TEMP}/raw.jsonl.gz",
    ]


def test_an_export_that_goes_is_gone_for_good(folder: Path) -> None:
    assert order(folder, "remove(new_temp(layout, room, cursor=None, now=now))") == [
        *OWNED,
        f"unlink {TEMP}/owner.json",
        f"rmdir {TEMP}",
        "fsync .dce-temp",
    ]


def test_an_export_in_quarantine_is_there_for_good_with_its_reason(folder: Path) -> None:
    script = "quarantine(new_temp(layout, room, cursor=None, now=now), layout, reason='r', detail='d', now=now)"
    there = f".dce-temp/quarantine/export.{ROOM}.*"
    assert order(folder, script) == [
        *OWNED,
        f"fsync {TEMP}/.quarantine_reason.json.*.tmp",
        f"rename {TEMP}/.quarantine_reason.json.*.tmp to {TEMP}/quarantine_reason.json",
        f"fsync {TEMP}",
        f"rename {TEMP} to {there}",
        f"fsync {there}",
        "fsync .dce-temp/quarantine",
        "fsync .dce-temp",
    ]


def test_a_file_of_an_old_script_in_quarantine_is_there_for_good_with_its_reason(folder: Path) -> None:
    (folder / f".a [{ROOM}].json.dce-replace.x").write_bytes(b"")
    script = "[temp] = list_temps(layout); quarantine(temp, layout, reason='r', detail='d', now=now)"
    there = ".dce-temp/quarantine/a.dce-replace.x"
    assert [each.replace(f" [{ROOM}].json", "") for each in order(folder, script)] == [
        f"fsync {there}/.quarantine_reason.json.*.tmp",
        f"rename {there}/.quarantine_reason.json.*.tmp to {there}/quarantine_reason.json",
        f"fsync {there}",
        f"rename .a.dce-replace.x to {there}/export.json",
        "fsync .",
        f"fsync {there}",
        "fsync .dce-temp/quarantine",
        "fsync .dce-temp",
    ]


def test_a_channel_file_that_is_written_anew_has_a_durable_second_name_before_it_is_replaced(folder: Path) -> None:
    write_channel(folder / f"a [{ROOM}].json", [1, 2, 3], channel_id=ROOM)
    made = order(folder, "normalise(next(layout.folder.glob('a*')), layout=layout, run_id='r', clock=FakeClock())")
    (original,) = (folder / ".dce-meta" / "originals").iterdir()
    short = [each.replace(f" [{ROOM}].json", "").replace(original.name, "original") for each in made]
    assert short == [
        "fsync .",
        "fsync .dce-meta",
        "link a to .dce-meta/originals/original",
        "fsync .dce-meta/originals",
        "fsync .a.dce-replace.*",
        "rename .a.dce-replace.* to a",
        "fsync .",
        "fsync .dce-meta/appends.jsonl",
        "fsync .dce-meta",
    ]
    assert order(folder, "confirm(layout, room)") == [
        f"unlink .dce-meta/originals/{original.name}",
        "fsync .dce-meta/originals",
    ]


def test_an_append_that_is_finished_is_durable_before_it_is_noted_and_its_journal_goes(
    folder: Path, tmp_path: Path
) -> None:
    archive = write_channel(folder / f"a [{ROOM}].json", [1, 2, 3], channel_id=ROOM)
    delta = write_channel(tmp_path / "delta.json", [4], channel_id=ROOM)
    at = ("-P", str(archive), "-einject=fsync:signal=SIGKILL")
    append = [sys.executable, "-m", "tests.faults.append_once", str(archive), str(delta)]
    killed = ["strace", "-f", "-qq", "-o", "/dev/null", "-etrace=fsync", *at, *append]
    assert subprocess.run(killed, timeout=60, capture_output=True, check=False).returncode != 0
    made = order(folder, "assert recover_channel(layout, room).state == 'rolled_forward'", "pwrite64")
    assert [each.replace(f" [{ROOM}].json", "") for each in made] == [
        "pwrite64 a",
        "fsync a",
        "pwrite64 .dce-meta/appends.jsonl",
        "fsync .dce-meta/appends.jsonl",
        "fsync .dce-meta",
        f"unlink .dce-meta/journal/{ROOM}.json",
        "fsync .dce-meta/journal",
    ]
