"""Audit: read a channel file from end to end and report findings. Writes nothing but the index in the state folder.

    audit = audit_file(path)
    audit.ok, audit.message_count, audit.findings, audit.verified

With an index, a file that did not change since its last audit is not read again, and of one that only our own appends
made longer the new messages are; the answer says when every byte was read last. ``full`` reads every byte.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.audit.findings import Finding, Level, Rule
from dce_play.discord.archive.audit.index import AuditEntry, AuditIndex, name_of
from dce_play.discord.archive.audit.parts import OnBytes, Reading, read_messages
from dce_play.discord.archive.audit.rules import channel_of, damage_finding, findings_of, message_count, unreadable
from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.proof.fingerprint import cut_of
from dce_play.discord.archive.records.journal import JournalDamaged
from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.discord.archive.records.records import AppendLine, read_appends
from dce_play.discord.archive.scan.block_hashes import BLOCK_BYTES, HashThread, first_change, hash_blocks
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.frame import Frame, read_preamble
from dce_play.discord.archive.scan.id_order import IdOrder
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.disk import facts_from


class Extent(StrEnum):
    """How much of a file a verdict rests on."""

    FULL = "full"
    """Every byte was read."""
    INCREMENTAL = "incremental"
    """Every byte was read once, and since then what our own appends added."""
    NONE = "none"
    """The file could not be read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a verdict rests on."""

    extent: Extent
    full_at: str
    """When every byte was read last, UTC; empty when never."""
    bytes_read: int
    """How many bytes this audit read; 0 for a file that did not change."""

    def text(self) -> str:
        """Return ``full at …`` or ``incremental since …``."""
        match self.extent:
            case Extent.FULL:
                return f"full at {self.full_at}"
            case Extent.INCREMENTAL:
                return f"incremental since {self.full_at}"
            case Extent.NONE:
                return "not verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAudit:
    """What an audit says of one file."""

    path: Path
    channel_id: ChannelId | None
    message_count: int
    """Messages read, the whole ones before any damage."""
    first_id: MessageId | None
    last_id: MessageId | None
    """Ids of the messages that stand first and last."""
    size_bytes: int
    verified: Verified
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding.level is Level.NOTE for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    now: datetime
    index: AuditIndex | None
    full: bool
    jobs: int
    on_bytes: OnBytes


def audit_file(
    path: Path,
    *,
    now: datetime,
    layout: TargetLayout | None = None,
    index: AuditIndex | None = None,
    full: bool = False,
    jobs: int = 1,
    on_bytes: OnBytes = lambda _: None,
) -> FileAudit:
    """Audit one file. An append under way is not seen. What cannot be read is a finding, not an error.

    ``jobs`` 2 reads a file above 256 MiB with two processes, unless this process has threads.
    """
    options = _Options(now=now, index=index, full=full, jobs=jobs, on_bytes=on_bytes)
    try:
        return _Audit(path, layout or layout_of(path), options).run()
    except (OSError, DcePlayError) as error:
        return FileAudit(
            path=path,
            channel_id=None,
            message_count=0,
            first_id=None,
            last_id=None,
            size_bytes=0,
            verified=Verified(extent=Extent.NONE, full_at="", bytes_read=0),
            findings=(unreadable(path, error),),
        )


class _Audit:
    """One audit of one file that is there."""

    def __init__(self, path: Path, layout: TargetLayout, options: _Options) -> None:
        self._path = path
        self._layout = layout
        self._options = options
        self._facts = facts_from(path.stat())
        self._read_at_ns = time.time_ns()
        self._entry = options.index.get(path) if options.index else None
        self._lines: list[AppendLine] = []
        if self._entry is not None:
            self._lines = list(read_appends(layout, self._entry.channel_id))

    def run(self) -> FileAudit:
        entry, options = self._entry, self._options
        if entry is not None and not options.full and entry.is_of(self._facts):
            options.on_bytes(entry.size_bytes)
            return self._known(entry, bytes_read=0)
        with ExitStack() as stack:
            source = _open(self._path, self._layout, stack)
            cut = cut_of(source)
            if entry is not None and not options.full and entry.grown_by(self._lines, cut):
                grown = self._grown(source, entry, cut)
                if grown is not None:
                    return grown
            return self._whole(source, cut)

    def _known(self, entry: AuditEntry, *, bytes_read: int) -> FileAudit:
        """Return the verdict on a sound file."""
        return FileAudit(
            path=self._path,
            channel_id=entry.channel_id,
            message_count=entry.message_count,
            first_id=_id(entry.first_id),
            last_id=_id(entry.last_id),
            size_bytes=entry.size_bytes,
            verified=Verified(
                extent=Extent.FULL if entry.read_at == entry.full_at else Extent.INCREMENTAL,
                full_at=entry.full_at,
                bytes_read=bytes_read,
            ),
        )

    def _grown(self, source: ChannelBytes, entry: AuditEntry, cut: int) -> FileAudit | None:
        """Audit what our appends added; ``None`` where that does not come out sound: then the whole file is read."""
        last_block = max(len(entry.blocks) - 1, 0)
        if hash_blocks(source, entry.hashed, start=last_block) != list(entry.blocks[last_block:]):
            return None
        if entry.last_id is None or source.read_at(1, entry.cut) != b",":
            return None
        reading = read_messages(source, read_preamble(source), start=entry.cut, on_bytes=self._options.on_bytes)
        findings = findings_of(self._path, source, reading, count_before=entry.message_count)
        order, frame = reading.tally.order, reading.frame
        if frame is None or findings or order.first is None or order.first <= int(entry.last_id):
            return None
        grown = self._entry_of(
            frame,
            cut=cut,
            message_count=entry.message_count + order.count,
            ids=(entry.first_id, str(order.last)),
            full_at=entry.full_at,
        )
        whole = entry.hashed // BLOCK_BYTES
        blocks = (*entry.blocks[:whole], *hash_blocks(source, cut, start=whole))
        self._keep(None if grown is None else replace(grown, blocks=blocks, hashed=cut))
        return None if grown is None else self._known(grown, bytes_read=source.size_bytes - entry.cut)

    def _whole(self, source: ChannelBytes, cut: int) -> FileAudit:
        """Audit every byte."""
        options = self._options
        try:
            preamble = read_preamble(source)
        except DamagedFile as error:
            self._keep(None)
            return self._told(source, None, [damage_finding(self._path, error)])
        beside = HashThread(source, cut) if options.index and options.jobs == 1 else None
        reading = read_messages(source, preamble, jobs=options.jobs, on_bytes=options.on_bytes)
        findings = findings_of(self._path, source, reading)
        blocks: list[str] = []
        if options.index is not None:
            blocks = beside.result() if beside else hash_blocks(source, cut)
        rot = self._bit_rot(source, cut, blocks)
        audit = self._told(source, reading, findings + rot)
        entry = None
        if rot and self._entry is not None:
            entry = replace(self._entry, suspect=True)
        elif audit.ok and reading.frame is not None:
            entry = self._entry_of(
                reading.frame,
                cut=cut,
                message_count=audit.message_count,
                ids=(audit.first_id, audit.last_id),
                full_at=audit.verified.full_at,
            )
            entry = None if entry is None else replace(entry, blocks=tuple(blocks), hashed=cut)
        self._keep(entry)
        return audit

    def _bit_rot(self, source: ChannelBytes, cut: int, blocks: list[str]) -> list[Finding]:
        """Return the finding for old bytes that changed though, by all that is known, nobody wrote them."""
        entry = self._entry
        if entry is None or entry.rewritten_by(self._lines):
            return []
        if not (entry.suspect or entry.is_of(self._facts) or entry.grown_by(self._lines, cut)):
            return []
        change = first_change(source, entry.blocks, entry.hashed, blocks)
        if change is None:
            return []
        end = min(change + BLOCK_BYTES, entry.hashed)
        detail = f"bytes {change} to {end} are not what they were at {entry.full_at}, and nobody wrote them since"
        return [Finding(rule=Rule.BIT_ROT, path=self._path, offset=change, detail=detail)]

    def _entry_of(
        self, frame: Frame, *, cut: int, message_count: int, ids: tuple[str | None, str | None], full_at: str
    ) -> AuditEntry | None:
        channel_id = channel_of(frame)
        if channel_id is None:
            return None
        lines = self._lines or list(read_appends(self._layout, channel_id))
        facts = self._facts
        return AuditEntry(
            path=name_of(self._path),
            channel_id=channel_id,
            device=facts.device,
            inode=facts.inode,
            size_bytes=facts.size_bytes,
            mtime_ns=facts.mtime_ns,
            ctime_ns=facts.ctime_ns,
            read_at_ns=self._read_at_ns,
            cut=cut,
            message_count=message_count,
            first_id=ids[0],
            last_id=ids[1],
            full_at=full_at,
            read_at=utc_stamp(self._options.now),
            appends_seen=len(lines),
            blocks=(),
            hashed=0,
        )

    def _keep(self, entry: AuditEntry | None) -> None:
        if self._options.index is None:
            return
        if entry is None:
            self._options.index.forget(self._path)
        else:
            self._options.index.put(self._path, entry)

    def _told(self, source: ChannelBytes, reading: Reading | None, findings: list[Finding]) -> FileAudit:
        order = reading.tally.order if reading else IdOrder()
        frame = reading.frame if reading else None
        extent = Extent.NONE if frame is None else Extent.FULL
        return FileAudit(
            path=self._path,
            channel_id=channel_of(frame) if frame else None,
            message_count=message_count(reading) if reading else 0,
            first_id=_id(None if order.first is None else str(order.first)),
            last_id=_id(None if order.last is None else str(order.last)),
            size_bytes=source.size_bytes,
            verified=Verified(
                extent=extent,
                full_at=utc_stamp(self._options.now) if frame else "",
                bytes_read=source.size_bytes,
            ),
            findings=tuple(findings),
        )


def _open(path: Path, layout: TargetLayout, stack: ExitStack) -> ChannelBytes:
    """Open a file as it was between two appends; one too damaged for that as it is."""
    try:
        return stack.enter_context(open_consistent(path, layout=layout))
    except (DamagedFile, JournalDamaged):
        return stack.enter_context(open_bytes(path))


def _id(identifier: str | None) -> MessageId | None:
    return None if identifier is None else MessageId(identifier)
