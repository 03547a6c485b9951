"""The archive table: one row a target, with what it holds and whether a run can begin from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.folder.channel_map import DamagedChannelMap, load_map
from dce_play.discord.archive.folder.naming import name_in, shown
from dce_play.discord.archive.folder.seeds import find_seeds, json_files, twins_among
from dce_play.discord.archive.merge.adopt import Fitness, look_at
from dce_play.layout import TargetLayout
from dce_play.source import JsonValue
from dce_play.system.cells import aligned
from dce_play.system.counted import counted

_NEW = "new (no channel file yet)"
HEADER = ("TARGET", "OUTPUT_DIR", "JSON", "SEEDED", "MAP", "MEM", "STATUS")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEntry:
    """One target, as far as the table needs it."""

    name: str
    folder: Path
    enabled: bool
    memory: str = ""
    may_be_new: bool = False
    """The targets file says where its channels are, so that a run can begin without a single channel file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row. A count is ``None`` where it was not taken."""

    name: str
    folder: Path
    json_count: int | None
    seeded: int | None
    mapped: int | None
    memory: str
    status: str
    ok: bool
    can_begin: bool
    """Whether a run can begin; a broken file or twins stop their own channel only."""
    brief: str
    """The status without paths, for one line of a screen."""

    def cells(self) -> tuple[str, ...]:
        """Return the texts under ``HEADER``."""
        counts = ("-" if count is None else str(count) for count in (self.json_count, self.seeded, self.mapped))
        return (self.name, str(self.folder), *counts, self.memory or "-", self.status)

    def facts(self) -> dict[str, JsonValue]:
        """Return the row as plain data."""
        return {
            "target": self.name,
            "output_dir": str(self.folder),
            "json": self.json_count,
            "seeded": self.seeded,
            "map": self.mapped,
            "status": self.status,
            "ok": self.ok,
            "can_begin": self.can_begin,
        }


def archive_table(entries: Sequence[TableEntry]) -> list[TableRow]:
    """Return a row for each target. What is wrong with one is its status, never an error."""
    return [_row(entry) for entry in entries]


def table_lines(rows: Sequence[TableRow]) -> list[str]:
    """Return the table as lines of text."""
    return aligned([HEADER, *(row.cells() for row in rows)])


def _row(entry: TableEntry) -> TableRow:
    if not entry.enabled:
        return _told(entry, "disabled", ok=True)
    if not entry.folder.is_dir():
        return _told(entry, _NEW, ok=True) if entry.may_be_new else _told(entry, "missing output_dir", ok=False)
    try:
        mapped = load_map(TargetLayout(entry.folder))
        json_count = sum(1 for _ in json_files(entry.folder))
        seeds = find_seeds(entry.folder, known=mapped)
    except DamagedChannelMap as error:
        return _told(entry, f"damaged channel map: {error.reason}", ok=False)
    except OSError as error:
        return _told(entry, f"unreadable: {error.filename}", ok=False)
    looks = [look_at(seed.path, seed.channel_id) for seed in seeds]
    invalid = [look for look in looks if look.fitness in {Fitness.DAMAGED, Fitness.OTHER_CHANNEL}]
    seeded = len({seed.channel_id for seed in seeds})
    twins = sorted(twins_among(seeds))
    begins, brief = True, ""
    if json_count == 0:
        status, ok, begins = (_NEW, True, True) if entry.may_be_new else ("no json archives", False, False)
    elif seeded == 0:
        status, ok, begins = "no seeded channel ids", False, entry.may_be_new
    elif twins:
        status, ok = f"twin archives of channel {', '.join(twins)}", False
    elif invalid:
        path, count = invalid[0].path, f"{counted(len(invalid), 'invalid archive')}, such as"
        status, ok = f"{count} {shown(path)}: {invalid[0].detail}", False
        brief = f"{count} {shown(name_in(path) or path.name)}"
    else:
        status, ok = "ok" if mapped else "ok (map will bootstrap on first run)", True
    return TableRow(
        name=entry.name,
        folder=entry.folder,
        json_count=json_count,
        seeded=seeded,
        mapped=len(mapped),
        memory=entry.memory,
        status=status,
        ok=ok,
        can_begin=begins,
        brief=brief or status,
    )


def _told(entry: TableEntry, status: str, *, ok: bool) -> TableRow:
    return TableRow(
        name=entry.name,
        folder=entry.folder,
        json_count=None,
        seeded=None,
        mapped=None,
        memory=entry.memory,
        status=status,
        ok=ok,
        can_begin=ok,
        brief=status,
    )
