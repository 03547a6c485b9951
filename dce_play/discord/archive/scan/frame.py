"""What stands around the messages of a channel file: its header and its trailer, proved to be one object."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.strict_json import NotJson, strict_object
from dce_play.discord.archive.scan.tokens import Member, TooDeep, members_until, skip_space

MAX_FRAME_BYTES = 16 << 20
"""The most that may stand before the messages, and after them."""
BOM = b"\xef\xbb\xbf"
_FIRST_READ_BYTES = 4096
_CUT = b'"<cut>"'
"""Put between header and trailer when they are checked: it must come out as the one message."""
_COUNT = re.compile(rb"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preamble:
    """The bytes up to and including the ``[`` of the message array. Not yet proved to be JSON."""

    path: Path
    data: bytes
    members: tuple[Member, ...]

    @property
    def start(self) -> int:
        """Offset just past the ``[``."""
        return len(self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything but the messages. With an empty array it is the file as it would be without messages."""

    preamble: Preamble
    end: int
    """Offset of the ``]`` of the message array."""
    trailer: bytes
    """From the ``]`` to the end of the file."""
    members: tuple[Member, ...]
    """The trailer's members, at offsets in ``trailer``."""
    values: Mapping[str, Any]
    """The whole object, numbers as ``None``; ``messages`` is not in it."""
    message_count: int | None
    """What ``messageCount`` says; ``None`` when there is none."""
    states_count: bool


def read_preamble(source: ChannelBytes) -> Preamble:
    """Return what stands before the messages. Reads 4 KiB, and more only for a longer header.

    Raises: DamagedFile.
    """
    size_bytes = _FIRST_READ_BYTES
    while True:
        data = source.read_at(size_bytes, 0)
        found = _preamble_in(source.path, data, whole=len(data) >= source.size_bytes)
        if found is not None:
            return found
        if size_bytes >= MAX_FRAME_BYTES:
            reason = f"no message array in its first {MAX_FRAME_BYTES} bytes"
            raise DamagedFile(source.path, offset=0, reason=reason, damage=Damage.TOO_LARGE)
        size_bytes *= 8


def values_before(preamble: Preamble) -> Mapping[str, Any]:
    """Return the members before the messages, numbers as ``None``.

    Raises: DamagedFile, when they are not JSON.
    """
    try:
        values: dict[str, Any] = strict_object(preamble.data.removeprefix(BOM) + b"]}")
    except NotJson as error:
        offset = error.offset + _bom_bytes(preamble)
        raise DamagedFile(preamble.path, offset=offset, reason=error.reason) from error
    del values["messages"]
    return values


def read_frame(source: ChannelBytes, preamble: Preamble, end: int) -> Frame:
    """Return header and trailer, proved to be one JSON object around the messages; ``end`` is the array's ``]``.

    Raises: DamagedFile.
    """
    path = source.path
    if source.size_bytes - end > MAX_FRAME_BYTES:
        reason = f"more than {MAX_FRAME_BYTES} bytes after its messages"
        raise DamagedFile(path, offset=end, reason=reason, damage=Damage.TOO_LARGE)
    trailer = source.read_at(source.size_bytes - end, end)
    try:
        members = tuple(_members_after(trailer))
    except TooDeep as error:
        raise DamagedFile(path, offset=end, reason="nested too deep") from error
    _check_end(path, trailer, members, end)
    opening = preamble.data.removeprefix(BOM) + _CUT
    try:
        values: dict[str, Any] = strict_object(opening + trailer)
    except NotJson as error:
        inside = error.offset < len(opening)
        offset = error.offset + _bom_bytes(preamble) if inside else end + error.offset - len(opening)
        damage = Damage.NOT_JSON if trailer.rstrip().endswith(b"}") else Damage.TRUNCATED
        raise DamagedFile(path, offset=offset, reason=error.reason, damage=damage) from error
    if values.pop("messages") != [_CUT.strip(b'"').decode()]:
        raise DamagedFile(path, offset=end, reason="its messages do not end where they seem to")
    return Frame(
        preamble=preamble,
        end=end,
        trailer=trailer,
        members=members,
        values=values,
        message_count=_stated_count(preamble, trailer, members),
        states_count="messageCount" in values,
    )


def opening_at(source: ChannelBytes, start: int) -> bytes:
    """Return the white space between the ``[`` and the first message; empty when there is no message."""
    data = source.read_at(256, start)
    first = skip_space(data, 0)
    return data[:first] if data[first : first + 1] == b"{" else b""


def _preamble_in(path: Path, data: bytes, *, whole: bool) -> Preamble | None:
    """Return the header, or ``None`` when more bytes are needed to tell."""
    start = skip_space(data, len(BOM) if data.startswith(BOM) else 0)
    if start == len(data):
        if whole:
            raise DamagedFile(path, offset=0, reason="the file is empty", damage=Damage.EMPTY)
        return None
    if data[start : start + 1] != b"{":
        raise DamagedFile(path, offset=start, reason="not a JSON object", damage=Damage.NOT_AN_EXPORT)
    try:
        members = tuple(members_until(data, start + 1, stop_key="messages"))
    except TooDeep as error:
        raise DamagedFile(path, offset=start, reason="nested too deep") from error
    if members and members[-1].key == "messages" and members[-1].start < len(data):
        at = members[-1].start
        if data[at : at + 1] != b"[":
            reason = "its messages are not an array"
            raise DamagedFile(path, offset=at, reason=reason, damage=Damage.NOT_AN_EXPORT)
        return Preamble(path=path, data=data[: at + 1], members=members[:-1])
    end = skip_space(data, members[-1].end if members else start + 1)
    if end < len(data) and data[end : end + 1] == b"}":
        reason = "an object without messages"
        raise DamagedFile(path, offset=end, reason=reason, damage=Damage.NOT_AN_EXPORT)
    if whole:
        reason = "it ends, or is broken, before its first message"
        raise DamagedFile(path, offset=end, reason=reason, damage=Damage.TRUNCATED)
    return None


def _members_after(trailer: bytes) -> list[Member]:
    at = skip_space(trailer, 1)
    if trailer[at : at + 1] != b",":
        return []
    return list(members_until(trailer, at + 1, stop_key=""))


def _check_end(path: Path, trailer: bytes, members: tuple[Member, ...], end: int) -> None:
    """Tell a file that ends too early, or goes on after its end, from one that is not JSON."""
    at = skip_space(trailer, members[-1].end if members else 1)
    if at == len(trailer):
        reason = "it ends before its closing brace"
        raise DamagedFile(path, offset=end + at, reason=reason, damage=Damage.TRUNCATED)
    if trailer[at : at + 1] != b"}":
        return
    rest = skip_space(trailer, at + 1)
    if rest < len(trailer):
        another = trailer[rest : rest + 1] in {b"{", b"["}
        reason = "a second document follows the first" if another else "bytes follow its end"
        raise DamagedFile(path, offset=end + rest, reason=reason, damage=Damage.TRAILING)


def _stated_count(preamble: Preamble, trailer: bytes, members: tuple[Member, ...]) -> int | None:
    for data, known in ((trailer, members), (preamble.data, preamble.members)):
        for member in known:
            value = data[member.start : member.end]
            if member.key == "messageCount" and _COUNT.fullmatch(value):
                return int(value)
    return None


def _bom_bytes(preamble: Preamble) -> int:
    return len(BOM) if preamble.data.startswith(BOM) else 0
