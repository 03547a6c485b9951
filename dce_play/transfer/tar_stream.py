"""A tar stream, parsed as it comes in, by the strictest reading that still takes what GNU tar and Python write.

Wherever two common readers would see different members in the same bytes, the archive is refused: what was checked
must be what somebody unpacks. Source: POSIX.1-2008, pax; GNU tar manual, "Basic Tar Format".
"""

import re
from enum import Enum, auto
from typing import Protocol

from dce_play.system.counted import counted
from dce_play.transfer.refused import ArchiveRefused, shown

BLOCK = 512
_LONGEST_EXTENSION_BYTES = 1 << 20
_USTAR = b"ustar\0"
_GNU = b"ustar  \0"
_NO_MAGIC = bytes(8)
_KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a fifo"}
_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
"""A number in a header. A NUL ends it for every reader, so that none may stand before its digits."""
_OTHER_NUMBERS = ((100, 108), (108, 116), (116, 124), (136, 148), (329, 337), (337, 345))
"""Mode, owner, group, time, device: not used here, but a reader that cannot read one of them may stop there."""
_BINARY_MARKS = b"\x80\xff"
_UTF8 = {b"ISO-IR 10646 2000 UTF-8"}


class Members(Protocol):
    """What is told of a stream, in its order."""

    def begin(self, path: bytes, size: int, *, folder: bool) -> None:
        """Take note of a member; its bytes follow."""

    def data(self, piece: memoryview) -> None:
        """Take some bytes of the member."""

    def end(self) -> None:
        """Take note that the member is whole."""


class _At(Enum):
    HEADER = auto()
    DATA = auto()
    PADDING = auto()
    ZEROS = auto()


