"""Audit of one file: each defect has its rule, and no verdict claims more than was read."""

import json
import os
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.archive.append.append import AppendOptions, append
from dce_play.discord.archive.audit.audit import Extent, FileAudit, audit_file
from dce_play.discord.archive.audit.findings import Finding, Level, Rule
from dce_play.discord.archive.audit.index import AuditIndex
from dce_play.discord.archive.records.reader_safe import ReaderSafe
from dce_play.discord.archive.records.recover import recover_channel
from dce_play.discord.archive.scan.id_order import MAX_TOLD
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from dce_play.system.durable.disk import Disk, facts_from
from tests.support.layouts import CHANNEL_ID, LAYOUTS, MESSAGES_FIRST, dce, export, message

DATA = Path(__file__).parents[4] / "data"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def audit(path: Path, **options: Any) -> FileAudit:
    return audit_file(path, **({"now": NOW} | options))


def write(folder: Path, data: bytes, name: str = f"room [{CHANNEL_ID}].json") -> Path:
    path = folder / name
    path.write_bytes(data)
    old = path.stat().st_mtime_ns - 10**9  # a second ago: an index does not trust what changed just now
    os.utime(path, ns=(old, old))
    return path


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.json")), ids=lambda path: str(path.relative_to(DATA)))
@pytest.mark.contract("R-10.01")
def test_every_real_file_is_clean_but_the_truncated_one(path: Path) -> None:
    found = audit(path)
    if path.name == "sigterm-truncated.json":
        assert [finding.rule for finding in found.findings] == [Rule.TRUNCATED]
        assert found.message_count == 2212
        assert found.verified.extent is Extent.NONE
    else:
        assert found.ok
        assert found.message_count == len(json.loads(path.read_bytes())["messages"])


@pytest.mark.parametrize("layout", LAYOUTS | MESSAGES_FIRST)
@pytest.mark.contract("R-16.02")
def test_every_layout_is_clean(tmp_path: Path, layout: str) -> None:
    value = export(message(10 + n) for n in range(5))
    found = audit(write(tmp_path, (LAYOUTS | MESSAGES_FIRST)[layout](value)))
    assert (found.ok, found.findings, found.message_count) == (True, (), 5)
    assert (found.first_id, found.last_id, found.channel_id) == ("10", "14", CHANNEL_ID)
    assert found.verified.text() == "full at 2026-11-21T03:00:00Z"


def several(numbers: list[int], **more: Any) -> bytes:
    return dce(export([message(n) for n in numbers], **more))


