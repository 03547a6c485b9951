"""The index of a tar of folders: one JSON line a member, its last member.

The sum over all lines tells a reader in one pass, and with nothing held, whether the tar is what was written.
"""

import hashlib
from json.encoder import encode_basestring_ascii

import msgspec

from dce_play.backup.tree.pax import Kind, Member
from dce_play.source import JsonValue

_TYPES = {Kind.FILE: "file", Kind.HARD_LINK: "hardlink", Kind.SYMLINK: "symlink", Kind.FOLDER: "folder",
          Kind.PIPE: "pipe"}  # fmt: skip
_LARGE_HOLES_BYTES = 1 << 30
_ZEROS = bytes(1 << 20)


class Counts(msgspec.Struct, kw_only=True):
    """What an archive of folders holds, and what became of files while it was made."""

    files: int = 0
    folders: int = 0
    links: int = 0
    """Symbolic ones, and further names of a file."""
    bytes: int = 0
    """Of all files, as the file system tells their sizes."""
    changed: int = 0
    vanished: int = 0
    sockets: int = 0
    sqlite: int = 0

    def add(self, member: Member) -> None:
        """Count a member."""
        match member.kind:
            case Kind.FILE:
                self.files += 1
                self.bytes += member.content_bytes
            case Kind.FOLDER:
                self.folders += 1
            case Kind.SYMLINK | Kind.HARD_LINK:
                self.links += 1
            case Kind.PIPE:
                self.files += 1

    def plain(self) -> dict[str, JsonValue]:
        """Return them as the manifest has them."""
        found: dict[str, JsonValue] = msgspec.to_builtins(self)
        return found

    def in_archive(self) -> dict[str, JsonValue]:
        """Return those that a reader of the archive can count too."""
        return {"files": self.files, "folders": self.folders, "links": self.links, "bytes": self.bytes}


def index_line(member: Member, sha256: str) -> bytes:
    """Return a member's line. Names that are not UTF-8 have a lone surrogate for each such byte, escaped.

    ``sha256`` is that of a file's content; of a huge sparse one, with ``"holes": "left out"``, that of its data alone.
    """
    line = (
        f'{{"path":{_quoted(member.name)},"type":"{_TYPES[member.kind]}",'
        f'"mode":{member.mode},"uid":{member.uid},"gid":{member.gid}'
    )
    if member.kind is Kind.FILE:
        line += f',"size":{member.content_bytes},"sha256":"{sha256}"'
        if leaves_holes_out(member):
            line += ',"holes":"left out"'
    if member.link:
        line += f',"link":{_quoted(member.link)}'
    return f"{line}}}\n".encode()


def _quoted(name: bytes) -> str:
    return encode_basestring_ascii(name.decode("utf-8", "surrogateescape"))


def leaves_holes_out(member: Member) -> bool:
    """Return whether a file's holes are so large that hashing their zeros would take minutes."""
    return member.real_bytes is not None and member.real_bytes - member.size_bytes > _LARGE_HOLES_BYTES


class ContentSum:
    """The sum of a file's content, fed piece by piece in order; holes count as the zeros that they are."""

    def __init__(self, member: Member) -> None:
        self._sum = hashlib.sha256()
        self._size = None if leaves_holes_out(member) else member.content_bytes
        self._at = 0

    def feed(self, offset: int, data: "bytes | memoryview") -> None:
        """Take the piece that lies at the offset."""
        self._fill(offset)
        self._sum.update(data)
        self._at = offset + len(data)

    def hexdigest(self) -> str:
        """Return the sum, once all was fed."""
        if self._size is not None:
            self._fill(self._size)
        return self._sum.hexdigest()

    def _fill(self, offset: int) -> None:
        while self._size is not None and self._at < offset:
            step = min(len(_ZEROS), offset - self._at)
            self._sum.update(memoryview(_ZEROS)[:step])
            self._at += step


class RunningIndex:
    """The sum and the counts of an index that is made line by line."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self.counts = Counts()

    def add(self, member: Member, sha256: str) -> bytes:
        """Take a member; return its line."""
        line = index_line(member, sha256)
        self._sum.update(line)
        self.counts.add(member)
        return line

    def sha256(self) -> str:
        """Return the sum over all lines so far."""
        return self._sum.hexdigest()
