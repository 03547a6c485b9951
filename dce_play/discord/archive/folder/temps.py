"""Exports under way and left behind: the ``.dce-temp`` folder of a target."""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dce_play.discord.archive.folder.owner import (
    OWNER_NAME,
    Owner,
    OwnerState,
    owner_state,
    read_owner,
    this_process,
    write_owner,
)
from dce_play.discord.archive.folder.seeds import channel_id_of
from dce_play.layout import META_FOLDER, TEMP_FOLDER, TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.whole_files import sync_folder, write_atomic

EXPORT_NAME = "export.json"
WHOLE_NAME = "whole.json"
"""What salvage makes of a truncated export before it goes into the archive."""
REASON_NAME = "quarantine_reason.json"
ODD_NAME = "odd.jsonl"
"""Messages of an export that could not be read, as they came."""
RAW_NAME = "raw.jsonl.gz"
"""All messages of an export, as they came."""

_TEMP = re.compile(r"export\.(?P<id>[0-9]{1,22})\.[^/]+", re.ASCII)
_REPLACEMENT = re.compile(r"\.(?P<name>.+)\.dce-replace\.[^.]+", re.DOTALL)
_DISPOSABLE = frozenset({EXPORT_NAME, WHOLE_NAME, OWNER_NAME, ODD_NAME, RAW_NAME, "merged.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Temp:
    """One export under way or left behind."""

    place: Path
    """What goes away when the export is done with: its folder, or the single file that an old script left."""
    export: Path
    """The export's own file; may be missing."""
    channel_id: ChannelId
    owner: Owner | None

    @property
    def started(self) -> float:
        """When the export began, as far as can be told, in seconds since 1970; 0 when nothing tells."""
        if self.owner is not None:
            return datetime.fromisoformat(self.owner.started).timestamp()
        return _modified(self.export) or _modified(self.place) or 0.0

    def size(self) -> int:
        """Return how many bytes lie in it."""
        if not self.place.is_dir():
            return _size(self.place)
        return sum(_size(path) for path in self.place.rglob("*"))

    def holds_other_files(self) -> bool:
        """Return whether it holds something besides what every export has."""
        return self.place.is_dir() and any(
            not _is_disposable(path.name) and (path.is_dir() or _size(path) > 0) for path in self.place.iterdir()
        )


@dataclass(frozen=True, slots=True)
class Activity:
    """Whether somebody may still be writing, and how that shows."""

    active: bool
    why: str


def new_temp(
    layout: TargetLayout, channel_id: ChannelId, *, cursor: MessageId | None, now: datetime, container_id: str = ""
) -> Temp:
    """Make the folder for an export that starts now, with this process as its owner."""
    place = layout.temp / f"export.{channel_id}.{secrets.token_hex(3)}"
    place.mkdir(parents=True)
    owner = this_process(cursor=cursor, now=now, container_id=container_id)
    write_owner(place, owner)
    return Temp(place=place, export=place / EXPORT_NAME, channel_id=channel_id, owner=owner)


def end_ownership(temp: Temp, *, now: datetime) -> None:
    """Note that the export's writer has ended, so that this very run may salvage what it left."""
    if temp.owner is not None:
        write_owner(temp.place, replace(temp.owner, ended=utc_stamp(now)))


def list_temps(layout: TargetLayout, *, channels: Collection[ChannelId] = ()) -> list[Temp]:
    """Return the exports of these channels (of all without any), by channel and then oldest first."""
    found = [*_folders(layout.temp), *_replacements(layout.folder)]
    chosen = [temp for temp in found if not channels or temp.channel_id in channels]
    return sorted(chosen, key=lambda temp: (int(temp.channel_id), temp.started, os.fsencode(temp.place)))


def activity(
    temp: Temp, *, now: datetime, min_age: timedelta | None, open_files: Collection[tuple[int, int]]
) -> Activity:
    """Return whether somebody may still be writing the export.

    A living owner or a process that has the file open decides; a dead owner's export is at once for the taking.
    Where nothing can be known about the owner, an export counts as active until it was left alone for ``min_age``;
    with ``None`` its age does not matter.
    """
    state = owner_state(temp.owner) if temp.owner else OwnerState.UNKNOWN
    if temp.owner and state is OwnerState.ALIVE:
        return Activity(True, f"its owner, pid {temp.owner.pid}, is alive")
    try:
        facts = temp.export.stat()
    except FileNotFoundError:
        return Activity(False, "no export in it")
    if (facts.st_dev, facts.st_ino) in open_files:
        return Activity(True, "a process has it open")
    if facts.st_size == 0 and temp.owner is None:
        return Activity(False, "empty")
    if state is OwnerState.GONE:
        return Activity(False, "its owner is gone")
    return _by_age(now - datetime.fromtimestamp(facts.st_mtime, UTC), min_age)


def _by_age(age: timedelta, min_age: timedelta | None) -> Activity:
    if min_age is None:
        return Activity(False, "whatever its age")
    if age < timedelta(0):
        return Activity(True, "modified in the future: the clock went backwards")
    if age < min_age:
        return Activity(True, "recently modified")
    return Activity(False, f"left alone for {int(age.total_seconds())} s")


def open_files() -> frozenset[tuple[int, int]]:
    """Return device and inode of every file that a process we may look at has open."""
    found = set()
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError), os.scandir(descriptors) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    facts = entry.stat()
                    found.add((facts.st_dev, facts.st_ino))
    return frozenset(found)


def remove(temp: Temp) -> None:
    """Remove an export whose messages are safe, or that never had any, and that holds no other files."""
    if not temp.place.is_dir():
        temp.place.unlink(missing_ok=True)
        return
    names = [path.name for path in temp.place.iterdir() if path.name != OWNER_NAME]
    for name in [*names, OWNER_NAME]:
        (temp.place / name).unlink(missing_ok=True)
    temp.place.rmdir()
    sync_folder(temp.place.parent)


def quarantine(temp: Temp, layout: TargetLayout, *, reason: str, detail: str, now: datetime) -> Path:
    """Move an export to where it waits for a person, with the reason beside it. Return its new place."""
    layout.quarantine.mkdir(parents=True, exist_ok=True)
    goal = layout.quarantine / temp.place.name.lstrip(".")
    while goal.exists():
        goal = layout.quarantine / f"{temp.place.name.lstrip('.')}.{secrets.token_hex(3)}"
    facts = {
        "reason": reason,
        "detail": detail,
        "channel_id": temp.channel_id,
        "original_path": os.fsencode(temp.place).decode("utf-8", "backslashreplace"),
        "quarantined_at": utc_stamp(now),
        "size_bytes": temp.size(),
    }
    note = (json.dumps(facts, indent=2) + "\n").encode()
    if temp.place.is_dir():
        write_atomic(temp.place / REASON_NAME, note)
        temp.place.rename(goal)
    else:
        goal.mkdir()
        write_atomic(goal / REASON_NAME, note)
        temp.place.rename(goal / EXPORT_NAME)
        sync_folder(temp.place.parent)
    sync_folder(goal)
    sync_folder(layout.quarantine)
    sync_folder(layout.temp)
    return goal


def _folders(temp_folder: Path) -> list[Temp]:
    if not temp_folder.is_dir():
        return []
    found = []
    for place in temp_folder.iterdir():
        match = _TEMP.fullmatch(place.name)
        if match and place.is_dir() and not place.is_symlink():
            found.append(
                Temp(
                    place=place,
                    export=place / EXPORT_NAME,
                    channel_id=ChannelId(match["id"]),
                    owner=read_owner(place),
                )
            )
    return found


def _replacements(folder: Path) -> list[Temp]:
    """Return the copies that the old scripts left beside archives when they died before their rename."""
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in {META_FOLDER, TEMP_FOLDER}]
        for name in names:
            match = _REPLACEMENT.fullmatch(name)
            channel_id = channel_id_of(match["name"]) if match else None
            if channel_id is not None:
                path = Path(here, name)
                found.append(Temp(place=path, export=path, channel_id=channel_id, owner=None))
    return found


def _is_disposable(name: str) -> bool:
    """Return whether a file in an export's folder is one of ours, or a temporary of one of ours."""
    return name in _DISPOSABLE or name.startswith(tuple(f".{known}." for known in (*_DISPOSABLE, REASON_NAME)))


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
