"""Audit of whole targets: twins, the channel map, what dead runs left; and that nothing there is written."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.discord.archive.audit.findings import Level, Rule
from dce_play.discord.archive.audit.index import AuditIndex
from dce_play.discord.archive.audit.tree import TreeAudit, audit_tree
from dce_play.layout import TargetLayout
from tests.support.layouts import dce, export, message

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
ONE, TWO, THREE = "796622485192704001", "796622485192704002", "796622485192704003"


def write(layout: TargetLayout, name: str, channel_id: str, numbers: range = range(1, 4)) -> Path:
    path = layout.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dce(export((message(n) for n in numbers), channel={"id": channel_id, "type": "GuildTextChat"})))
    return path


def write_map(layout: TargetLayout, entries: dict[str, Path]) -> None:
    layout.meta.mkdir(parents=True, exist_ok=True)
    layout.channel_map.write_text(json.dumps({channel: str(path) for channel, path in entries.items()}))


def rules(audit: TreeAudit) -> list[Rule]:
    return [finding.rule for finding in audit.findings]


@pytest.fixture
def layout(tmp_path: Path) -> TargetLayout:
    return TargetLayout(tmp_path / "target")


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.contract("R-10.01", "R-10.02", "R-10.07")
def test_a_clean_tree_is_clean_whatever_lies_in_our_own_folders(layout: TargetLayout, jobs: int) -> None:
    one = write(layout, f"a [{ONE}].json", ONE)
    two = write(layout, f"deep/er/b [{TWO}].json", TWO)
    write_map(layout, {ONE: one, TWO: two})
    place = layout.temp / f"export.{ONE}.abc"
    place.mkdir(parents=True)
    (place / "export.json").write_bytes(b'{"truncated')
    (layout.folder / "lock.txt").write_text("not ours")
    before = {path: path.stat().st_mtime_ns for path in layout.folder.rglob("*")}
    audit = audit_tree([layout], now=NOW, jobs=jobs)
    assert [file.path for file in audit.files] == [one, two]
    assert audit.ok
    assert audit.message_count == 6
    assert rules(audit) == [Rule.LEFT_EXPORT]
    assert {path: path.stat().st_mtime_ns for path in layout.folder.rglob("*")} == before


@pytest.mark.contract("R-10.03", "D-01")
def test_files_of_one_channel_are_twins_whatever_their_names(layout: TargetLayout) -> None:
    write(layout, f"a [{ONE}].json", ONE)
    write(layout, "copy.json", ONE)
    write(layout, f"b [{TWO}].json", TWO)
    audit = audit_tree([layout], now=NOW)
    assert rules(audit) == [Rule.TWINS]
    assert not audit.ok
    assert audit.findings[0].repair == f"dce-play archive adopt {layout.folder}"


def test_two_names_of_one_file_are_no_twins(layout: TargetLayout) -> None:
    path = write(layout, f"a [{ONE}].json", ONE)
    (layout.folder / "link.json").symlink_to(path)
    assert audit_tree([layout], now=NOW).ok


@pytest.mark.contract("R-10.03")
def test_map_entries_that_lead_nowhere_elsewhere_or_out_are_found(layout: TargetLayout, tmp_path: Path) -> None:
    one = write(layout, f"a [{ONE}].json", ONE)
    outside = write(TargetLayout(tmp_path / "other"), f"c [{THREE}].json", THREE)
    write_map(layout, {ONE: one, TWO: one, THREE: outside, "796622485192704009": layout.folder / "gone.json"})
    audit = audit_tree([layout], now=NOW)
    assert sorted(rules(audit)) == [Rule.MAP_FILE_FOREIGN, Rule.MAP_FILE_FOREIGN, Rule.MAP_FILE_MISSING]
    layout.channel_map.write_text("{")
    assert rules(audit_tree([layout], now=NOW)) == [Rule.MAP_DAMAGED]


@pytest.mark.contract("R-10.05")
def test_a_folder_that_is_not_there_is_a_finding(layout: TargetLayout) -> None:
    assert rules(audit_tree([layout], now=NOW)) == [Rule.FOLDER_MISSING]


def test_journals_and_copies_left_by_dead_runs_are_notes(layout: TargetLayout) -> None:
    write(layout, f"a [{ONE}].json", ONE)
    journal = layout.meta / "journal"
    journal.mkdir(parents=True)
    (journal / f"{ONE}.json").write_text("torn")
    (layout.folder / f".a [{ONE}].json.dce-replace.1234").write_bytes(b"half")
    audit = audit_tree([layout], now=NOW)
    assert set(rules(audit)) == {Rule.APPEND_PENDING, Rule.LEFT_REPLACEMENT}
    assert all(finding.level is Level.NOTE for finding in audit.findings)
    assert audit.ok


def test_one_bad_file_does_not_hide_the_others(layout: TargetLayout) -> None:
    for number, data in enumerate([b"", b"\x00" * 100, b"[]", b'{"messages": [']):
        path = write(layout, f"bad {number}.json", ONE)
        path.write_bytes(data)
    write(layout, f"good [{TWO}].json", TWO)
    audit = audit_tree([layout], now=NOW)
    assert [file.ok for file in audit.files] == [False] * 4 + [True]


def test_names_that_are_no_utf8_are_audited_and_kept_in_the_index(layout: TargetLayout, tmp_path: Path) -> None:
    write(layout, os.fsdecode(b"caf\xe9.json"), ONE)
    index = AuditIndex(tmp_path / "state")
    assert audit_tree([layout], now=NOW, index=index).ok
    assert len(list(index.folder.iterdir())) == 1


@pytest.mark.contract("R-10.04")
def test_progress_ends_with_everything_done(layout: TargetLayout) -> None:
    for number in range(5):
        write(layout, f"{number}.json", ONE, range(1, 400))
    told: list[tuple[int, int]] = []
    audit_tree([layout], now=NOW, progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    total = sum(path.stat().st_size for path in layout.folder.iterdir())
    assert told[-1][1] == total
    assert total * 0.9 < told[-1][0] <= total
