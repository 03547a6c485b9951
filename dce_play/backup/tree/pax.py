"""Tar headers in the POSIX (pax) format, written and read exactly: names are bytes, times have nanoseconds.

Only what we write is read: plain files, folders, both kinds of links, named pipes, sparse files in GNU's format 1.0.
Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Storing Sparse Files", PAX format 1.0.
"""

import zlib
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

import msgspec

BLOCK = 512
END = bytes(2 * BLOCK)
"""What a tar ends with."""
_MAX_OCTAL_SIZE = 8**11 - 1
_MAX_OCTAL_ID = 8**7 - 1
_MOST_DIGITS = 19
"""Of a number in an extended header: what a file's size or time can be has no more."""
_NAME_BYTES = 100
_PAX_NAME = b"././@PaxHeader"
_EXTENDED = b"x"
_SUM_AT = 148
_BLANKS = b" " * 8
_FLAG_AT = _SUM_AT + len(_BLANKS)
_TAIL_BYTES = BLOCK - _FLAG_AT


class Kind(Enum):
    """What a member is; the value is tar's type flag."""

    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    FOLDER = b"5"
    PIPE = b"6"


_FLAGS = {kind: kind.value for kind in Kind}
_KINDS = {b"\0": Kind.FILE} | {flag: kind for kind, flag in _FLAGS.items()}


class Member(msgspec.Struct, kw_only=True):
    """A member's header."""

    name: bytes
    """Without a leading or trailing slash."""
    kind: Kind
    size_bytes: int = 0
    """Of what follows the header, without padding; a sparse file's map included."""
    mode: int = 0o600
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    link: bytes = b""
    """The target of a symbolic link; the member that a hard link is another name of."""
    extra: Mapping[str, bytes] = {}
    """More pax records: ``SCHILY.xattr.*``, ``SCHILY.acl.*``."""
    real_bytes: int | None = None
    """The size of a sparse file; ``None`` for every other member."""

    @property
    def content_bytes(self) -> int:
        """Return a file's size as the file system tells it."""
        return self.size_bytes if self.real_bytes is None else self.real_bytes


class NotATar(Exception):
    """The stream is not a tar of ours, or it is cut off. Its text says where and why."""


def padding(size_bytes: int) -> bytes:
    """Return the zeros that fill a member's last block."""
    return bytes(-size_bytes % BLOCK)


def encode_header(member: Member) -> bytes:
    """Return a member's header blocks."""
    name = member.name + b"/" if member.kind is Kind.FOLDER else member.name
    records = {"mtime": _decimal(member.mtime_ns)}
    if len(name) > _NAME_BYTES:
        records["path"] = name
    if len(member.link) > _NAME_BYTES:
        records["linkpath"] = member.link
    if member.size_bytes > _MAX_OCTAL_SIZE:
        records["size"] = b"%d" % member.size_bytes
    for key, number in (("uid", member.uid), ("gid", member.gid)):
        if number > _MAX_OCTAL_ID:
            records[key] = b"%d" % number
    if member.real_bytes is not None:
        records |= {
            "GNU.sparse.major": b"1",
            "GNU.sparse.minor": b"0",
            "GNU.sparse.name": member.name,
            "GNU.sparse.realsize": b"%d" % member.real_bytes,
        }
    body = _encode_records({**records, **member.extra})
    return b"".join(
        (_extended(len(body)), body, padding(len(body)), _ustar(name, _FLAGS[member.kind], member.size_bytes, member))
    )


@lru_cache(maxsize=64)
def _extended(size_bytes: int) -> bytes:
    """Return the block before so many bytes of records; most members have as many as the one before."""
    return _ustar(_PAX_NAME, _EXTENDED, size_bytes, Member(name=_PAX_NAME, kind=Kind.FILE, mode=0o644))


def _encode_records(records: Mapping[str, bytes]) -> bytes:
    body = b""
    if any(not _is_utf8(value) for value in records.values()):
        body = b"21 hdrcharset=BINARY\n"
    return body + b"".join(_record(key.encode("utf-8", "surrogateescape"), value) for key, value in records.items())


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3  # a blank, an equals sign, a line feed
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _decimal(nanoseconds: int) -> bytes:
    sign = b"-" if nanoseconds < 0 else b""
    seconds, rest = divmod(abs(nanoseconds), 10**9)
    return b"%s%d.%09d" % (sign, seconds, rest) if rest else b"%s%d" % (sign, seconds)


