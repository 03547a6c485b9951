"""What is kept for a time only: quarantined episodes, and shipped ones when asked. At most once per interval."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dce_play.system.clock import Clock, utc_stamp
from dce_play.system.counted import counted
from dce_play.system.durable.whole_files import write_atomic
from dce_play.transfer.ids import split_name
from dce_play.transfer.sending.episodes.reason import quarantined_at, read_reason
from dce_play.transfer.sending.episodes.spool import Spool, Suffix
from dce_play.transfer.sending.log_lines import Level, ShipLog
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.state import LARGEST_OFFSET_S, ShipState

_DAY_S = 86_400.0
_DROPPED = ".dropped-"


def clean_up(config: ShipConfig, spool: Spool, state: ShipState, *, clock: Clock, log: ShipLog) -> list[str]:
    """Remove what is older than its keeping time, if a clean-up is due; return the names removed from quarantine."""
    now = clock.now()
    if not _is_due(config, spool, now):
        return []
    write_atomic(spool.private / "last_cleanup", f"{utc_stamp(now)}\n".encode(), durable=False)
    if not config.quarantine_keep_days and not config.shipped_keep_days:
        return []
    doubt = _doubt(config, state, now)
    if doubt:
        log.event("quarantine.skipped", Level.WARNING, why=doubt)
        return []
    removed = _clean_quarantine(config, spool, now, log) if config.quarantine_keep_days else []
    if config.shipped_keep_days:
        _clean_shipped(spool, now - timedelta(days=config.shipped_keep_days), log)
    return removed


def drop(spool: Spool, name: str) -> None:
    """Remove a folder of the quarantine; the caller holds the moves' lock.

    It first gets a name that nobody lists: half an episode is never taken for a whole one.
    """
    hidden = spool.quarantine / f"{_DROPPED}{name}"
    if hidden.exists():
        shutil.rmtree(hidden)
    (spool.quarantine / name).rename(hidden)
    shutil.rmtree(hidden)


def _is_due(config: ShipConfig, spool: Spool, now: datetime) -> bool:
    try:
        last = datetime.fromisoformat((spool.private / "last_cleanup").read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return True
    if last.tzinfo is None or last > now:  # the clock was set back since
        return True
    return (now - last).total_seconds() >= config.quarantine_cleanup_interval_s


def _doubt(config: ShipConfig, state: ShipState, now: datetime) -> str:
    """Return why our clock must not decide what is old, or an empty text."""
    heard = state.heard
    if heard is None:
        return ""
    if abs(heard.offset_s) > LARGEST_OFFSET_S:
        return f"our clock was {abs(heard.offset_s):.0f} s off the receiver's"
    keeps = [days for days in (config.quarantine_keep_days, config.shipped_keep_days) if days]
    silence_s = abs(now.timestamp() - heard.at)
    if silence_s > min(keeps) * _DAY_S:
        # Either nobody was heard for so long, or the clock has jumped since.
        return f"the receiver was heard {counted(round(silence_s / _DAY_S), 'day')} ago by our clock"
    return ""


def _clean_quarantine(config: ShipConfig, spool: Spool, now: datetime, log: ShipLog) -> list[str]:
    removed = []
    for path in sorted(spool.quarantine.iterdir()):
        if path.name.startswith(_DROPPED):  # a removal that was cut
            with spool.moving():
                shutil.rmtree(path, ignore_errors=True)
        if split_name(path.name) is None or _age_days(path, now) <= config.quarantine_keep_days:
            continue
        with _going_on(path.name, log), spool.moving():
            age_days = _age_days(path, now)  # looked at anew: somebody may have moved it, or quarantined it again
            if age_days <= config.quarantine_keep_days:
                continue
            drop(spool, path.name)
            removed.append(path.name)
            log.event("quarantine.removed", id=path.name, age_days=int(age_days))
    return removed


@contextmanager
def _going_on(name: str, log: ShipLog) -> Iterator[None]:
    """Tell of what cannot be removed, and go on: it must not keep the rest from being removed, nor from being sent."""
    try:
        yield
    except OSError as error:
        log.event("cleanup.failed", Level.WARNING, id=name, why=(error.strerror or str(error)).lower())


def _age_days(folder: Path, now: datetime) -> float:
    """Return how long ago an episode was quarantined; -1 when that cannot be read."""
    moment = quarantined_at(read_reason(folder))
    return -1.0 if moment is None else (now - moment).total_seconds() / _DAY_S


def _clean_shipped(spool: Spool, oldest: datetime, log: ShipLog) -> None:
    for receipt in sorted(spool.shipped.glob(f"*{Suffix.RECEIPT}")):
        name = receipt.name.removesuffix(Suffix.RECEIPT)
        if split_name(name) is None:
            continue
        if datetime.fromtimestamp(receipt.stat().st_mtime, UTC) >= oldest:
            continue
        with _going_on(name, log), spool.moving():
            folder = spool.shipped / name
            # The receipt goes last: it is what allows the folder to go, also when this is cut in the middle.
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
            receipt.unlink(missing_ok=True)
            log.event("shipped.removed", id=name)
