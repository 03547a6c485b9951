"""An RDB while it streams by: where it ends, and how many keys each database announces.

Two facts make this possible without reading any value. An RDB ends with opcode FF and 8 bytes of checksum; what
``redis-cli --rdb -`` writes after that is nothing, or the 40-byte mark of a diskless transfer. And each database begins
with its number and its count of keys; ``redis-check-rdb`` says at which offsets, and what stood there was noted.
Source: redis 7.0, ``src/rdb.c`` (rdbSaveDb, rdbSaveLen) and ``src/redis-cli.c`` (getRDB).
"""

import re
from collections.abc import Mapping

import msgspec

from dce_play.system.counted import counted

MARK_BYTES = 40
"""How long the end mark of a diskless transfer is."""
_END_BYTES = 9
"""Opcode FF and the checksum."""
_HOLD_BYTES = 64
"""More than the longest header of a database, and than the mark with the end before it."""
_MAGIC = b"REDIS"
_DATABASE = re.compile(rb"\xfe(?=[\x00-\x81])")
_MOST_CANDIDATES = 200_000
"""More places that look like a database's header are data made to look so: then only the sum of keys is known."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What one database's header announces. ``expiring`` are those among ``keys`` that have a time to live."""

    database: int
    keys: int
    expiring: int


class RdbEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream ended. ``flaw`` is empty when the RDB is whole."""

    rdb_bytes: int
    flaw: str


class RdbHeaders:
    """Notes whatever may be a database's header, by the offset just past its number."""

    def __init__(self) -> None:
        self._tail = b""
        self._tail_at = 0
        self._noted: dict[int, Keys] = {}
        self._overflow = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the RDB."""
        buffer = self._tail + chunk
        last = len(buffer) - _HOLD_BYTES // 2
        for found in _DATABASE.finditer(buffer):
            if found.start() >= last:
                break
            self._note(buffer, found.start())
        keep = max(0, last)
        self._tail, self._tail_at = buffer[keep:], self._tail_at + keep

    def _note(self, buffer: bytes, at: int) -> None:
        number = _length(buffer, at + 1)
        if number is None or buffer[number[1] : number[1] + 1] != b"\xfb":
            return
        keys = _length(buffer, number[1] + 1)
        expiring = None if keys is None else _length(buffer, keys[1])
        if keys is None or expiring is None or expiring[0] > keys[0]:
            return
        if len(self._noted) >= _MOST_CANDIDATES:
            self._overflow = True
            return
        self._noted[self._tail_at + number[1]] = Keys(database=number[0], keys=keys[0], expiring=expiring[0])

    def at(self, offsets: Mapping[int, int]) -> tuple[Keys, ...] | None:
        """Return the headers that stood at these offsets, each with its database; None when one is not known."""
        for found in _DATABASE.finditer(self._tail):
            self._note(self._tail, found.start())
        self._tail = b""
        keys = [self._noted.get(offset) for offset in offsets]
        known = [each for each, number in zip(keys, offsets.values(), strict=True) if each and each.database == number]
        return tuple(known) if len(known) == len(offsets) and not self._overflow else None


def _length(buffer: bytes, at: int) -> tuple[int, int] | None:
    """Return a length of the RDB format and the offset past it; None where none stands."""
    first = buffer[at] if at < len(buffer) else 0xFF
    match first >> 6:
        case 0:
            return first & 0x3F, at + 1
        case 1:
            return (((first & 0x3F) << 8) | buffer[at + 1], at + 2) if at + 1 < len(buffer) else None
        case _:
            size = {0x80: 4, 0x81: 8}.get(first)
            if size is None or at + 1 + size > len(buffer):
                return None
            return int.from_bytes(buffer[at + 1 : at + 1 + size], "big"), at + 1 + size


class RdbCut:
    """Passes an RDB on and keeps back what follows it.

    The last bytes are held until the end, because only then is it known whether they are the mark.
    """

    def __init__(self) -> None:
        self._held = b""
        self._passed = 0
        self._first = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return those that belong to the RDB for certain."""
        if len(self._first) < len(_MAGIC):
            self._first += chunk[: len(_MAGIC)]
        buffer = self._held + chunk
        keep = max(0, len(buffer) - _HOLD_BYTES)
        self._held = buffer[keep:]
        self._passed += keep
        return buffer[:keep]

    def close(self, *, marked: bool) -> tuple[bytes, RdbEnd]:
        """Return the last bytes of the RDB, without the mark if there is one, and how it ended."""
        length = len(self._held) - (MARK_BYTES if marked else 0)
        total = self._passed + max(length, 0)
        flaw = ""
        if not self._first.startswith(_MAGIC):
            flaw = "it does not begin as an RDB"
        elif length < _END_BYTES or self._held[length - _END_BYTES] != 0xFF:
            flaw = f"it has no end after {counted(total, 'byte')}"
        return self._held[: max(length, 0)], RdbEnd(rdb_bytes=total, flaw=flaw)
