"""Which file holds which channel: a target's map, and where a channel's messages go.

The map is the file that the operators' own scripts keep: one flat JSON object of channel id to absolute path.
"""

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dce_play.discord.archive.folder.naming import new_file_name, shown
from dce_play.discord.archive.folder.seeds import Seed, find_seeds, twins_among
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.head import Head, read_head
from dce_play.discord.archive.scan.tail import NotCanonical, read_tail
from dce_play.errors import DcePlayError, ExitCode
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, is_number
from dce_play.system.counted import counted
from dce_play.system.durable.whole_files import write_atomic


class DamagedChannelMap(DcePlayError):
    """A channel map that is not a flat object of ids and paths."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"channel map {shown(path)} is damaged: {reason}",
            hint="move it away; the next run makes it anew from the channel files it finds",
        )
        self.path = path
        self.reason = reason


class OutsideTarget(DcePlayError):
    """A channel's file would lie outside its target's folder."""

    def __init__(self, channel_id: ChannelId, path: Path, folder: Path) -> None:
        super().__init__(
            f"Mapped destination '{shown(path)}' for channel {channel_id} is outside target root '{shown(folder)}'.",
            hint=f"dce-play archive adopt {shlex.quote(shown(folder))} points the map at the files that are there",
        )
        self.channel_id = channel_id
        self.path = path


class ArchiveDisappeared(DcePlayError):
    """The map names a channel file that is not there. It is never quietly made anew."""

    def __init__(self, channel_id: ChannelId, path: Path, *, elsewhere: Path | None = None) -> None:
        adopt = f"it is at '{shown(elsewhere)}' now: dce-play archive adopt corrects the map" if elsewhere else ""
        super().__init__(
            f"archive disappeared: {shown(path)} (channel {channel_id})",
            hint=adopt or "bring the file back, or take its line out of the channel map to begin a new one",
        )
        self.channel_id = channel_id
        self.path = path
        self.elsewhere = elsewhere


class TwinFiles(DcePlayError):
    """More than one file claims the channel; none is ever chosen in silence."""

    def __init__(self, channel_id: ChannelId, paths: Iterable[Path]) -> None:
        self.channel_id = channel_id
        self.paths = tuple(sorted(paths))
        told = ", ".join(f"'{shown(path)}' ({_size_told(path)})" for path in self.paths)
        files = " ".join(shlex.quote(shown(path)) for path in self.paths)
        super().__init__(
            f"channel {channel_id} has {counted(len(self.paths), 'file')}: {told}",
            hint=f"dce-play archive merge {files} --into {shlex.quote(shown(self.paths[0]))} makes one of them",
        )


class WrongChannel(DcePlayError):
    """A file's name and its content disagree about the channel."""

    def __init__(self, path: Path, *, expected: ChannelId, found: str) -> None:
        super().__init__(
            f"'{shown(path)}' should hold channel {expected} but holds {found or 'none'}",
            hint="give the file the name of its own channel, or move it out of the target's folder",
        )
        self.path = path
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """What reading the names of a target's files did for its map."""

    added: tuple[Seed, ...] = ()
    repaired: tuple[Seed, ...] = ()
    """Entries that pointed outside the folder or at nothing, and now at the one file there is."""
    refused: tuple[DcePlayError, ...] = ()
    """Twins, and files whose content is another channel's or cannot be read."""

    def lines(self, folder: Path) -> list[str]:
        """Return what the old scripts logged, for the lines that people look for."""
        lines = [f"Skipping bootstrap for {error}" for error in self.refused]
        if self.added:
            count = len(self.added)
            lines.append(f"Bootstrapped {count} channel map entries from existing archives under {shown(folder)}.")
        if self.repaired:
            lines.append(f"Repaired {len(self.repaired)} channel map entries under {shown(folder)}.")
        return lines


def load_map(layout: TargetLayout) -> dict[ChannelId, Path]:
    """Return the entries of a target's map; none where there is no map yet.

    Raises: DamagedChannelMap.
    """
    path = layout.channel_map
    try:
        entries = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DamagedChannelMap(path, f"not JSON: {error}") from error
    if not isinstance(entries, dict):
        raise DamagedChannelMap(path, "not an object")
    for key, value in entries.items():
        if not is_number(key) or not isinstance(value, str) or not value:
            raise DamagedChannelMap(path, f"the entry {key!r} is not a channel id with a path")
    return {ChannelId(key): layout.folder / value for key, value in entries.items()}


def save_map(layout: TargetLayout, entries: Mapping[ChannelId, Path]) -> None:
    """Write a target's map, in the form that the operators' scripts read."""
    layout.meta.mkdir(parents=True, exist_ok=True)
    text = json.dumps({channel_id: str(path) for channel_id, path in entries.items()}, indent=2)
    mode = None if layout.channel_map.exists() else 0o644
    write_atomic(layout.channel_map, (text + "\n").encode(), mode=mode)


