"""Looking after a store of files: the index made whole again, and what is stored compared with its receipts."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dce_play.system.counted import counted
from dce_play.system.durable.whole_files import write_atomic
from dce_play.transfer.archive_check import ArchiveCheck, ArchiveLimits
from dce_play.transfer.member_names import NameLimits
from dce_play.transfer.receiving.folders import StoreFolders
from dce_play.transfer.receiving.index_file import FileIndex
from dce_play.transfer.receiving.stored_archive import receipt_from_archive
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.wire import Receipt, decode_receipt, encode_receipt, row_of

_PIECE_BYTES = 1 << 20
_NO_LIMITS = ArchiveLimits(
    unpacked_bytes=1 << 62, ratio=1 << 40, names=NameLimits(members=1 << 40, depth=1 << 20, path_bytes=1 << 30)
)
"""What is stored was within the limits when it came; those may have been lowered since."""


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that is not what it should be."""

    id: str
    why: str


class BackfillReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``receive backfill`` found and did."""

    rows: int
    """Lines of the index, those that were added included."""
    added: int
    cut_bytes: int
    missing_files: tuple[str, ...]
    bad_lines: tuple[int, ...]
    repeated: tuple[str, ...]
    broken: tuple[Broken, ...]

    @property
    def sound(self) -> bool:
        return not (self.missing_files or self.bad_lines or self.repeated or self.broken)


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``receive verify`` found."""

    episodes: int
    bytes: int
    broken: tuple[Broken, ...]

    @property
    def sound(self) -> bool:
        return not self.broken


def backfill(folders: StoreFolders, *, receiver: str, dry_run: bool) -> BackfillReport:
    """List what is stored and not listed, write receipts that are lost, cut a torn last line.

    May run beside a receiver: both add to the index under its lock. In a dry run nothing is written.
    Raises: OSError; FileBusy.
    """
    index = FileIndex(folders.index)
    index.load(repair=not dry_run and folders.root.is_dir())
    stored = folders.stored_ids()
    broken: list[Broken] = []
    added = 0
    for episode_id in stored:
        if episode_id in index.ids and folders.receipt(episode_id).exists():
            continue
        try:
            receipt = _receipt(folders, episode_id, receiver=receiver, write=not dry_run)
        except (ArchiveRefused, OSError) as error:
            broken.append(Broken(id=episode_id, why=str(error)))
            continue
        if episode_id not in index.ids:
            added += 1
            if not dry_run:
                index.add_missing(row_of(receipt, source="backfill"))
    there = set(stored)
    return BackfillReport(
        rows=index.lines - len(index.bad_lines),
        added=added,
        cut_bytes=index.cut_bytes,
        missing_files=tuple(sorted(index.ids - there)),
        bad_lines=tuple(index.bad_lines),
        repeated=tuple(dict.fromkeys(index.repeated)),
        broken=tuple(broken),
    )


def verify(folders: StoreFolders, *, deep: bool) -> VerifyReport:
    """Compare every stored archive with its receipt: sizes; ``deep`` also reads it from end to end."""
    broken: list[Broken] = []
    total = 0
    stored = folders.stored_ids()
    for episode_id in stored:
        path = folders.archive(episode_id)
        try:
            size = path.stat().st_size
            total += size
            why = _difference(path, size, _read_receipt(folders, episode_id), deep=deep)
        except ArchiveRefused as error:
            why = str(error)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
        if why:
            broken.append(Broken(id=episode_id, why=why))
    return VerifyReport(episodes=len(stored), bytes=total, broken=tuple(broken))


def _difference(path: Path, size: int, receipt: Receipt | None, *, deep: bool) -> str:
    if receipt is None:
        return "there is no receipt (dce-play receive backfill writes it)"
    if receipt.id != path.name.removesuffix(".tar.zst"):
        return f"the receipt is of {receipt.id}"
    if receipt.size != size:
        return f"{counted(size, 'byte')}, the receipt says {receipt.size}"
    if not deep:
        return ""
    with path.open("rb") as file:
        return content_difference(iter(lambda: file.read(_PIECE_BYTES), b""), receipt)


def content_difference(pieces: Iterable[bytes], receipt: Receipt) -> str:
    """Return in what an archive's bytes differ from its receipt, or nothing.

    Raises: ArchiveRefused, when the bytes are the receipt's and no sound archive.
    """
    whole = hashlib.sha256()
    check = ArchiveCheck(receipt.id, _NO_LIMITS, packed_bytes=receipt.size)
    damage: ArchiveRefused | None = None
    for piece in pieces:
        whole.update(piece)
        if damage is None:
            try:
                check.feed(piece)
            except ArchiveRefused as error:
                damage = error
    if whole.hexdigest() != receipt.sha256:
        return "its SHA-256 is not the receipt's"
    if damage is not None:
        raise damage
    found = check.finish()
    return "" if found.manifest_digest == receipt.manifest_digest else "its manifest digest is not the receipt's"


def _read_receipt(folders: StoreFolders, episode_id: str) -> Receipt | None:
    try:
        return decode_receipt(folders.receipt(episode_id).read_bytes())
    except FileNotFoundError:
        return None


def _receipt(folders: StoreFolders, episode_id: str, *, receiver: str, write: bool) -> Receipt:
    found = _read_receipt(folders, episode_id)
    if found is not None and found.id == episode_id:
        return found
    made = receipt_from_archive(folders.archive(episode_id), episode_id, receiver=receiver, limits=_NO_LIMITS)
    if write:
        write_atomic(folders.receipt(episode_id), encode_receipt(made))
    return made
