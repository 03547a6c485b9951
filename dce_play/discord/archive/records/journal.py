"""The append journal: the undo record of an append that has not finished.

One JSON line and its sha256 on a second line, in ``.dce-meta/journal/<channel id>.json``. Its existence means "finish
or undo me". ``<channel id>.io-error`` beside it means that the kernel reported lost data: undo, never finish.
"""

import base64
import errno
import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import Disk
from dce_play.system.durable.names import remove
from dce_play.system.durable.sealed import SealBroken, seal, unseal
from dce_play.system.durable.whole_files import read_whole, write_atomic

FORMAT = 1
ANCHOR_BYTES = 4096
TEMPORARY_SUFFIX = ".json.tmp"


class JournalDamaged(DcePlayError):
    """An append journal that does not say what it was written to say."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"append journal {path} is damaged: {reason}",
            hint="audit the channel file; once it is clean: dce-play archive recover --discard-journal CHANNEL_FILE",
        )
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendJournal:
    """What an append is about to do to a channel file, and how to undo it."""

    append_id: str
    """Unique to this append; its line in ``appends.jsonl`` carries it too."""
    archive: Path
    """Relative to the target's folder where it lies below it, else absolute."""
    channel_id: ChannelId
    device: int
    inode: int
    size_bytes: int
    cut: int
    old_tail: bytes
    anchor: str
    """sha256 of the up to 4 KiB before the cut."""
    new_size_bytes: int
    cut_after: int
    payload_sha256: str
    """Of the bytes from the cut to the new size."""
    count_before: int
    count: int
    """Messages that this append adds."""
    first_id: MessageId
    last_id: MessageId
    run_id: str
    started: str
    exporter: str
    exporter_version: str
    exported_at: str | None

    def archive_path(self, layout: TargetLayout) -> Path:
        """Return where the channel file lies."""
        return layout.folder / self.archive


def anchor_of(channel: ChannelBytes, cut: int) -> str:
    """Return the sha256 of the up to 4 KiB before the cut."""
    start = max(cut - ANCHOR_BYTES, 0)
    return hashlib.sha256(channel.read_at(cut - start, start)).hexdigest()


def payload_digest(channel: ChannelBytes, cut: int, size_bytes: int) -> str:
    """Return the sha256 of the bytes between the cut and the size."""
    digest = hashlib.sha256()
    for block in channel.blocks(cut, size_bytes):
        digest.update(block)
    return digest.hexdigest()


def relative_to_target(archive: Path, layout: TargetLayout) -> Path:
    """Return the path as a journal names it: relative where the file lies below the target's folder."""
    try:
        return archive.relative_to(layout.folder)
    except ValueError:
        return archive


def error_mark(journal: Path) -> Path:
    """Return the file that says that the kernel reported lost data during this journal's append."""
    return journal.with_suffix(".io-error")


def arm(disk: Disk, path: Path, journal: AppendJournal) -> None:
    """Make the journal durable. When this returns, the append is either finished or undone, whatever happens."""
    disk.make_folder(path.parent)
    data = _encode(journal)
    write_atomic(path, data, temporary=path.with_suffix(TEMPORARY_SUFFIX), disk=disk)
    if read_whole(path, disk=disk) != data:
        raise OSError(errno.EIO, "what was written is not what can be read back", path)


def disarm(disk: Disk, path: Path) -> None:
    """Remove the journal durably: the channel file is whole without it."""
    remove(path, disk=disk)


def mark_io_error(disk: Disk, path: Path) -> None:
    """Note that data may be lost though it can still be read: the next recovery rolls back."""
    disk.close(disk.open(error_mark(path), os.O_WRONLY | os.O_CREAT))
    disk.sync_folder(path.parent)


def read_journal(disk: Disk, path: Path) -> AppendJournal | None:
    """Return the journal at the path, or ``None`` when there is none.

    Raises: JournalDamaged.
    """
    data = read_whole(path, disk=disk)
    return None if data is None else _decode(path, data)


def pending_journals(layout: TargetLayout, *, disk: Disk) -> list[Path]:
    """Return the journals of appends that have not finished, by name."""
    folder = layout.meta / "journal"
    return [folder / name for name in disk.names(folder) if name.endswith(".json")]


def _encode(journal: AppendJournal) -> bytes:
    facts = asdict(journal)
    facts["archive"] = os.fspath(journal.archive)
    facts["old_tail"] = base64.b64encode(journal.old_tail).decode("ascii")
    return seal(facts, version=FORMAT)


def _decode(path: Path, data: bytes) -> AppendJournal:
    try:
        facts = unseal(data, version=FORMAT)
    except SealBroken as error:
        raise JournalDamaged(path, error.reason) from error
    facts["archive"] = Path(facts["archive"])
    facts["old_tail"] = base64.b64decode(facts["old_tail"])
    return AppendJournal(**facts)