class ChannelMap:
    """A target's map and its files, read once, for the time of a run that holds the lock."""

    def __init__(self, layout: TargetLayout, *, known: Iterable[ChannelId] = ()) -> None:
        """Read the map and the names of the files. ``known`` are ids that count although they are short.

        Raises: DamagedChannelMap.
        """
        self.layout = layout
        self._entries = load_map(layout)
        self._seeds = find_seeds(layout.folder, known={*known, *self._entries})
        self._paths: dict[ChannelId, list[Path]] = {}
        for seed in self._seeds:
            self._paths.setdefault(seed.channel_id, []).append(seed.path)

    def channels(self) -> list[ChannelId]:
        """Return the channels that have a file or an entry, in order of their ids."""
        return sorted({*self._entries, *self._paths}, key=int)

    def files_of(self, channel_id: ChannelId) -> list[Path]:
        """Return all files of a channel inside the target's folder: the mapped one first, then the largest."""
        mapped = self._entries.get(channel_id)
        paths = [path for path in self._paths.get(channel_id, []) if self._is_inside(path)]
        return sorted(_distinct(paths), key=lambda path: (path != mapped, -path.stat().st_size, path))

    def destination(self, channel_id: ChannelId) -> Path | None:
        """Return the file of a channel, which exists and is the only one, or ``None`` when it has none yet.

        Raises: TwinFiles, OutsideTarget, ArchiveDisappeared, WrongChannel, and whatever reading its head raises.
        """
        paths = self._paths.get(channel_id, [])
        mapped = self._entries.get(channel_id)
        if mapped is not None:
            self._confine(channel_id, mapped)
            if not mapped.is_file():
                raise ArchiveDisappeared(channel_id, mapped, elsewhere=paths[0] if len(paths) == 1 else None)
        candidates = _distinct([*paths, mapped] if mapped else paths)
        if len(candidates) > 1:
            raise TwinFiles(channel_id, candidates)
        if not candidates:
            return None
        path = mapped or candidates[0]
        self._confine(channel_id, path)
        check_channel(path, channel_id)
        return path

    def new_destination(self, channel_id: ChannelId, head: Head) -> Path:
        """Return where the first export of a channel goes: named after what the export says, in the target's folder.

        A place in the map wins although nothing is there: whoever begins that file anew has decided to.

        Raises: OutsideTarget.
        """
        path = self._entries.get(channel_id) or self.layout.folder / _name_from(head, channel_id)
        self._confine(channel_id, path)
        return path

    def remember(self, channel_id: ChannelId, path: Path) -> None:
        """Put a channel's existing file into the map, durably, unless it says so already."""
        if not path.is_file():
            raise ArchiveDisappeared(channel_id, path)
        self._confine(channel_id, path)
        if path not in self._paths.setdefault(channel_id, []):
            self._paths[channel_id].append(path)
        if self._entries.get(channel_id) != path:
            self._entries[channel_id] = path
            save_map(self.layout, self._entries)

    def plan_bootstrap(self, *, repair: bool = False) -> Bootstrap:
        """Return what ``bootstrap`` would do; writes nothing."""
        twins = twins_among(self._seeds)
        added: list[Seed] = []
        repaired: list[Seed] = []
        refused: list[DcePlayError] = [TwinFiles(channel_id, paths) for channel_id, paths in twins.items()]
        for seed in self._seeds:
            mapped = self._entries.get(seed.channel_id)
            stale = repair and mapped is not None and not (self._is_inside(mapped) and mapped.is_file())
            if seed.channel_id in twins or (mapped is not None and not stale):
                continue
            try:
                self._confine(seed.channel_id, seed.path)
                check_channel(seed.path, seed.channel_id)
            except DcePlayError as error:
                refused.append(error)
                continue
            (repaired if stale else added).append(seed)
        return Bootstrap(added=tuple(added), repaired=tuple(repaired), refused=tuple(refused))

    def bootstrap(self, *, repair: bool = False) -> Bootstrap:
        """Enter every channel file that the map lacks; with ``repair`` also correct entries that lead nowhere."""
        plan = self.plan_bootstrap(repair=repair)
        if plan.added or plan.repaired:
            self._entries.update({seed.channel_id: seed.path for seed in (*plan.added, *plan.repaired)})
            save_map(self.layout, self._entries)
        return plan

    def _confine(self, channel_id: ChannelId, path: Path) -> None:
        if not self._is_inside(path):
            raise OutsideTarget(channel_id, path, self.layout.folder)

    def _is_inside(self, path: Path) -> bool:
        """Return whether the path stays in the target's folder, both as written and where links lead."""
        folder = self.layout.folder
        as_written = Path(os.path.normpath(path))
        return as_written.is_relative_to(folder) and path.resolve().is_relative_to(folder.resolve())


def check_channel(path: Path, channel_id: ChannelId) -> Head:
    """Return the head of a channel file that holds this channel.

    Raises: WrongChannel, DamagedFile.
    """
    head = read_head(path)
    if head.channel_id != channel_id:
        raise WrongChannel(path, expected=channel_id, found=head.channel_id)
    return head


def _name_from(head: Head, channel_id: ChannelId) -> str:
    return new_file_name(head.guild_name, head.category or "", head.channel_name, channel_id=channel_id)


def _distinct(paths: Iterable[Path]) -> list[Path]:
    """Return one path for each file, however many names lead to it."""
    return list({path.resolve(): path for path in paths}.values())


def _size_told(path: Path) -> str:
    try:
        with open_bytes(path) as channel:
            return f"{counted(channel.size_bytes, 'byte')}, {_count_told(channel)}"
    except FileNotFoundError:
        return "gone"


def _count_told(channel: ChannelBytes) -> str:
    try:
        stated = read_tail(channel).stated_count
    except NotCanonical:
        stated = None
    return "messages not counted" if stated is None else counted(stated, "message")
