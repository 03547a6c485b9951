"""A backup as ``list`` tells of it, here or at a target."""

from typing import Any

import msgspec


class ListRow(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as ``list`` tells of it."""

    file: str
    module: str
    class_name: str = msgspec.field(name="class")
    purpose: str
    ended: str
    age_s: float
    bytes: int
    level: int
    good: bool
    consistency: str
    encrypted: bool
    change_percent: float | None
    warnings: tuple[str, ...]
    remote: tuple[Any, ...]
