"""Audit of whole targets: every channel file, and what lies around them.

    audit = audit_tree([TargetLayout(folder)], now=clock.now(), jobs=2)
    audit.ok, audit.files, audit.findings

Our own folders are left out; exports and copies that dead runs left, and appends that did not finish, are notes.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from dce_play.discord.archive.audit.audit import FileAudit, audit_file
from dce_play.discord.archive.audit.findings import Finding, Level, Rule
from dce_play.discord.archive.audit.index import AuditIndex
from dce_play.discord.archive.audit.parts import SPLIT_BYTES
from dce_play.discord.archive.folder.channel_map import DamagedChannelMap, load_map
from dce_play.discord.archive.folder.seeds import json_files
from dce_play.discord.archive.folder.temps import list_temps
from dce_play.discord.media_store.verify import verify_store
from dce_play.layout import TEMP_FOLDER, TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.counted import counted

Progress = Callable[[int, int], None]
"""Gets how many bytes are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeAudit:
    """What an audit says of one or several targets."""

    files: tuple[FileAudit, ...]
    """In order of folders, then of names."""
    around: tuple[Finding, ...]
    """Findings that concern no single file's content: twins, the channel map, what dead runs left."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, those inside the files first."""
        return tuple(finding for file in self.files for finding in file.findings) + self.around

    @property
    def ok(self) -> bool:
        """Whether nothing worse than a note was found."""
        return all(finding.level is Level.NOTE for finding in self.findings)

    @property
    def message_count(self) -> int:
        return sum(file.message_count for file in self.files)


def audit_tree(
    layouts: Sequence[TargetLayout],
    *,
    now: datetime,
    index: AuditIndex | None = None,
    full: bool = False,
    jobs: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> TreeAudit:
    """Audit every ``*.json`` of these targets.

    With ``jobs`` 2 small files are read side by side and large ones in halves, unless this process has threads.
    """
    paths = [(layout, path) for layout in layouts for path in json_files(layout.folder)]
    sizes = [_size(path) for _, path in paths]
    meter = _Meter(progress, sum(sizes))
    audit = partial(_audit_one, now=now, index=index, full=full)
    large = [number for number, size in enumerate(sizes) if jobs <= 1 or size >= SPLIT_BYTES]
    found: dict[int, FileAudit] = {}
    for number in large:
        layout, path = paths[number]
        found[number] = audit_file(path, now=now, layout=layout, index=index, full=full, jobs=jobs, on_bytes=meter.add)
    small = [number for number in range(len(paths)) if number not in found]
    for number, file in zip(small, _side_by_side(audit, [paths[number] for number in small], jobs), strict=True):
        found[number] = file
        meter.add(sizes[number])
    files = tuple(found[number] for number in range(len(paths)))
    around = [finding for layout in layouts for finding in _around(layout, files, full=full)]
    return TreeAudit(files=files, around=tuple(around))


class _Meter:
    """Adds up what was read."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._progress(min(self._done, self._total), self._total)


def _audit_one(place: tuple[TargetLayout, Path], *, now: datetime, index: AuditIndex | None, full: bool) -> FileAudit:
    layout, path = place
    return audit_file(path, now=now, layout=layout, index=index, full=full)


def _side_by_side(
    audit: Callable[[tuple[TargetLayout, Path]], FileAudit], places: list[tuple[TargetLayout, Path]], jobs: int
) -> Iterator[FileAudit]:
    # A process with threads must not fork: another thread may hold a lock that the child then waits for.
    if jobs <= 1 or len(places) < 2 or threading.active_count() > 1:
        yield from map(audit, places)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        yield from pool.map(audit, places)


def _around(layout: TargetLayout, files: Sequence[FileAudit], *, full: bool) -> Iterator[Finding]:
    """Yield the findings that concern a target's folder rather than one file's content."""
    folder = layout.folder
    if not folder.is_dir():
        yield Finding(rule=Rule.FOLDER_MISSING, path=folder, folder=folder, detail="the target's folder is not there")
        return
    here = {file.path: file.channel_id for file in files if file.path.is_relative_to(folder)}
    yield from _twins(here, folder)
    yield from _map(layout, here)
    for journal in sorted((layout.meta / "journal").glob("*.json")):
        detail = f"an append to channel {journal.stem} did not finish, or is under way"
        yield Finding(rule=Rule.APPEND_PENDING, path=journal, folder=folder, detail=detail)
    for temp in list_temps(layout):
        left = temp.place.parent.name == TEMP_FOLDER
        rule = Rule.LEFT_EXPORT if left else Rule.LEFT_REPLACEMENT
        detail = f"{counted(temp.size(), 'byte')} of channel {temp.channel_id}, left or under way"
        yield Finding(rule=rule, path=temp.place, folder=folder, detail=detail)
    if layout.media.is_dir():
        for fault in verify_store(layout, deep=full):
            yield Finding(rule=Rule(fault.fault.value), path=fault.path, folder=folder, detail=fault.detail)


def _twins(here: dict[Path, ChannelId | None], folder: Path) -> Iterator[Finding]:
    by_channel: dict[ChannelId, list[Path]] = {}
    for path, channel_id in here.items():
        if channel_id is not None:
            by_channel.setdefault(channel_id, []).append(path)
    for channel_id, paths in by_channel.items():
        if len({path.resolve() for path in paths}) > 1:
            others = ", ".join(path.name for path in paths[1:])
            detail = f"channel {channel_id} is in other files, too: {others}"
            yield Finding(rule=Rule.TWINS, path=paths[0], folder=folder, detail=detail)


def _map(layout: TargetLayout, here: dict[Path, ChannelId | None]) -> Iterator[Finding]:
    path, folder = layout.channel_map, layout.folder
    try:
        entries = load_map(layout)
    except DamagedChannelMap as error:
        yield Finding(rule=Rule.MAP_DAMAGED, path=path, folder=folder, detail=str(error))
        return
    by_file = {known.resolve(): channel_id for known, channel_id in here.items()}
    for channel_id, mapped in entries.items():
        real = mapped.resolve()
        if not mapped.is_file():
            detail = f"channel {channel_id} is mapped to {mapped}, which is not there"
            yield Finding(rule=Rule.MAP_FILE_MISSING, path=path, folder=folder, detail=detail)
        elif not real.is_relative_to(folder.resolve()):
            detail = f"channel {channel_id} is mapped to {mapped}, outside the target's folder"
            yield Finding(rule=Rule.MAP_FILE_FOREIGN, path=path, folder=folder, detail=detail)
        elif by_file.get(real) not in {None, channel_id}:
            detail = f"channel {channel_id} is mapped to {mapped}, which holds channel {by_file[real]}"
            yield Finding(rule=Rule.MAP_FILE_FOREIGN, path=path, folder=folder, detail=detail)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
