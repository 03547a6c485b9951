"""The index of a bucket's tar: one JSON line an object, its last member."""

from collections.abc import Iterable, Iterator

import msgspec

from dce_play.backup.engines.s3.names import is_of_a_version
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.source import JsonValue

LONGEST_LINE_BYTES = 1 << 20


class IndexLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one object, in the order in which it is written. The index rules, not the members' names."""

    key: str
    member: str
    """Below ``objects/``."""
    size: int
    sha256: str
    etag: str
    content_type: str
    metadata: dict[str, str]
    last_modified: str
    version_id: str | None

    @property
    def is_current(self) -> bool:
        return not is_of_a_version(self.member)


class Totals(msgspec.Struct, kw_only=True):
    """What an index counts."""

    objects: int = 0
    bytes: int = 0
    versions: int = 0
    """Beside the current ones."""

    def add(self, line: IndexLine) -> None:
        """Count a line."""
        self.objects += line.is_current
        self.versions += not line.is_current
        self.bytes += line.size

    def counts(self) -> dict[str, JsonValue]:
        """Return the manifest's ``counts``."""
        return {"objects": self.objects, "bytes": self.bytes, "versions": self.versions}


def encode_line(line: IndexLine) -> bytes:
    """Return a line with its line feed."""
    return msgspec.json.encode(line) + b"\n"


def lines(chunks: Iterable[bytes]) -> Iterator[IndexLine]:
    """Yield the lines of an index that comes in pieces.

    Raises: BackupError (``verify-failed``), for a line that is none; ``truncated``, when the last one is not ended.
    """
    decoder = msgspec.json.Decoder(IndexLine)
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for raw in whole:
            try:
                yield decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BackupError(ErrorId.VERIFY_FAILED, f"a line of the index cannot be read: {error}") from error
        if len(rest) > LONGEST_LINE_BYTES:
            raise BackupError(ErrorId.VERIFY_FAILED, "a line of the index has no end")
    if rest:
        raise BackupError(ErrorId.TRUNCATED, "the index ends inside a line")
