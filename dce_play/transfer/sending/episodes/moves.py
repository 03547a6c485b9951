"""How an episode changes state: each move under the moves' lock, looking anew, in an order that any crash may cut.

What each step leaves, and how the next pass goes on from it, stands in docs/design/shipping.md.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from dce_play.system.durable.whole_files import sync_folder, write_atomic
from dce_play.transfer.ids import EpisodeId, free_name
from dce_play.transfer.sending.episodes.episode import REASON, UnsafeMember, seal_of, walk
from dce_play.transfer.sending.episodes.reason import Reason, encode_reason
from dce_play.transfer.sending.episodes.spool import PackRecord, Spool, Suffix


def seal_holds(folder: Path, record: PackRecord) -> bool:
    """Return whether a folder is the very one that was packed, unchanged."""
    try:
        return seal_of(walk(folder)) == record.seal
    except (UnsafeMember, FileNotFoundError, NotADirectoryError):
        return False


def retire_all(spool: Spool, records: Sequence[PackRecord]) -> list[EpisodeId]:
    """Move acknowledged episodes to ``shipped/``, together; return those that are not what was acknowledged.

    Content that was never sent is so never retired. What somebody moved away meanwhile leaves the outbox only.
    """
    broken: list[EpisodeId] = []
    moved: list[tuple[EpisodeId, str]] = []
    with spool.moving():
        sync_folder(spool.outbox)  # a folder in shipped/ without a durable receipt could not be told from an old one
        for record in records:
            identifier = EpisodeId(record.id)
            if not _is_folder(spool.episode(identifier)):
                spool.remove_files(identifier)
            elif not seal_holds(spool.episode(identifier), record):
                broken.append(identifier)
            else:
                name = free_name(identifier, lambda each: _taken_in_shipped(spool, each))
                spool.episode(identifier).rename(spool.shipped / name)
                moved.append((identifier, name))
        _finish_retiring(spool, moved)
    return broken


def finish_half_retired(spool: Spool, identifier: EpisodeId) -> str | None:
    """Finish a retirement that was cut after the folder had moved; return the name, or ``None`` when there is none.

    The caller holds the moves' lock.
    """
    record = spool.read_pack(identifier)
    if record is None or not spool.file(identifier, Suffix.RECEIPT).exists():
        return None
    for name in spool.shipped_names(identifier):
        if seal_holds(spool.shipped / name, record):
            _finish_retiring(spool, [(identifier, name)])
            return name
    return None


def _finish_retiring(spool: Spool, moved: Sequence[tuple[EpisodeId, str]]) -> None:
    """Let the receipts follow their folders; ``moved`` has each id with its name in ``shipped/``."""
    if not moved:
        return
    sync_folder(spool.shipped)
    sync_folder(spool.episodes)
    for identifier, name in moved:
        spool.file(identifier, Suffix.RECEIPT).replace(spool.shipped / f"{name}{Suffix.RECEIPT}")
    # Durable before pack.json goes: a receipt in the outbox without its record could not be told from an orphan.
    sync_folder(spool.shipped)
    for identifier, _ in moved:
        spool.remove_files(identifier)


def quarantine(spool: Spool, identifier: EpisodeId, reason: Reason) -> str | None:
    """Move an episode to ``quarantine/`` with its reason inside; return its name there, ``None`` when it is gone."""
    with spool.moving():
        return quarantine_locked(spool, identifier, reason)


def quarantine_locked(spool: Spool, identifier: EpisodeId, reason: Reason) -> str | None:
    """Do so where the caller holds the moves' lock."""
    episode = spool.episode(identifier)
    if not _is_folder(episode):
        return None
    # The temporary lies in the outbox: one that a crash leaves must not become part of the episode.
    temporary = spool.outbox / f".{identifier}.{REASON}.tmp"
    write_atomic(episode / REASON, encode_reason(reason), mode=0o600, temporary=temporary)
    return _finish_quarantine(spool, identifier)


def heal_reason(spool: Spool, identifier: EpisodeId) -> str | None:
    """Deal with a reason file that lies in ``episodes/``; return the name in quarantine, if the episode went there.

    Beside a ``pack.json`` the move was cut, and is finished. Without one somebody moved the episode back by hand.
    """
    with spool.moving():
        if not spool.has_reason(identifier):
            return None
        if spool.file(identifier, Suffix.PACK).exists():
            return _finish_quarantine(spool, identifier)
        (spool.episode(identifier) / REASON).unlink()
        sync_folder(spool.episode(identifier))
        return None


def _finish_quarantine(spool: Spool, identifier: EpisodeId) -> str:
    name = free_name(identifier, lambda each: os.path.lexists(spool.quarantine / each))
    spool.episode(identifier).rename(spool.quarantine / name)
    sync_folder(spool.quarantine)
    sync_folder(spool.episodes)
    spool.remove_files(identifier)
    return name


def _taken_in_shipped(spool: Spool, name: str) -> bool:
    return os.path.lexists(spool.shipped / name) or os.path.lexists(spool.shipped / f"{name}{Suffix.RECEIPT}")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
