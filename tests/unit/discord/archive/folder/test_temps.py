"""Exports under way and left behind."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.discord.archive.folder.owner import write_owner
from dce_play.discord.archive.folder.temps import (
    Temp,
    activity,
    end_ownership,
    list_temps,
    new_temp,
    open_files,
    quarantine,
    remove,
)
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId

NOW = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)
MIN_AGE = timedelta(seconds=120)
ROOM = ChannelId("111")


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path)


def old_temp(layout: TargetLayout, name: str, *, age_s: float = 3600) -> Temp:
    """Make what a script that died left behind: a folder and an export, no owner record."""
    place = layout.temp / name
    place.mkdir(parents=True)
    (place / "export.json").write_bytes(b"{}")
    moment = NOW.timestamp() - age_s
    os.utime(place / "export.json", (moment, moment))
    return next(temp for temp in list_temps(layout) if temp.place == place)


def verdict(temp: Temp, *, opened: frozenset[tuple[int, int]] = frozenset()) -> bool:
    return activity(temp, now=NOW, min_age=MIN_AGE, open_files=opened).active


def test_a_new_export_is_listed_with_its_owner(layout: TargetLayout) -> None:
    made = new_temp(layout, ROOM, cursor=MessageId("2"), now=NOW)
    assert list_temps(layout) == [made]
    assert made.owner is not None
    assert made.owner.cursor == "2"


@pytest.mark.contract("R-4.11")
def test_exports_of_a_channel_come_oldest_first_whatever_their_names(layout: TargetLayout) -> None:
    young = old_temp(layout, "export.111.aaaaaa", age_s=200)
    old = old_temp(layout, "export.111.bbbbbb", age_s=9000)
    other = old_temp(layout, "export.22.cccccc")
    assert list_temps(layout) == [other, old, young]


def test_only_the_channels_asked_for_are_listed(layout: TargetLayout) -> None:
    old_temp(layout, "export.22.cccccc")
    mine = old_temp(layout, "export.111.aaaaaa")
    assert list_temps(layout, channels=[ROOM]) == [mine]


def test_the_quarantine_and_foreign_folders_are_not_exports(layout: TargetLayout) -> None:
    for name in ("quarantine/export.111.abcdef", "export.nope.abcdef", "something"):
        (layout.temp / name).mkdir(parents=True)
    assert list_temps(layout) == []


@pytest.mark.contract("R-2.08")
def test_a_replacement_that_an_old_script_left_is_an_export_of_its_channel(layout: TargetLayout) -> None:
    path = layout.folder / "sub" / ".Guild - room [1573508731788951644].json.dce-replace.Ab12Cd"
    path.parent.mkdir()
    path.write_bytes(b"{}")
    [found] = list_temps(layout)
    assert (found.place, found.export, found.channel_id) == (path, path, "1573508731788951644")


@pytest.mark.contract("R-4.06", "D-62")
def test_an_export_whose_owner_lives_is_active_however_old(layout: TargetLayout) -> None:
    temp = new_temp(layout, ROOM, cursor=None, now=NOW)
    temp.export.write_bytes(b"{")
    os.utime(temp.export, (0, 0))
    assert verdict(temp)


@pytest.mark.contract("R-4.06", "D-62")
def test_an_export_whose_owner_is_gone_is_free_however_young(layout: TargetLayout) -> None:
    temp = new_temp(layout, ROOM, cursor=None, now=NOW)
    temp.export.write_bytes(b"{")
    assert temp.owner is not None
    write_owner(temp.place, replace(temp.owner, boot_id="before the reboot"))
    [again] = list_temps(layout)
    assert not verdict(again)


def test_an_export_whose_owner_said_it_ended_is_free(layout: TargetLayout) -> None:
    temp = new_temp(layout, ROOM, cursor=None, now=NOW)
    temp.export.write_bytes(b"{")
    end_ownership(temp, now=NOW)
    [again] = list_temps(layout)
    assert not verdict(again)


@pytest.mark.contract("R-4.06")
@pytest.mark.parametrize(("age_s", "active"), [(119, True), (121, False), (-5, True)])
def test_without_an_owner_the_age_decides(layout: TargetLayout, age_s: float, active: bool) -> None:
    assert verdict(old_temp(layout, "export.111.aaaaaa", age_s=age_s)) is active


@pytest.mark.contract("R-4.06")
def test_an_export_that_a_process_has_open_is_active(layout: TargetLayout) -> None:
    temp = old_temp(layout, "export.111.aaaaaa")
    with temp.export.open("ab"):
        assert verdict(temp, opened=open_files())
    assert not verdict(temp, opened=open_files())


def test_removing_leaves_nothing(layout: TargetLayout) -> None:
    temp = new_temp(layout, ROOM, cursor=None, now=NOW)
    temp.export.write_bytes(b"{}")
    remove(temp)
    assert list(layout.temp.iterdir()) == []


def test_other_files_in_an_export_are_seen(layout: TargetLayout) -> None:
    temp = new_temp(layout, ROOM, cursor=None, now=NOW)
    assert not temp.holds_other_files()
    (temp.place / "notes.txt").write_text("precious", encoding="utf-8")
    assert temp.holds_other_files()


@pytest.mark.contract("R-4.02", "D-60")
def test_quarantine_keeps_every_byte_and_says_why(layout: TargetLayout) -> None:
    temp = old_temp(layout, "export.111.aaaaaa")
    place = quarantine(temp, layout, reason="wrong-channel", detail="999 != 111", now=NOW)
    assert place == layout.quarantine / "export.111.aaaaaa"
    assert (place / "export.json").read_bytes() == b"{}"
    facts = json.loads((place / "quarantine_reason.json").read_text(encoding="utf-8"))
    assert (facts["reason"], facts["detail"], facts["channel_id"]) == ("wrong-channel", "999 != 111", "111")
    assert facts["quarantined_at"] == "2026-11-21T01:15:07Z"
    assert list_temps(layout) == []


def test_quarantine_never_replaces_what_is_there(layout: TargetLayout) -> None:
    first = quarantine(old_temp(layout, "export.111.aaaaaa"), layout, reason="a", detail="", now=NOW)
    second = quarantine(old_temp(layout, "export.111.aaaaaa"), layout, reason="b", detail="", now=NOW)
    assert first != second
    assert (first / "export.json").exists()
    assert (second / "export.json").exists()