class TarStream:
    """Tells the members of what it is fed. Keeps a block, or one extended header of at most 1 MiB."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._at = _At.HEADER
        self._block = bytearray()
        self._left = 0
        self._padding = 0
        self._zero_blocks = 0
        self._extension: bytearray | None = None
        self._extension_type = b""
        self._long_name: bytes | None = None
        self._pax: dict[bytes, bytes] | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. What ``members`` raises comes through.

        Raises: ArchiveRefused.
        """
        view = memoryview(data)
        at, end = 0, len(view)
        while at < end:
            match self._at:
                case _At.HEADER:
                    step = min(BLOCK - len(self._block), end - at)
                    self._block += view[at : at + step]
                    if len(self._block) == BLOCK:
                        block = bytes(self._block)
                        self._block.clear()
                        self._header(block)
                case _At.DATA:
                    step = min(self._left, end - at)
                    self._data(view[at : at + step])
                case _At.PADDING:
                    step = min(self._padding, end - at)
                    self._padding -= step
                    if not self._padding:
                        self._at = _At.HEADER
                case _At.ZEROS:
                    step = end - at
                    if bytes(view[at:end]) != bytes(step):
                        raise _invalid("bytes after the end of the tar")
            at += step

    def finish(self) -> None:
        """Say that all was fed.

        Raises: ArchiveRefused, unless the two zero blocks that end a tar were seen.
        """
        if self._at is not _At.ZEROS:
            raise _invalid("the tar ends without its two zero blocks")

    def _header(self, block: bytes) -> None:
        if not any(block):
            self._zero_blocks += 1
            if self._zero_blocks == 2:
                if self._pax is not None or self._long_name is not None:
                    raise _invalid("an extended header without its member")
                self._at = _At.ZEROS
            return
        if self._zero_blocks:
            raise _invalid("one zero block in the middle of the tar")
        if sum(block[:148]) + sum(block[156:]) + 8 * 0x20 != _number(block[148:156], "checksum"):
            raise _invalid("a header's checksum is wrong")
        for start, end in _OTHER_NUMBERS:
            if block[start] not in _BINARY_MARKS:
                _number(block[start:end], "fields")
        kind, size = block[156:157], _number(block[124:136], "size")
        if kind in {b"x", b"g", b"L"}:
            self._begin_extension(kind, size)
        elif kind in {b"0", b"\0", b"5"}:
            self._begin_member(block, size, folder=kind == b"5")
        else:
            what = _KINDS.get(kind, f"a member of type {shown(kind)!r}")
            raise ArchiveRefused("archive_unsafe", f"{shown(_path_in(block))} is {what}")

    def _begin_extension(self, kind: bytes, size: int) -> None:
        if size > _LONGEST_EXTENSION_BYTES:
            raise ArchiveRefused("too_large", f"an extended header of {counted(size, 'byte')}")
        taken = {b"x": self._pax, b"L": self._long_name}.get(kind)
        if taken is not None:
            raise ArchiveRefused("archive_unsafe", "two extended headers of one kind for one member")
        self._extension, self._extension_type = bytearray(), kind
        self._begin_data(size)

    def _begin_member(self, block: bytes, size: int, *, folder: bool) -> None:
        pax, long_name = self._pax or {}, self._long_name
        if not folder and block[:100].partition(b"\0")[0].endswith(b"/"):
            raise ArchiveRefused("archive_unsafe", "a file with a folder's name, which old readers take for a folder")
        if b"path" in pax and long_name is not None:
            raise ArchiveRefused("archive_unsafe", "a member with two long names")
        path = pax.get(b"path", _path_in(block) if long_name is None else long_name)
        if b"size" in pax:
            size = _decimal(pax[b"size"])
        if folder and size:
            raise _invalid(f"the folder {shown(path)} has bytes")
        self._pax = self._long_name = None
        self._members.begin(path, size, folder=folder)
        self._begin_data(size)

    def _begin_data(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK
        if size:
            self._at = _At.DATA
        else:
            self._end_data()

    def _data(self, piece: memoryview) -> None:
        self._left -= len(piece)
        if self._extension is not None:
            self._extension += piece
        else:
            self._members.data(piece)
        if not self._left:
            self._end_data()

    def _end_data(self) -> None:
        self._at = _At.PADDING if self._padding else _At.HEADER
        if self._extension is None:
            self._members.end()
            return
        text, self._extension = bytes(self._extension), None
        match self._extension_type:
            case b"x":
                self._pax = _records(text)
            case b"g":
                if {b"path", b"size", b"linkpath"} & _records(text).keys():
                    raise ArchiveRefused("archive_unsafe", "a global header that renames or resizes members")
            case _:
                self._long_name = text.removesuffix(b"\0")


def _records(text: bytes) -> dict[bytes, bytes]:
    """Return the keys and values of an extended header: ``LENGTH KEY=VALUE\\n`` each, its length counted whole."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        digits, space, _ = text[at : at + 12].partition(b" ")
        length = _decimal(digits)
        record = text[at : at + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not space or length <= len(digits) + 1 or len(record) != length or record[-1:] != b"\n" or not equals:
            raise _invalid("an extended header is damaged")
        if key.startswith(b"GNU.sparse") or key in found:
            raise ArchiveRefused("archive_unsafe", f"an extended header with {shown(key)}")
        if key == b"hdrcharset" and value not in _UTF8:
            raise ArchiveRefused("archive_unsafe", "names that are not UTF-8")
        found[key] = value
        at += length
    return found


def _path_in(block: bytes) -> bytes:
    name, magic, prefix = block[:100].partition(b"\0")[0], block[257:265], block[345:500].partition(b"\0")[0]
    if magic[:6] == _USTAR:
        return prefix + b"/" + name if prefix else name
    if magic not in {_GNU, _NO_MAGIC}:
        raise _invalid("a header of no known tar format")
    if any(block[345:500]):
        raise ArchiveRefused("archive_unsafe", f"{shown(name)} has fields that readers take for different things")
    return name


def _number(field: bytes, what: str) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    found = _OCTAL.fullmatch(field)
    if found is None:
        raise _invalid(f"a header's {what} is no number")
    digits = found[1]
    return int(digits, 8) if digits else 0


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 18:
        raise _invalid("an extended header has a number that is none")
    return int(digits)


def _invalid(detail: str) -> ArchiveRefused:
    return ArchiveRefused("archive_invalid", detail)
