"""Where every episode is, counted from the folders themselves."""

import os
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from dce_play.system.clock import Clock
from dce_play.transfer.ids import EpisodeId, split_name
from dce_play.transfer.sending.episodes.episode import META, MetaState, read_meta
from dce_play.transfer.sending.episodes.quarantine import bytes_below
from dce_play.transfer.sending.episodes.spool import Outbox, Spool, Suffix
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.state import read_state

STATES = ("waiting", "new", "packed", "acked", "quarantined", "shipped")


class ShipStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the command shows as JSON."""

    host_id: str
    data_dir: str
    running: bool
    counts: dict[str, int]
    bytes: dict[str, int]
    """Of the episodes themselves; of packed and acked ones what lies packed."""
    oldest_s: float | None
    """The age of the oldest ``meta.json`` that is not shipped."""
    bad_names: list[str]
    last_success: str | None
    paused: str | None


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """The unfinished episodes by state."""

    by_state: dict[str, list[EpisodeId]]
    oldest_ns: int | None
    bad_names: list[str]


def census(spool: Spool) -> Census:
    """List what waits, is new, packed and acked. Folders that are not there are empty."""
    found: dict[str, list[EpisodeId]] = {state: [] for state in STATES[:4]}
    try:
        identifiers, bad = spool.list_episodes()
        outbox = spool.list_outbox()
    except FileNotFoundError:
        identifiers, bad, outbox = [], [], Outbox(files={}, temporaries=())
    oldest: int | None = None
    for identifier in identifiers:
        state = _state(spool, identifier, outbox.files.get(identifier, frozenset()))
        found[state].append(identifier)
        with suppress(OSError):
            mtime_ns = (spool.episode(identifier) / META).lstat().st_mtime_ns
            oldest = mtime_ns if oldest is None else min(oldest, mtime_ns)
    return Census(by_state=found, oldest_ns=oldest, bad_names=bad)


def ship_status(config: ShipConfig, spool: Spool, *, running: bool, clock: Clock) -> ShipStatus:
    """Look at everything. Writes nothing and locks nothing."""
    seen = census(spool)
    state = read_state(spool.private)
    quarantined = [name for name in _folders(spool.quarantine) if split_name(name)]
    shipped = [name for name in _folders(spool.shipped) if split_name(name)]
    counts = {state: len(ids) for state, ids in seen.by_state.items()}
    sizes = {state: unfinished_bytes(spool, state, ids) for state, ids in seen.by_state.items()}
    counts |= {"quarantined": len(quarantined), "shipped": len(shipped)}
    sizes["quarantined"] = sum(bytes_below(spool.quarantine / name) for name in quarantined)
    sizes["shipped"] = sum(bytes_below(spool.shipped / name) for name in shipped)
    age_s = None if seen.oldest_ns is None else max(0.0, round(clock.now().timestamp() - seen.oldest_ns / 1e9, 1))
    return ShipStatus(
        host_id=config.host_id,
        data_dir=os.fspath(config.data_dir),
        running=running,
        counts=counts,
        bytes=sizes,
        oldest_s=age_s,
        bad_names=seen.bad_names,
        last_success=state.last_success,
        paused=state.whole.why if state.whole else None,
    )


def unfinished_bytes(spool: Spool, state: str, identifiers: Iterable[EpisodeId]) -> int:
    """Return the bytes of unfinished episodes in one state."""
    total = 0
    for identifier in identifiers:
        if state in {"waiting", "new"}:
            total += bytes_below(spool.episode(identifier))
        else:
            with suppress(OSError):
                total += spool.file(identifier, Suffix.TAR).stat().st_size
    return total


def _state(spool: Spool, identifier: EpisodeId, suffixes: frozenset[Suffix]) -> str:
    if suffixes >= {Suffix.TAR, Suffix.PACK}:
        return "acked" if Suffix.RECEIPT in suffixes else "packed"
    try:
        return "new" if read_meta(spool.episode(identifier)).state is MetaState.GOOD else "waiting"
    except OSError:
        return "waiting"


def _folders(folder: os.PathLike[str]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