CASES: dict[str, tuple[bytes, list[Rule]]] = {
    "empty": (b"", [Rule.EMPTY]),
    "two documents": (several([1]) + several([2]), [Rule.TRAILING]),
    "not JSON": (several([1, 2]).replace(b'"type"', b"type", 1), [Rule.NOT_JSON]),
    "truncated": (several([1, 2])[:-20], [Rule.TRUNCATED]),
    "an array": (b"[]", [Rule.NOT_AN_EXPORT]),
    "messages an object": (b'{"channel": {"id": "1"}, "messages": {}}', [Rule.NOT_AN_EXPORT]),
    "no channel": (dce({"messages": [message(1)]}), [Rule.NO_CHANNEL]),
    "a channel without id": (dce({"channel": {"name": "x"}, "messages": []}), [Rule.NO_CHANNEL]),
    "another channel": (several([1], channel={"id": "5"}), [Rule.WRONG_CHANNEL]),
    "not sorted": (several([1, 3, 2, 4]), [Rule.NOT_SORTED]),
    "the same id twice in a row": (several([1, 2, 2, 3]), [Rule.DUPLICATE_ID]),
    "the same id twice apart": (several([1, 2, 3, 1]), [Rule.NOT_SORTED, Rule.DUPLICATE_ID]),
    "reversed": (several([4, 3, 2, 1]), [Rule.REVERSED]),
    "wrong count": (several([1, 2]).replace(b'Count": 2', b'Count": 3'), [Rule.WRONG_COUNT]),
    "a count that is no number": (several([1]).replace(b'Count": 1', b'Count": "1"'), [Rule.WRONG_COUNT]),
    "no id": (several([1, 2]).replace(b'"id": "2"', b'"ib": "2"'), [Rule.NO_ID]),
    "a number as id": (several([1, 2]).replace(b'"id": "2"', b'"id": 2'), [Rule.NO_ID]),
    "no timestamp": (several([1, 2]).replace(b'"timestamp"', b'"timestamq"', 1), [Rule.NO_TIMESTAMP]),
    "a message that is none": (dce(export([message(1), 5])), [Rule.NOT_A_MESSAGE]),  # type: ignore[list-item]
    "as numbers, not as texts": (several([999, 1000]), []),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.contract("R-10.01", "R-10.03", "R-10.06", "D-20")
def test_each_defect_has_its_rule_and_a_repair(tmp_path: Path, case: str) -> None:
    data, rules = CASES[case]
    path = write(tmp_path, data)
    found = audit(path)
    assert [finding.rule for finding in found.findings] == rules
    assert found.ok == (not rules)
    for finding in found.findings:
        assert shlex.quote(str(path)) in finding.repair
        assert finding.offset is None or 0 <= finding.offset <= len(data)
        if finding.message_id is not None and finding.offset is not None:
            assert json.loads(_value_at(data, finding.offset))["id"] == finding.message_id


def _value_at(data: bytes, offset: int) -> str:
    text = data[offset:].decode()
    value, _ = json.JSONDecoder().raw_decode(text)
    return json.dumps(value)


def test_a_file_that_is_not_there_or_not_ours_to_read_is_a_finding(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        found = audit(path)
        assert [finding.rule for finding in found.findings] == [Rule.UNREADABLE]
        assert not found.ok


def test_many_defects_of_one_kind_are_counted_not_listed(tmp_path: Path) -> None:
    numbers = [n for pair in range(0, 200, 2) for n in (pair + 2, pair + 1)]
    found = audit(write(tmp_path, several(numbers)))
    assert len(found.findings) == MAX_TOLD
    assert found.findings[-1].detail.endswith("; 90 more of these")
    flawed = audit(write(tmp_path, several(numbers).replace(b'"timestamp"', b'"timestamq"')))
    assert [finding.rule for finding in flawed.findings].count(Rule.NO_TIMESTAMP) == MAX_TOLD


@pytest.mark.contract("R-10.07")
def test_an_audit_writes_nothing_beside_its_index(tmp_path: Path) -> None:
    path = write(tmp_path, several([1, 2]))
    before = (sorted(tmp_path.iterdir()), facts_from(path.stat()))
    audit(path)
    assert (sorted(tmp_path.iterdir()), facts_from(path.stat())) == before


class Growing:
    """A channel file in a target's folder that our own append makes longer, and an index for its audits."""

    def __init__(self, tmp_path: Path, numbers: range, words: str = "hello") -> None:
        self.folder = tmp_path / "target"
        self.folder.mkdir()
        self.layout = TargetLayout(self.folder)
        self.index = AuditIndex(tmp_path / "state")
        self.path = write(self.folder, dce(export(message(n, words) for n in numbers)))
        self._deltas = 0

    def append(self, numbers: range, words: str = "hello") -> None:
        self._deltas += 1
        delta = self.folder.parent / f"delta {self._deltas}"
        delta.write_bytes(dce(export(message(n, words) for n in numbers)))
        append(self.path, [delta], AppendOptions(run_id="r", exporter="test"), layout=self.layout, clock=SystemClock())
        self.settle()

    def settle(self) -> None:
        """Give the file an older change time by the only way there is: wait for two ticks of the kernel's clock."""
        clock = SystemClock()
        while clock.now().timestamp() * 1e9 - self.path.stat().st_ctime_ns < 50_000_000:
            clock.sleep(0.01)

    def audit(self, **options: Any) -> FileAudit:
        return audit(self.path, layout=self.layout, index=self.index, **options)


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    file = Growing(tmp_path, range(100, 140))
    file.settle()
    return file


def test_a_file_that_did_not_change_is_not_read_again(growing: Growing) -> None:
    first = growing.audit()
    again = growing.audit(now=LATER)
    assert again.verified.bytes_read == 0
    assert again.verified.text() == "full at 2026-11-21T03:00:00Z"
    assert (again.message_count, again.first_id, again.last_id) == (first.message_count, "100", "139")
    assert growing.audit(now=LATER, full=True).verified.text() == "full at 2026-11-21T04:00:00Z"


def test_of_a_file_that_our_appends_made_longer_only_the_new_part_is_read(growing: Growing) -> None:
    size = growing.path.stat().st_size
    growing.audit()
    growing.append(range(140, 145))
    growing.append(range(145, 150))
    found = growing.audit(now=LATER)
    assert found.ok
    assert found.verified.text() == "incremental since 2026-11-21T03:00:00Z"
    assert (found.message_count, found.last_id) == (50, "149")
    assert found.verified.bytes_read < growing.path.stat().st_size - size + 100
    assert growing.audit(now=LATER).verified.text() == "incremental since 2026-11-21T03:00:00Z"
    growing.append(range(150, 160))
    assert growing.audit(now=LATER).message_count == 60
    assert growing.audit(now=LATER, full=True).verified.text() == "full at 2026-11-21T04:00:00Z"


def test_growth_that_nobody_recorded_is_read_in_full(growing: Growing) -> None:
    growing.audit()
    growing.append(range(140, 145))
    (growing.folder / ".dce-meta" / "appends.jsonl").unlink()
    assert growing.audit(now=LATER).verified.extent is Extent.FULL
    foreign = write(growing.folder, dce(export(message(n) for n in range(100, 170))))
    growing.settle()
    found = growing.audit(now=LATER)
    assert (found.path, found.message_count, found.verified.extent) == (foreign, 70, Extent.FULL)


def test_growth_with_a_gap_in_its_records_is_read_in_full(growing: Growing) -> None:
    growing.audit()
    growing.append(range(140, 145))
    growing.append(range(145, 150))
    appends = growing.layout.appends
    appends.write_text(appends.read_text().splitlines(keepends=True)[1])
    assert growing.audit(now=LATER).verified.text() == "full at 2026-11-21T04:00:00Z"


def test_growth_below_the_last_id_is_found_by_reading_in_full(growing: Growing) -> None:
    growing.audit()
    growing.append(range(140, 145))
    growing.path.write_bytes(growing.path.read_bytes().replace(b'"id": "14', b'"id": "04'))
    growing.settle()
    assert Rule.NOT_SORTED in {finding.rule for finding in growing.audit(now=LATER).findings}


def test_growth_that_is_not_sound_is_found_by_reading_in_full(growing: Growing) -> None:
    growing.audit()
    growing.append(range(140, 145))
    data = growing.path.read_bytes()
    growing.path.write_bytes(data.replace(b'"id": "142"', b'"id": "102"'))
    growing.settle()
    found = growing.audit(now=LATER)
    assert {finding.rule for finding in found.findings} == {Rule.NOT_SORTED, Rule.DUPLICATE_ID}
    assert not growing.audit(now=LATER).ok


def rot(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes as a failing disk does: nothing about the file tells of it."""
    facts = path.stat()
    with path.open("r+b") as file:
        place = file.read().index(old)
        file.seek(place)
        file.write(new)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def unchanged_by_the_kernel(file: Growing) -> None:
    """Make the index believe that the file's times are what they are now: no test can hide a change from the kernel."""
    entry_path = next(file.index.folder.iterdir())
    facts = file.path.stat()
    entry = json.loads(entry_path.read_bytes()) | {"mtime_ns": facts.st_mtime_ns, "ctime_ns": facts.st_ctime_ns}
    entry_path.write_text(json.dumps(entry | {"read_at_ns": facts.st_ctime_ns + 10**9}))


@pytest.mark.parametrize("grow", [False, True])
def test_a_full_audit_names_the_block_whose_old_bytes_changed(tmp_path: Path, grow: bool) -> None:
    file = Growing(tmp_path, range(1000, 1100), words="x" * 100_000)
    file.settle()
    assert file.audit().ok
    rot(file.path, b'"id": "1060"', b'"id": "1061"'.replace(b"1061", b"1060"))
    rot(file.path, b"xxx", b"xyx")
    unchanged_by_the_kernel(file)
    if grow:
        file.append(range(1100, 1103))
        assert file.audit(now=LATER).ok  # what was not read again cannot be known, and the verdict says so
        assert file.audit(now=LATER).verified.extent is Extent.INCREMENTAL
    else:
        assert file.audit(now=LATER).verified.bytes_read == 0
    found = file.audit(now=LATER, full=True)
    assert [finding.rule for finding in found.findings] == [Rule.BIT_ROT]
    assert found.findings[0].offset == 0
    assert "bytes 0 to 4194304 are not what they were" in found.findings[0].detail
    # From now on nothing is taken for granted, until the old bytes are back.
    assert [finding.rule for finding in file.audit(now=LATER).findings] == [Rule.BIT_ROT]
    rot(file.path, b"xyx", b"xxx")
    file.settle()
    assert file.audit(now=LATER).ok
    assert file.audit(now=LATER).verified.text() == "full at 2026-11-21T04:00:00Z"


def test_rot_in_the_last_partial_block_is_found_too(growing: Growing) -> None:
    growing.audit()
    rot(growing.path, b'"content": "hello"', b'"content": "hellp"')
    unchanged_by_the_kernel(growing)
    growing.append(range(140, 145))
    found = growing.audit(now=LATER)  # the anchor before the cut lies in the same block
    assert [finding.rule for finding in found.findings] == [Rule.BIT_ROT]


def test_a_file_that_was_rewritten_by_us_is_not_called_rotten(growing: Growing) -> None:
    growing.audit()
    delta = growing.folder.parent / "hole"
    delta.write_bytes(dce(export([message(1), message(200)])))
    append(growing.path, [delta], AppendOptions(run_id="r", exporter="t"), layout=growing.layout, clock=SystemClock())
    growing.settle()
    found = growing.audit(now=LATER, full=True)
    assert (found.ok, found.message_count) == (True, 42)


class Killed(BaseException):
    """The process ends here."""


class DyingDisk(Disk):
    """A disk under a process that is killed when it has written the payload."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data, offset)
        if offset > 10_000:
            raise Killed


def test_an_append_under_way_is_not_seen(growing: Growing) -> None:
    delta = growing.folder.parent / "delta"
    delta.write_bytes(dce(export(message(n) for n in range(140, 145))))
    options = AppendOptions(run_id="r", exporter="test", reader_safe=ReaderSafe.OFF)
    with pytest.raises(Killed):
        append(growing.path, [delta], options, layout=growing.layout, clock=SystemClock(), disk=DyingDisk())
    assert b'"id": "144"' in growing.path.read_bytes()
    found = growing.audit()
    assert (found.ok, found.message_count, found.last_id) == (True, 40, "139")
    recover_channel(growing.layout, ChannelId(CHANNEL_ID))
    assert growing.audit(now=LATER).ok


def test_an_index_that_is_torn_counts_as_none(growing: Growing) -> None:
    growing.audit()
    entry = next(growing.index.folder.iterdir())
    for data in (b"", b"{", b"[]", b'{"version": 99}', b'{"version": 1, "path": "other"}'):
        entry.write_bytes(data)
        assert growing.audit(now=LATER).verified.text() == "full at 2026-11-21T04:00:00Z"


def test_only_notes_leave_a_file_sound(tmp_path: Path) -> None:
    note = Finding(rule=Rule.LEFT_EXPORT, path=tmp_path, detail="x", folder=tmp_path / "a b")
    assert note.level is Level.NOTE
    assert note.repair == f"dce-play archive salvage '{tmp_path}/a b'"