def _ustar(name: bytes, flag: bytes, size_bytes: int, member: Member) -> bytes:
    size = size_bytes if size_bytes <= _MAX_OCTAL_SIZE else 0
    seconds = min(max(member.mtime_ns // 10**9, 0), _MAX_OCTAL_SIZE)
    head = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
        member.mode & 0o7777,
        min(member.uid, _MAX_OCTAL_ID),
        min(member.gid, _MAX_OCTAL_ID),
        size,
        seconds,
    )
    tail = (flag + member.link[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0") + b"ustar\x0000").ljust(_TAIL_BYTES, b"\0")
    return b"%b%06o\0 %b" % (head, _checksum(head + _BLANKS + tail), tail)


def _checksum(block: bytes) -> int:
    """Return the sum of a header's bytes, its own field counted as blanks.

    The lower half of an Adler-32 is a sum too, made in C: modulo 65521, which no header of ours reaches, as only its
    two names have other bytes than ASCII.
    """
    return (zlib.adler32(block[:_SUM_AT] + _BLANKS + block[_FLAG_AT:]) & 0xFFFF) - 1


def decode_ustar(block: bytes, *, offset: int) -> Member | int:
    """Return the member as far as its header block tells, or how many bytes of records for the next one follow.

    Raises: NotATar.
    """
    if _checksum(block) != _octal(block[_SUM_AT:_FLAG_AT], offset):
        raise NotATar(f"a header with a wrong checksum at byte {offset}")
    flag = block[_FLAG_AT : _FLAG_AT + 1]
    if flag == _EXTENDED:
        return _octal(block[124:136], offset)
    kind = _KINDS.get(flag)
    if kind is None:
        raise NotATar(f"a member of the unknown type {flag!r} at byte {offset}")
    return Member(
        name=block[:100].split(b"\0", 1)[0].rstrip(b"/"),
        kind=kind,
        size_bytes=_octal(block[124:136], offset),
        mode=_octal(block[100:108], offset),
        uid=_octal(block[108:116], offset),
        gid=_octal(block[116:124], offset),
        mtime_ns=_octal(block[136:148], offset) * 10**9,
        link=block[157:257].split(b"\0", 1)[0],
    )


def _octal(field: bytes, offset: int) -> int:
    try:
        return int(field.rstrip(b" \0") or b"0", 8)
    except ValueError:
        raise NotATar(f"a header that is none at byte {offset}") from None


def apply_records(member: Member, body: bytes, *, offset: int) -> None:
    """Put the records of an extended header into the member that follows it.

    Raises: NotATar.
    """
    extra: dict[str, bytes] = {}
    for key, value in _decode_records(body, offset):
        match key:
            case "path":
                member.name = value.rstrip(b"/")
            case "linkpath":
                member.link = value
            case "size":
                member.size_bytes = _number(value, offset)
            case "uid":
                member.uid = _number(value, offset)
            case "gid":
                member.gid = _number(value, offset)
            case "mtime":
                member.mtime_ns = _nanoseconds(value, offset)
            case "GNU.sparse.name":
                member.name = value
            case "GNU.sparse.realsize":
                member.real_bytes = _number(value, offset)
            case _ if key.startswith("SCHILY."):
                extra[key] = value
    member.extra = extra


def _decode_records(body: bytes, offset: int) -> list[tuple[str, bytes]]:
    records = []
    at = 0
    while at < len(body):
        try:
            blank = body.index(b" ", at)
            length = int(body[at:blank])
            key, _, value = body[blank + 1 : at + length - 1].partition(b"=")
        except ValueError:
            raise NotATar(f"an extended header that is none at byte {offset}") from None
        if length <= blank + 1 - at or body[at + length - 1 : at + length] != b"\n":
            raise NotATar(f"an extended header that is cut off at byte {offset}")
        records.append((key.decode("utf-8", "surrogateescape"), value))
        at += length
    return records


def _number(value: bytes, offset: int) -> int:
    if not value.isdigit() or len(value) > _MOST_DIGITS:
        raise NotATar(f"an extended header with a number that is none at byte {offset}")
    return int(value)


def _nanoseconds(value: bytes, offset: int) -> int:
    whole, _, rest = value.removeprefix(b"-").partition(b".")
    nanoseconds = _number(whole, offset) * 10**9 + _number(rest[:9].ljust(9, b"0"), offset)
    return -nanoseconds if value.startswith(b"-") else nanoseconds
