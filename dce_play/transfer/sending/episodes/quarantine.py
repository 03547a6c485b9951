"""The quarantine as an operator sees it: listing, showing, moving back, removing."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import msgspec

from dce_play.errors import DcePlayError, ExitCode
from dce_play.source import did_you_mean
from dce_play.system.durable.whole_files import sync_folder
from dce_play.transfer.ids import split_name
from dce_play.transfer.sending.episodes.cleanup import drop
from dce_play.transfer.sending.episodes.episode import REASON
from dce_play.transfer.sending.episodes.reason import Reason, quarantined_at, read_reason
from dce_play.transfer.sending.episodes.spool import Spool


class NotQuarantined(DcePlayError):
    """No such name is in quarantine."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_SELECTED

    def __init__(self, name: str, names: Sequence[str], option: str) -> None:
        hint = did_you_mean(name, names) if len(names) <= 50 else f"list them: dce-play quarantine list {option}"
        super().__init__(f"{name} is not in quarantine", hint=hint or "quarantine is empty")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One folder in quarantine; what a reason file that cannot be read would say is ``None``."""

    name: str
    id: str
    reason: str | None
    http: int | None
    commit: str | None
    quarantined_at: str | None
    age_s: float | None
    bytes: int


class NotMoved(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that was not moved back."""

    name: str
    why: str


class Requeued(msgspec.Struct, frozen=True, kw_only=True):
    """What moving back came to."""

    requeued: list[str]
    refused: list[NotMoved]


def list_items(
    spool: Spool, *, now: datetime, reason: str | None = None, older_than_s: float | None = None
) -> list[Item]:
    """Return what is in quarantine, the oldest first, narrowed when asked."""
    items = [_item(spool.quarantine / name, name, now) for name in _names(spool)]
    if reason is not None:
        items = [item for item in items if item.reason == reason]
    if older_than_s is not None:
        items = [item for item in items if item.age_s is not None and item.age_s > older_than_s]
    return sorted(items, key=lambda item: (item.quarantined_at or "", item.name))


def choose(
    spool: Spool,
    names: Sequence[str],
    *,
    now: datetime,
    reason: str | None = None,
    older_than_s: float | None = None,
    everything: bool = False,
) -> list[str]:
    """Return the names meant: those given, and those with the reason, so old, or all.

    Raises: NotQuarantined, for the first name that is not there.
    """
    known = _names(spool)
    for name in names:
        if name not in known:
            raise NotQuarantined(name, sorted(known), spool.option)
    if everything and not names:
        names = sorted(known)
    if reason is None and older_than_s is None:
        return list(dict.fromkeys(names))
    fitting = [item.name for item in list_items(spool, now=now, reason=reason, older_than_s=older_than_s)]
    return [name for name in fitting if not names or name in names]


def show(spool: Spool, name: str) -> tuple[Reason | None, list[str]]:
    """Return the reason and the paths of all files in a quarantined folder.

    Raises: NotQuarantined.
    """
    known = _names(spool)
    if name not in known:
        raise NotQuarantined(name, sorted(known), spool.option)
    folder = spool.quarantine / name
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    return read_reason(folder), sorted(file.encode("utf-8", "backslashreplace").decode() for file in files)


def requeue(spool: Spool, names: Sequence[str], *, dry_run: bool) -> Requeued:
    """Move folders back to ``episodes/``; one whose id is taken there stays."""
    moved: list[str] = []
    refused: list[NotMoved] = []
    for name in names:
        found = split_name(name)
        why = "its name holds no id" if found is None else None
        if found is not None:
            with spool.moving():
                folder, target = spool.quarantine / name, spool.episodes / found[0]
                if not folder.is_dir():
                    why = "it has just been moved"
                elif os.path.lexists(target) or (
                    dry_run and found[0] in {(split_name(each) or ("",))[0] for each in moved}
                ):
                    why = f"{target} exists"
                elif not dry_run:
                    _move_back(folder, target)
        if why is None:
            moved.append(name)
        else:
            refused.append(NotMoved(name=name, why=why))
    return Requeued(requeued=moved, refused=refused)


def drop_all(spool: Spool, names: Sequence[str], *, dry_run: bool) -> list[str]:
    """Remove folders for good; return the names."""
    dropped = []
    for name in names:
        with spool.moving():
            if not (spool.quarantine / name).is_dir():
                continue
            if not dry_run:
                drop(spool, name)
        dropped.append(name)
    return dropped


def _move_back(folder: Path, target: Path) -> None:
    # The reason goes first: beside a pack.json it would send the episode straight back.
    (folder / REASON).unlink(missing_ok=True)
    sync_folder(folder)
    folder.rename(target)
    sync_folder(target.parent)
    sync_folder(folder.parent)


def _names(spool: Spool) -> set[str]:
    try:
        with os.scandir(spool.quarantine) as entries:
            return {entry.name for entry in entries if split_name(entry.name) and entry.is_dir(follow_symlinks=False)}
    except FileNotFoundError:
        return set()


def _item(folder: Path, name: str, now: datetime) -> Item:
    reason = read_reason(folder)
    moment = quarantined_at(reason)
    found = split_name(name)
    return Item(
        name=name,
        id=found[0] if found else name,
        reason=reason.reason if reason and moment else None,
        http=reason.http if reason else None,
        commit=reason.commit if reason else None,
        quarantined_at=reason.quarantined_at if reason and moment else None,
        age_s=max(0.0, round((now - moment).total_seconds(), 1)) if moment else None,
        bytes=bytes_below(folder),
    )


def bytes_below(folder: Path) -> int:
    """Return the size of all regular files in a folder; what vanishes meanwhile does not count."""
    total = 0
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
