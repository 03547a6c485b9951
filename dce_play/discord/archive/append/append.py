"""Append deltas to a channel file: O(new messages), and undone or finished after a crash at any moment.

``append`` recovers first, then puts every message of the deltas where it belongs: new ones behind the cut, under an
append journal; known ones are compared with the stored copy (``EditPolicy``); missing ones are holes (``GapPolicy``).
Nothing before the cut changes, except where a hole is filled or an edit is taken, which makes a new file.

The protocol and the reason for each fsync: docs/design/append.md.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dce_play.discord.archive.append.commit import carry_out
from dce_play.discord.archive.append.delta import open_deltas
from dce_play.discord.archive.append.gaps import GapPolicy
from dce_play.discord.archive.append.job import AppendOptions, AppendOutcome, prepare
from dce_play.discord.archive.records.edits import EditPolicy
from dce_play.discord.archive.records.reader_safe import ReaderSafe, open_consistent
from dce_play.discord.archive.records.recover import FILE_LOCK_WAIT_S, RecoveryState, recover_held
from dce_play.discord.archive.records.write_errors import disk_errors
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.spans import read_head
from dce_play.layout import TargetLayout
from dce_play.system.clock import Clock
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.file_lock import flock_file

__all__ = ["AppendOptions", "AppendOutcome", "EditPolicy", "GapPolicy", "ReaderSafe", "append", "plan_append"]


def append(
    archive: Path,
    deltas: Sequence[Path | ChannelBytes],
    options: AppendOptions,
    *,
    layout: TargetLayout,
    clock: Clock,
    disk: Disk = REAL,
) -> AppendOutcome:
    """Put the deltas into an existing channel file. When this returns, all of it is durable.

    Raises: FileNotFoundError, when there is no channel file (``publish_first`` makes one); FileBusy; JournalStranded
    and JournalDamaged, when an earlier append needs a person; DamagedFile and NotCanonical; ForeignChannel;
    NotEnoughSpace and WriteFailed, with the file as it was or with a journal that undoes it at the next append.
    """
    archive = archive.resolve()
    locked = flock_file(archive, wait_s=FILE_LOCK_WAIT_S, clock=clock, open_file=disk.open_for_all)
    with disk_errors(archive), locked as descriptor:
        # Opened here and nowhere else: what is read, locked, written and synced is this one file.
        channel = ChannelBytes(archive, descriptor, disk.facts(descriptor).size_bytes, disk=disk)
        head = read_head(channel)
        recovery = recover_held(layout, head.channel_id, disk=disk)
        if recovery.state is not RecoveryState.NOTHING:  # its end has changed; what stands before the messages has not
            channel = ChannelBytes(archive, descriptor, disk.facts(descriptor).size_bytes, disk=disk)
        with open_deltas(deltas, disk=disk) as opened:
            job = prepare(channel, head, opened, options, layout=layout, disk=disk)
            outcome = replace(carry_out(job, layout=layout, clock=clock, disk=disk), recovery=recovery.state)
    return outcome


def plan_append(
    archive: Path,
    deltas: Sequence[Path | ChannelBytes],
    options: AppendOptions,
    *,
    layout: TargetLayout,
    disk: Disk = REAL,
) -> AppendOutcome:
    """Return what ``append`` would do now. Writes nothing and takes no lock.

    An append that has not finished counts as undone.
    """
    archive = archive.resolve()
    with open_consistent(archive, layout=layout, disk=disk) as channel, open_deltas(deltas, disk=disk) as opened:
        return prepare(channel, read_head(channel), opened, options, layout=layout, disk=disk).outcome()
