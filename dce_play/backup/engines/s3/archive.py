"""A bucket into a tar: listed, streamed, listed again until nothing has changed, and the index last."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from dce_play.backup.engines.s3.fetch import SMALL_BYTES, Fetched, Fetcher
from dce_play.backup.engines.s3.index import IndexLine, Totals, encode_line, lines
from dce_play.backup.engines.s3.names import INDEX, ROOT, is_safe, made_up, of_version, parents
from dce_play.backup.engines.s3.roster import Roster
from dce_play.backup.streams import Sink
from dce_play.backup.tree.pax import Kind, Member
from dce_play.backup.tree.spool import SealedSpool
from dce_play.backup.tree.tar import TarWriter
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Corrupt, S3NotFound, S3Unreachable
from dce_play.system.s3.objects import Listed, ObjectFacts
from dce_play.system.s3.transfers import Transfers

_MOST_ROUNDS = 3
"""How often what has changed is fetched again."""
_TRIES = 3


class Archiver:
    """Writes one bucket, or what lies below a prefix, into a sink that the caller finishes."""

    def __init__(self, bucket: Bucket, out: Sink, roster: Roster, *, prefix: str, versions: bool) -> None:
        self._bucket = bucket
        self._tar = TarWriter(out)
        self._roster = roster
        self._prefix = prefix
        self._versions = versions
        self._spool = SealedSpool()
        self._lines = 0
        self.changed_to_the_end = 0
        """How many objects still changed when the last listing was read."""

    def write(self) -> Totals:
        """Write all of it; return what the index counts.

        Raises: S3Error, BackupError.
        """
        try:
            with self._bucket.transfers() as transfers:
                self._write_rounds(transfers)
            return self._write_index()
        finally:
            self._spool.close()

    def _write_rounds(self, transfers: Transfers) -> None:
        fetcher = Fetcher(self._bucket, transfers)
        self._write_all(fetcher, self._listed(transfers), round_number=0)
        for round_number in range(1, _MOST_ROUNDS + 1):
            before = self._lines
            self._write_all(fetcher, self._changed(transfers, round_number), round_number=round_number)
            self._roster.forget_missing(round_number=round_number)
            if self._lines == before:
                return
        self._look_once_more(transfers)

    def _listed(self, transfers: Transfers) -> Iterator[Listed]:
        for page in self._bucket.pages(self._prefix, versions=self._versions, over=transfers):
            yield from page

    def _changed(self, transfers: Transfers, round_number: int) -> Iterator[Listed]:
        for each in self._listed(transfers):
            version = each.version_id if self._versions else ""
            if not self._roster.is_unchanged(each.key, version, _print(each), round_number=round_number):
                yield each

    def _look_once_more(self, transfers: Transfers) -> None:
        """Count what has changed since the last round, without fetching it."""
        last = _MOST_ROUNDS + 1
        self.changed_to_the_end = sum(1 for _ in self._changed(transfers, last))
        self.changed_to_the_end += self._roster.forget_missing(round_number=last)

    def _write_all(self, fetcher: Fetcher, listed: Iterator[Listed], *, round_number: int) -> None:
        for fetched in fetcher.fetch(listed):
            if fetched.is_gone:
                self._roster.forget(fetched.listed.key, self._version(fetched.listed))
            elif fetched.data is None:
                self._stream_large(fetched.listed, round_number)
            else:
                self._write_small(fetched, round_number)

    def _write_small(self, fetched: Fetched, round_number: int) -> None:
        if fetched.facts is None or fetched.data is None:
            raise ValueError("a small object comes with its bytes")
        member = self._member(fetched.listed)
        self._tar.whole(_header(member, fetched.facts), fetched.data)
        self._hold(fetched.listed, member, fetched.facts, fetched.sha256, round_number)

    def _stream_large(self, listed: Listed, round_number: int) -> None:
        """Stream an object into the tar. A try that arrived damaged stays in it, outside the index."""
        member = self._member(listed)
        for left in reversed(range(_TRIES)):
            try:
                self._stream_once(listed, member, round_number)
            except S3NotFound:
                self._roster.forget(listed.key, self._version(listed))
            except (S3Corrupt, S3Unreachable):
                if not left:
                    raise
                continue
            return

    def _stream_once(self, listed: Listed, member: str, round_number: int) -> None:
        digest = hashlib.sha256()
        with self._bucket.open(listed.key, version_id=listed.version_id) as stream:
            left = stream.facts.size_bytes
            self._tar.begin(_header(member, stream.facts))
            try:
                for chunk in stream.chunks():
                    digest.update(chunk)
                    left -= len(chunk)
                    self._tar.data(chunk)
            except (S3Corrupt, S3Unreachable):
                self._fill(left)
                raise
            self._hold(listed, member, stream.facts, digest.hexdigest(), round_number)

    def _fill(self, left: int) -> None:
        """End a member that will not count, so that the tar goes on behind it."""
        zeros = bytes(min(left, SMALL_BYTES))
        while left > 0:
            self._tar.data(zeros[:left])
            left -= len(zeros[:left])

    def _version(self, listed: Listed) -> str:
        return listed.version_id if self._versions else ""

    def _member(self, listed: Listed) -> str:
        if not listed.is_latest:
            return of_version(listed.key, listed.version_id)
        if is_safe(listed.key) and self._roster.take_name(listed.key, parents(listed.key)):
            return listed.key
        return made_up(listed.key)

    def _hold(self, listed: Listed, member: str, facts: ObjectFacts, sha256: str, round_number: int) -> None:
        line = IndexLine(
            key=listed.key,
            member=member,
            size=facts.size_bytes,
            sha256=sha256,
            etag=facts.etag,
            content_type=facts.content_type,
            metadata=dict(facts.metadata),
            last_modified=facts.last_modified,
            version_id=(listed.version_id if self._versions else facts.version_id) or None,
        )
        text = encode_line(line)
        self._spool.write(text)
        self._roster.hold(
            listed.key,
            self._version(listed),
            f"{facts.etag} {facts.size_bytes}",
            line=self._lines,
            length=len(text),
            size=facts.size_bytes,
            current=listed.is_latest,
            seen=round_number,
        )
        self._lines += 1

    def _write_index(self) -> Totals:
        """Write the lines that count: of each object that was there to the end, the last one."""
        objects, versions, size, length = self._roster.totals()
        self._tar.begin(Member(name=INDEX.encode(), kind=Kind.FILE, size_bytes=length))
        for number, line in enumerate(lines(self._spool.read_all())):
            version = (line.version_id or "") if self._versions else ""
            if self._roster.is_line_of(line.key, version, number):
                self._tar.data(encode_line(line))
        self._tar.end()
        return Totals(objects=objects, versions=versions, bytes=size)


def _print(listed: Listed) -> str:
    return f"{listed.etag} {listed.size_bytes}"


def _header(member: str, facts: ObjectFacts) -> Member:
    modified = datetime.fromisoformat(facts.last_modified)
    return Member(
        name=f"{ROOT}{member}".encode(),
        kind=Kind.FILE,
        size_bytes=facts.size_bytes,
        mtime_ns=int(modified.timestamp()) * 10**9,
    )
