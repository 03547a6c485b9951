"""The record of what an archive was: files, counts, ids, hashes. Taken before a run, compared after it.

Taking one costs a stat for each file that has not changed since its fingerprint was kept, and a full read for each
other. Old snapshots of three tab-separated columns (path, channel id, count) are read too; they prove less.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from dce_play.discord.archive.folder.channel_map import load_map
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.seeds import Seed, find_seeds
from dce_play.discord.archive.proof.fingerprint import Fingerprint, take_fingerprint
from dce_play.discord.archive.proof.fingerprint_store import FingerprintStore, fingerprint_from, wait_until_settled
from dce_play.discord.archive.proof.ledger_snapshot import LedgerSnapshot, ledger_snapshot
from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.errors import DcePlayError, ExitCode
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, is_number
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.disk import facts_from
from dce_play.system.durable.named_outputs import write_named

FORMAT = 1

Progress = Callable[[float, float | None, str], None]
"""Done, total and unit."""


def no_progress(_done: float, _total: float | None, _unit: str, /) -> None:
    """Tell nobody."""


class DamagedSnapshot(DcePlayError):
    """A snapshot file that says nothing that can be compared."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"snapshot {shown(path)} cannot be used: {reason}", hint="dce-play archive snapshot ROOT")
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSnapshot:
    """One channel file as it was."""

    path: Path
    """Relative to the snapshot's root; absolute in a snapshot of the old form."""
    channel_id: ChannelId
    message_count: int
    fingerprint: Fingerprint | None
    """``None`` in a snapshot of the old form, which only counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What an archive was."""

    root: Path
    taken: str
    """UTC, ``2026-11-21T01:15:07Z``; empty in a snapshot of the old form."""
    channels: tuple[ChannelId, ...]
    """The only channels it speaks of; empty for all."""
    files: tuple[FileSnapshot, ...]
    skipped: tuple[tuple[Path, str], ...] = ()
    """Files that could not be read, relative to the root, each with the reason."""
    ledgers: tuple[LedgerSnapshot, ...] = ()
    """The targets' ledgers of media."""


def take_snapshot(
    root: Path,
    *,
    now: datetime,
    folders: Sequence[Path] = (),
    channels: Collection[ChannelId] = (),
    store: FingerprintStore | None = None,
    prune: bool = False,
    on_progress: Progress = no_progress,
) -> Snapshot:
    """Return what the channel files under the root are now; ``folders`` are the targets' folders, absolute.

    Without folders the root is the one target's folder. With a store, files that have not changed are not read.
    A file that cannot be read is left out and listed as skipped. With ``prune`` the store forgets all other files:
    for snapshots of everything under the root.
    """
    seeds = [
        (folder, seed)
        for folder in folders or (root,)
        for seed in target_seeds(folder)
        if not channels or seed.channel_id in channels
    ]
    total = sum(_size(seed.path) for _, seed in seeds)
    files, skipped, done = [], [], 0
    for folder, seed in seeds:
        try:
            fingerprint = current_fingerprint(seed.path, TargetLayout(folder), store=store)
        except (DcePlayError, OSError) as error:
            skipped.append((seed.path.relative_to(root), str(error)))
            continue
        files.append(
            FileSnapshot(
                path=seed.path.relative_to(root),
                channel_id=fingerprint.channel_id,
                message_count=fingerprint.message_count,
                fingerprint=fingerprint,
            )
        )
        done += fingerprint.size_bytes
        on_progress(done, total, "bytes")
    if store is not None and prune:
        store.prune(file.fingerprint for file in files if file.fingerprint is not None)
    return Snapshot(
        root=root,
        taken=utc_stamp(now),
        channels=tuple(channels),
        files=tuple(files),
        skipped=tuple(skipped),
        ledgers=tuple(
            ledger_snapshot(layout.media_ledger, root)
            for layout in map(TargetLayout, folders or (root,))
            if layout.media_ledger.is_file()
        ),
    )


