"""The names of backups: ``<module>-<YYYYMMDDTHHMMSSZ>.<ext>``, and what belongs to them."""

import re
from datetime import UTC, datetime

import msgspec

from dce_play.backup.definitions.values import NAME_PATTERN
from dce_play.backup.manifest import SUFFIX

_STAMP = r"[0-9]{8}T[0-9]{6}Z"
_NAME = re.compile(rf"(?P<module>{NAME_PATTERN[1:-1]})-(?P<stamp>{_STAMP})\.(?P<extension>[a-z0-9.]+)")
STAMP_FORMAT = "%Y%m%dT%H%M%SZ"
_STAMP_LENGTH = 16


class BackupName(msgspec.Struct, frozen=True, kw_only=True):
    """A backup's file name in its parts."""

    module: str
    stamp: str
    extension: str

    def __str__(self) -> str:
        return f"{self.module}-{self.stamp}.{self.extension}"


def split_name(name: str) -> BackupName | None:
    """Return the parts of a data file's name, or ``None`` when it is none of ours.

    The module is what stands before the last stamp, compared whole: ``redis-cache-…`` is not of the module ``redis``.
    """
    found = _NAME.fullmatch(name)
    if found is None or name.endswith(SUFFIX):
        return None
    parts = BackupName(module=found["module"], stamp=found["stamp"], extension=found["extension"])
    return parts if stamp_time(parts.stamp) is not None else None


def stamp_time(stamp: str) -> datetime | None:
    """Return the time that a stamp says, or ``None`` for one that is no time."""
    digits = stamp[:8] + stamp[9:15]
    if len(stamp) != _STAMP_LENGTH or stamp[8] + stamp[15] != "TZ" or not (digits.isascii() and digits.isdigit()):
        return None
    try:  # by hand: strptime takes five times as long, and a list asks for every name
        return datetime(
            int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8]),
            int(stamp[9:11]), int(stamp[11:13]), int(stamp[13:15]), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None


def manifest_name(name: str) -> str:
    """Return the name of a data file's manifest."""
    return name + SUFFIX


def part_name(name: str) -> str:
    """Return the name under which a data file is written."""
    return f".{name}.part"


def part_of(name: str) -> str | None:
    """Return the data file's name of a ``.part``, or ``None`` when it is none of ours."""
    inner = name.removeprefix(".").removesuffix(".part")
    return inner if name == part_name(inner) and split_name(inner) is not None else None
