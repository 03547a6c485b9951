"""Moving episodes without a commit into quarantine: what no receiver with a gate will ever take."""

from datetime import datetime

import msgspec

from dce_play.system.clock import Clock, utc_stamp
from dce_play.transfer.ids import EpisodeId, free_name
from dce_play.transfer.sending.episodes.episode import Meta, MetaState, changed_within, read_meta
from dce_play.transfer.sending.episodes.moves import quarantine_locked
from dce_play.transfer.sending.episodes.reason import Reason
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.state import moment, read_state

_DETAILS = {
    MetaState.MISSING: "there is no meta.json",
    MetaState.BROKEN: "meta.json is no JSON object",
    MetaState.GOOD: "meta.json names no commit of 40 hex digits",
}


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """One episode that was, or would be, moved."""

    id: str
    reason: str
    detail: str
    to: str


class DrainResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the command shows as JSON."""

    dry_run: bool
    kept: int
    quarantined: int
    episodes: list[Drained]


def drain(spool: Spool, *, host_id: str, min_age_s: float, dry_run: bool, clock: Clock) -> DrainResult:
    """Move every unstamped episode; one whose ``meta.json`` is missing or broken only when nothing changes any more."""
    moved: list[Drained] = []
    kept = 0
    for identifier in sorted(spool.list_episodes()[0]):
        found = _one(spool, identifier, host_id=host_id, min_age_s=min_age_s, dry_run=dry_run, now=clock.now())
        if found is None:
            kept += 1
        else:
            moved.append(found)
    return DrainResult(dry_run=dry_run, kept=kept, quarantined=len(moved), episodes=moved)


def _one(
    spool: Spool, identifier: EpisodeId, *, host_id: str, min_age_s: float, dry_run: bool, now: datetime
) -> Drained | None:
    meta = _unstamped(spool, identifier, min_age_s, now)
    if meta is None:
        return None
    detail = _DETAILS[meta.state]
    if dry_run:
        name: str | None = free_name(identifier, lambda each: (spool.quarantine / each).exists())
    else:
        with spool.moving():
            meta = _unstamped(spool, identifier, min_age_s, now)  # looked at anew: a writer may have finished
            if meta is None:
                return None
            detail = _DETAILS[meta.state]
            reason = Reason(
                id=identifier,
                reason="unstamped",
                detail=detail,
                host_id=host_id,
                attempts=record.attempts if (record := spool.read_pack(identifier)) else 0,
                quarantined_at=utc_stamp(moment(read_state(spool.private), now)),
            )
            name = quarantine_locked(spool, identifier, reason)
    return None if name is None else Drained(id=identifier, reason="unstamped", detail=detail, to=f"quarantine/{name}")


def _unstamped(spool: Spool, identifier: EpisodeId, min_age_s: float, now: datetime) -> Meta | None:
    """Return what was read of an episode that is to be moved, ``None`` when it stays."""
    episode = spool.episode(identifier)
    try:
        meta = read_meta(episode)
        if meta.commit is not None:
            return None
        if meta.state is MetaState.GOOD:
            return meta
        return None if changed_within(episode, min_age_s, now_ns=int(now.timestamp() * 1e9)) else meta
    except FileNotFoundError:  # gone, or just being written
        return None
