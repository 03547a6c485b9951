"""The life of a channel file, as hypothesis makes it up: appends, crashes, recoveries, other programs, damage."""

import contextlib
import itertools
import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dce_play.discord.archive.append.append import AppendOptions, AppendOutcome, GapPolicy, ReaderSafe, append
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.records.recover import JournalStranded, RecoveryState, discard_journal, recover
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical, read_tail
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import Disk
from tests.support.channel_files import channel_bytes
from tests.support.fakes import FakeClock

IDS = st.integers(min_value=1, max_value=60)
WAYS = st.sampled_from([ReaderSafe.OFF, ReaderSafe.AUTO, ReaderSafe.REWRITE])


class Dies(BaseException):
    """The process ends here."""


class MortalDisk(Disk):
    """Dies before its n-th changing call; half of a long write is done then."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def _step(self) -> bool:
        self._left -= 1
        return self._left == 0

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        if self._step():
            super().write_at(descriptor, data[: len(data) // 2], offset)
            raise Dies
        super().write_at(descriptor, data, offset)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        if self._step():
            raise Dies
        super().truncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        if self._step():
            raise Dies
        super().sync(descriptor)

    def rename(self, source: Path, destination: Path) -> None:
        if self._step():
            raise Dies
        super().rename(source, destination)

    def unlink(self, path: Path) -> None:
        if path.exists() and self._step():
            raise Dies
        super().unlink(path)


class ArchiveLife(RuleBasedStateMachine):
    """``stored`` is what has been acknowledged; a crashed append's messages may be there too (``perhaps``)."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="archive-life-"))
        self.layout = TargetLayout(self.folder / "target")
        self.archive = self.layout.folder / "room [111].json"
        self.numbers = itertools.count()
        self.stored: set[int] = set()
        self.perhaps: set[int] = set()
        self.before_cut = b""
        self.damaged: bytes | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(ids=st.sets(IDS, max_size=5))
    def begin(self, ids: set[int]) -> None:
        self.layout.folder.mkdir()
        self.archive.write_bytes(channel_bytes(sorted(ids)))
        self.stored = set(ids)

    @precondition(lambda self: self.damaged is None)
    @rule(ids=st.sets(IDS, max_size=6), way=WAYS)
    def append(self, ids: set[int], way: ReaderSafe) -> None:
        """Any delta: newer messages, known ones, missing ones between."""
        had = set(self.ids())
        outcome = self.put(self.delta(ids), way, Disk())
        assert outcome.every_id_placed
        self.stored |= ids | self.perhaps & set(self.ids())
        self.perhaps = set()
        assert outcome.appended + outcome.holes_filled <= len(ids)
        if not outcome.rewritten and had <= set(self.ids()):
            assert self.archive.read_bytes().startswith(self.before_cut) or outcome.unchanged

    @precondition(lambda self: self.damaged is None)
    @rule(ids=st.sets(IDS, min_size=1, max_size=6), calls=st.integers(1, 24), way=WAYS)
    def append_and_die(self, ids: set[int], calls: int, way: ReaderSafe) -> None:
        delta = self.delta(ids)
        try:
            self.put(delta, way, MortalDisk(calls))
            self.stored |= ids
        except Dies:
            self.perhaps |= ids

    @precondition(lambda self: self.damaged is None)
    @rule(ids=st.sets(IDS, min_size=1, max_size=6))
    def append_and_leave_holes(self, ids: set[int]) -> None:
        last = max(self.ids(), default=0)
        outcome = self.put(self.delta(ids), ReaderSafe.OFF, Disk(), holes=GapPolicy.REPORT)
        assert outcome.every_id_placed == (outcome.behind == 0)
        self.stored |= {identifier for identifier in ids if identifier > max(last, max(self.perhaps, default=0))}
        self.perhaps |= ids

    @precondition(lambda self: self.damaged is None)
    @rule(cut=st.integers(1, 400), ids=st.sets(IDS, min_size=1, max_size=4))
    def append_a_truncated_export(self, cut: int, ids: set[int]) -> None:
        delta = self.delta(ids)
        delta.write_bytes(delta.read_bytes()[:-cut])
        before = set(self.ids())
        with contextlib.suppress(DamagedFile):
            self.put(delta, ReaderSafe.OFF, Disk())
            raise AssertionError("a truncated export was taken")
        assert before <= set(self.ids())

    @precondition(lambda self: self.damaged is None)
    @rule(calls=st.integers(1, 12))
    def recover_and_die(self, calls: int) -> None:
        with contextlib.suppress(Dies):
            recover(self.layout, disk=MortalDisk(calls))

    @rule()
    def recover(self) -> None:
        for recovery in recover(self.layout):
            assert recovery.state is not RecoveryState.REFUSED or self.damaged is not None

    @precondition(lambda self: self.damaged is None)
    @rule(ids=st.sets(IDS, max_size=3))
    def another_program_merges(self, ids: set[int]) -> None:
        """What the operators' old scripts do: read all, write all, rename."""
        recover(self.layout)
        merged = sorted(set(self.ids()) | ids)
        other = self.layout.folder / ".other"
        other.write_bytes(json.dumps(json.loads(channel_bytes(merged)), indent=2, ensure_ascii=False).encode() + b"\n")
        other.replace(self.archive)
        self.stored |= ids
        self.before_cut = b""

    @precondition(lambda self: self.damaged is None)
    @rule(cut=st.integers(2, 600))
    def damage(self, cut: int) -> None:
        """Somebody cuts the file short; nothing of ours may make it worse, or take it for whole."""
        recover(self.layout)
        whole = self.archive.read_bytes()
        self.archive.write_bytes(whole[:-cut])
        self.damaged = whole
        with contextlib.suppress(DamagedFile, NotCanonical):
            self.put(self.delta({61}), ReaderSafe.OFF, Disk())
            raise AssertionError("a truncated file was appended to")
        assert self.archive.read_bytes() == whole[:-cut]

    @precondition(lambda self: self.damaged is not None)
    @rule()
    def repair(self) -> None:
        assert self.damaged is not None
        self.archive.write_bytes(self.damaged)
        self.damaged = None

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        if self.damaged is not None or not self.archive.exists():
            return
        with open_consistent(self.archive, layout=self.layout) as channel:
            value = json.loads(channel.read_at(channel.size_bytes, 0))
        ids = [int(entry["id"]) for entry in value["messages"]]
        assert ids == sorted(set(ids))
        assert self.stored <= set(ids) <= self.stored | self.perhaps
        assert value["messageCount"] == len(ids)
        assert all(entry["content"] == f"message {entry['id']}" for entry in value["messages"])
        cursor = read_cursor(self.archive, layout=self.layout)
        assert (cursor.message_count, cursor.last_id) == (len(ids), str(ids[-1]) if ids else None)
        assert len({line.append_id for line in read_appends(self.layout)}) == len(list(read_appends(self.layout)))

    def put(self, delta: Path, way: ReaderSafe, disk: Disk, *, holes: GapPolicy = GapPolicy.MERGE) -> AppendOutcome:
        options = AppendOptions(run_id=f"run-{next(self.numbers)}", reader_safe=way, holes=holes)
        try:
            with open_bytes(self.archive) as channel:
                self.before_cut = channel.read_at(read_tail(channel).cut, 0)
        except NotCanonical:
            self.before_cut = b""
        try:
            return append(self.archive, [delta], options, layout=self.layout, clock=FakeClock(), disk=disk)
        except JournalStranded:
            discard_journal(self.archive, layout=self.layout)
            return append(self.archive, [delta], options, layout=self.layout, clock=FakeClock(), disk=disk)

    def delta(self, ids: set[int]) -> Path:
        path = self.folder / f"delta-{next(self.numbers)}.json"
        path.write_bytes(channel_bytes(sorted(ids)))
        return path

    def ids(self) -> list[int]:
        with open_consistent(self.archive, layout=self.layout) as channel:
            return [int(entry["id"]) for entry in json.loads(channel.read_at(channel.size_bytes, 0))["messages"]]


ArchiveLife.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestArchiveLife = ArchiveLife.TestCase