def current_fingerprint(path: Path, layout: TargetLayout, *, store: FingerprintStore | None) -> Fingerprint:
    """Return what a channel file is now, from the store when it has not changed.

    Raises: DamagedFile and what else reading raises.
    """
    if store is not None:
        kept = store.get(facts_from(path.stat()))
        if kept is not None:
            return kept
        wait_until_settled(facts_from(path.stat()))
    read_at_ns = time.time_ns()
    with open_consistent(path, layout=layout) as channel:
        facts = facts_from(path.stat())
        fingerprint, index = take_fingerprint(channel, facts)
    if store is not None and fingerprint.is_of(facts_from(path.stat())):
        store.put(fingerprint, index, read_at_ns=read_at_ns)
    return fingerprint


def target_seeds(folder: Path) -> list[Seed]:
    """Return a target's channel files; short ids count when the target's map has them."""
    return find_seeds(folder, known=load_map(TargetLayout(folder)))


def write_snapshot(snapshot: Snapshot, path: Path) -> str:
    """Write a snapshot durably and return the sha256 of the file.

    Raises: OutputNotWritten.
    """
    value = {
        "version": FORMAT,
        "taken": snapshot.taken,
        "root": str(snapshot.root),
        "channels": list(snapshot.channels),
        "skipped": [{"path": str(place), "reason": reason} for place, reason in snapshot.skipped],
        "files": [_file_value(file) for file in snapshot.files],
        "media": [
            {"path": str(each.path), "size_bytes": each.size_bytes, "sha256": each.sha256} for each in snapshot.ledgers
        ],
    }
    data = (json.dumps(value, indent=1) + "\n").encode("ascii")
    write_named(path, data, what="the snapshot", make_folder=True)
    return hashlib.sha256(data).hexdigest()


def load_snapshot(path: Path) -> Snapshot:
    """Return the snapshot in a file, also in the old scripts' form of three columns.

    Raises: DamagedSnapshot.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DamagedSnapshot(path, "Missing snapshot") from error
    if not data.lstrip().startswith(b"{"):
        return _columns(path, data)
    try:
        value = json.loads(data)
        if value["version"] != FORMAT:
            raise DamagedSnapshot(path, f"format {value['version']} is not known to this version")
        return Snapshot(
            root=Path(value["root"]),
            taken=value["taken"],
            channels=tuple(ChannelId(channel) for channel in value["channels"]),
            files=tuple(map(_file_from, value["files"])),
            skipped=tuple((Path(entry["path"]), entry["reason"]) for entry in value["skipped"]),
            ledgers=tuple(
                LedgerSnapshot(path=Path(each["path"]), size_bytes=each["size_bytes"], sha256=each["sha256"])
                for each in value.get("media", ())
            ),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedSnapshot(path, f"not what we wrote: {error!r}") from error


def _file_value(file: FileSnapshot) -> dict[str, object]:
    value: dict[str, object] = {"path": str(file.path), "channel_id": file.channel_id}
    value["message_count"] = file.message_count
    value["fingerprint"] = None if file.fingerprint is None else asdict(file.fingerprint)
    return value


def _file_from(value: dict[str, object]) -> FileSnapshot:
    kept = value["fingerprint"]
    return FileSnapshot(
        path=Path(str(value["path"])),
        channel_id=ChannelId(str(value["channel_id"])),
        message_count=int(str(value["message_count"])),
        fingerprint=fingerprint_from(kept) if isinstance(kept, dict) else None,
    )


def _columns(path: Path, data: bytes) -> Snapshot:
    files = []
    for number, line in enumerate(data.splitlines(), start=1):
        columns = os.fsdecode(line).split("\t")
        if len(columns) != 3 or not is_number(columns[1]) or not columns[2].isdecimal():
            raise DamagedSnapshot(path, f"line {number} is not path, channel id and count")
        files.append(
            FileSnapshot(
                path=Path(columns[0]),
                channel_id=ChannelId(columns[1]),
                message_count=int(columns[2]),
                fingerprint=None,
            )
        )
    if not files:
        raise DamagedSnapshot(path, "it is empty")
    common = Path(os.path.commonpath([file.path.parent for file in files]))
    return Snapshot(root=common, taken="", channels=(), files=tuple(files))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
