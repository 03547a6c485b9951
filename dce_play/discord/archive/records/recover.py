"""Recovery: finish or undo an append that was interrupted. Always the first thing an append does."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.records.journal import (
    TEMPORARY_SUFFIX,
    AppendJournal,
    JournalDamaged,
    anchor_of,
    disarm,
    error_mark,
    mark_io_error,
    payload_digest,
    pending_journals,
    read_journal,
)
from dce_play.discord.archive.records.records import AppendLine, add_append_line
from dce_play.discord.archive.records.write_errors import WriteFailed, disk_errors
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.spans import read_head, read_spans
from dce_play.discord.archive.scan.tail import read_tail
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import Clock
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.file_lock import flock_file

FILE_LOCK_WAIT_S = 30.0
"""Only a run that skipped the archive root's lock can hold a channel file's; it does so for one append."""


class RecoveryState(StrEnum):
    """What became of an append that had not finished."""

    NOTHING = "nothing"
    """There was none."""
    ROLLED_FORWARD = "rolled_forward"
    """All its bytes were there: it is finished now."""
    ROLLED_BACK = "rolled_back"
    """The file is what it was before; the delta is still staged."""
    REFUSED = "refused"
    """The file is not the one the journal speaks of; a person must look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How one channel's interrupted append ended."""

    state: RecoveryState
    channel_id: ChannelId
    archive: Path | None
    """``None`` when the journal cannot be read."""
    reason: str = ""
    """Why it was refused."""
    hint: str = ""


class JournalStranded(DcePlayError):
    """An append journal speaks of a file that is no longer there as it was: another program replaced it."""

    def __init__(self, journal: Path, archive: Path, reason: str) -> None:
        super().__init__(
            f"append journal {journal} does not fit {archive}: {reason}",
            hint="audit the file; once it is clean: "
            f"dce-play archive recover --discard-journal {shlex.quote(str(archive))}",
        )
        self.journal = journal
        self.archive = archive
        self.reason = reason


def recover(layout: TargetLayout, *, disk: Disk = REAL) -> list[Recovery]:
    """Finish or undo every interrupted append of a target. What is refused stays as it is and is returned as such.

    Raises: NotEnoughSpace, WriteFailed, FileBusy.
    """
    recoveries = []
    for path in pending_journals(layout, disk=disk):
        channel_id = ChannelId(path.stem)
        try:
            recoveries.append(recover_channel(layout, channel_id, disk=disk))
        except JournalStranded as error:
            recoveries.append(_refused(error, channel_id, error.archive, error.reason))
        except JournalDamaged as error:
            recoveries.append(_refused(error, channel_id, None, error.reason))
    return recoveries


def recover_channel(layout: TargetLayout, channel_id: ChannelId, *, disk: Disk = REAL) -> Recovery:
    """Finish or undo one channel's interrupted append.

    Raises: JournalStranded, JournalDamaged, NotEnoughSpace, WriteFailed, FileBusy.
    """
    path = layout.journal(channel_id)
    journal = read_journal(disk, path)
    if journal is None:
        return Recovery(state=RecoveryState.NOTHING, channel_id=channel_id, archive=None)
    archive = journal.archive_path(layout)
    try:
        with disk_errors(archive), flock_file(archive, wait_s=FILE_LOCK_WAIT_S):
            return recover_held(layout, channel_id, disk=disk)
    except FileNotFoundError as error:
        raise JournalStranded(path, archive, "it is gone") from error


@contextmanager
def settled(
    archive: Path, channel_id: ChannelId, *, layout: TargetLayout, clock: Clock | None = None
) -> Iterator[None]:
    """Hold a channel's file, with none of the channel's appends pending, for a caller that puts another in its place.

    Nothing is held where no file stands yet.
    Raises: JournalStranded, JournalDamaged, NotEnoughSpace, WriteFailed, FileBusy.
    """
    recover_channel(layout, channel_id)
    held = flock_file(archive, wait_s=FILE_LOCK_WAIT_S, clock=clock) if archive.exists() else nullcontext()
    with held:
        yield


def recover_held(layout: TargetLayout, channel_id: ChannelId, *, disk: Disk = REAL) -> Recovery:
    """Like ``recover_channel``, for a caller that holds the file's lock.

    Raises: JournalStranded, JournalDamaged; WriteFailed, OSError.
    """
    path = layout.journal(channel_id)
    disk.unlink(path.with_suffix(TEMPORARY_SUFFIX))
    journal = read_journal(disk, path)
    if journal is None:
        if disk.facts_of(error_mark(path)) is not None:
            disk.unlink(error_mark(path))
        return Recovery(state=RecoveryState.NOTHING, channel_id=channel_id, archive=None)
    archive = journal.archive_path(layout)
    try:
        descriptor = disk.open(archive, os.O_RDWR)
    except FileNotFoundError as error:
        raise JournalStranded(path, archive, "it is gone") from error
    try:
        state = _recover_open(layout, path, journal, descriptor, disk=disk)
    finally:
        disk.close(descriptor)
    return Recovery(state=state, channel_id=channel_id, archive=archive)


def discard_journal(archive: Path, *, layout: TargetLayout, disk: Disk = REAL) -> Path:
    """Set aside the journal that stands in the way of a channel file, and return where it lies now.

    It is the answer to a refused recovery. The channel file is read from end to end first; while that finds damage,
    the journal stays. An append that can be finished or undone is not discarded: it is finished or undone.

    Raises: DamagedFile, NotCanonical, WriteFailed; FileNotFoundError, when there is no journal.
    """
    archive = archive.resolve()
    with disk_errors(archive), flock_file(archive, wait_s=FILE_LOCK_WAIT_S):
        with open_bytes(archive, disk=disk) as channel:
            head = read_head(channel)
        path = layout.journal(head.channel_id)
        aside = path.with_suffix(".discarded")
        try:
            if recover_held(layout, head.channel_id, disk=disk).state is not RecoveryState.NOTHING:
                return path
        except (JournalStranded, JournalDamaged):
            with open_bytes(archive, disk=disk) as channel:
                read_spans(channel, head.start, read_tail(channel).cut)
        disk.rename(path, aside)
        disk.sync_folder(path.parent)
    return aside


def roll_back(path: Path, journal: AppendJournal, archive: Path, descriptor: int, *, disk: Disk) -> None:
    """Put the old tail back, make it durable and remove the journal.

    Raises: WriteFailed, OSError; the journal stays.
    """
    if disk.facts_of(error_mark(path)) is not None or _end(journal, descriptor, disk) != journal.old_tail:
        disk.truncate(descriptor, journal.cut)
        disk.write_at(descriptor, journal.old_tail, journal.cut)
    sync_or_mark(path, archive, descriptor, disk=disk)
    if _end(journal, descriptor, disk) != journal.old_tail:
        raise WriteFailed(archive, "what was written is not what can be read back")
    disarm(disk, path)
    disk.unlink(error_mark(path))


def sync_or_mark(path: Path, archive: Path, descriptor: int, *, disk: Disk) -> None:
    """Make the channel file durable. When that fails, note it: what can be read back then proves nothing.

    Raises: WriteFailed.
    """
    try:
        disk.sync(descriptor)
    except OSError as error:
        try:
            mark_io_error(disk, path)
        except OSError:
            # Without the mark the next recovery may roll forward; it writes the same bytes again before its fsync.
            raise WriteFailed(archive, str(error)) from error
        raise WriteFailed(archive, str(error)) from error


def line_of(journal: AppendJournal) -> AppendLine:
    """Return the line that an append leaves in ``appends.jsonl``."""
    return AppendLine(
        kind="appended",
        append_id=journal.append_id,
        time=journal.started,
        run_id=journal.run_id,
        channel_id=journal.channel_id,
        first_id=journal.first_id,
        last_id=journal.last_id,
        count=journal.count,
        message_count=journal.count_before + journal.count,
        cut_before=journal.cut,
        cut_after=journal.cut_after,
        exporter=journal.exporter,
        exporter_version=journal.exporter_version,
        exported_at=journal.exported_at,
    )


def _recover_open(
    layout: TargetLayout, path: Path, journal: AppendJournal, descriptor: int, *, disk: Disk
) -> RecoveryState:
    archive = journal.archive_path(layout)
    facts = disk.facts(descriptor)
    channel = ChannelBytes(archive, descriptor, facts.size_bytes, disk=disk)
    if facts.inode != journal.inode:
        raise JournalStranded(path, archive, "another program has replaced the file")
    if facts.size_bytes > max(journal.size_bytes, journal.new_size_bytes) or facts.size_bytes < journal.cut:
        raise JournalStranded(path, archive, "its size is none that the append could have left")
    if anchor_of(channel, journal.cut) != journal.anchor:
        raise JournalStranded(path, archive, "the bytes before the append have changed")
    arrived = (
        disk.facts_of(error_mark(path)) is None
        and facts.size_bytes == journal.new_size_bytes
        and payload_digest(channel, journal.cut, facts.size_bytes) == journal.payload_sha256
    )
    if not arrived:
        roll_back(path, journal, archive, descriptor, disk=disk)
        return RecoveryState.ROLLED_BACK
    _roll_forward(layout, path, journal, channel, descriptor, disk=disk)
    return RecoveryState.ROLLED_FORWARD


def _roll_forward(
    layout: TargetLayout, path: Path, journal: AppendJournal, channel: ChannelBytes, descriptor: int, *, disk: Disk
) -> None:
    offset = journal.cut
    for block in channel.blocks(journal.cut, journal.new_size_bytes):
        # Bytes that an fsync has failed on count as clean: only writing them again makes the next fsync honest.
        disk.write_at(descriptor, block, offset)
        offset += len(block)
    sync_or_mark(path, channel.path, descriptor, disk=disk)
    add_append_line(layout, line_of(journal), disk=disk)
    disarm(disk, path)


def _end(journal: AppendJournal, descriptor: int, disk: Disk) -> bytes | None:
    """Return the bytes from the cut on, or ``None`` when the file's size is not the old one."""
    size_bytes = disk.facts(descriptor).size_bytes
    if size_bytes != journal.size_bytes:
        return None
    return disk.read_at(descriptor, size_bytes - journal.cut, journal.cut)


def _refused(error: DcePlayError, channel_id: ChannelId, archive: Path | None, reason: str) -> Recovery:
    return Recovery(state=RecoveryState.REFUSED, channel_id=channel_id, archive=archive, reason=reason, hint=error.hint)
