"""Resumable uploads into a bucket: parts under a key of their own, their state in PostgreSQL.

Any receiver can go on with any upload. An offset advances with each part that the bucket has; what is less than a
part stays with the request that brought it.
"""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from dce_play.system.clock import utc_stamp
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Error, S3NotFound
from dce_play.system.s3.upload import Part, Upload
from dce_play.transfer.receiving.file_uploads import FINISHED_KEEP_S
from dce_play.transfer.receiving.postgres import Database
from dce_play.transfer.receiving.s3_incoming import S3Whole, part_bytes
from dce_play.transfer.receiving.storage import Offer, UploadState
from dce_play.transfer.wire import Receipt


class S3Uploads:
    """All resumable uploads of one bucket."""

    def __init__(self, bucket: Bucket, database: Database, *, prefix: str, part_size: int) -> None:
        self.bucket = bucket
        self._database = database
        self._prefix = prefix
        self._part_size = part_size

    def key(self, upload: str) -> str:
        """Return where an upload's bytes are."""
        return f"{self._prefix}incoming/{upload}"

    def create(self, offer: Offer) -> UploadState:
        """Begin an upload."""
        upload = secrets.token_hex(16)
        begun = self.bucket.begin(self.key(upload), content_type="application/zstd")
        now = utc_stamp(datetime.now(UTC))
        state = UploadState(upload=upload, offer=offer, offset=0, created_at=now, touched_at=now)
        with self._database.connection() as connection:
            order = "INSERT INTO uploads (upload, state, s3_upload, parts) VALUES (%s, %s, %s, '[]')"
            connection.execute(order, (upload, _encoded(state), begun.upload_id))
        return state

    def find(self, upload: str) -> UploadState | None:
        """Return an upload as it was last recorded."""
        with self._database.connection() as connection:
            row = connection.execute("SELECT state FROM uploads WHERE upload = %s", (upload,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=UploadState)

    def writer(self, state: UploadState, key: str) -> "S3UploadWriter":
        """Return the upload's end; ``key`` is where the whole will go."""
        with self._database.connection() as connection:
            ask = "SELECT state, s3_upload, parts FROM uploads WHERE upload = %s"
            row = connection.execute(ask, (state.upload,)).fetchone()
        if row is None:
            raise S3NotFound(self.bucket.where(self.key(state.upload)), "the upload is gone")
        parts = msgspec.json.decode(row[2], type=tuple[Part, ...])
        begun = self.bucket.resume(self.key(state.upload), row[1], parts)
        part_size = part_bytes(state.offer.size, self._part_size)
        return S3UploadWriter(self, msgspec.json.decode(row[0], type=UploadState), begun, key=key, part_size=part_size)

    def record(self, state: UploadState, parts: tuple[Part, ...]) -> UploadState:
        """Write down how far an upload is."""
        offset = sum(part.size_bytes for part in parts)
        changed = msgspec.structs.replace(state, offset=offset, touched_at=utc_stamp(datetime.now(UTC)))
        self._update(changed, ", parts = %s", msgspec.json.encode(parts).decode())
        return changed

    def finish(self, state: UploadState, receipt: Receipt) -> None:
        """Remember that an upload is finished; its own copy of the bytes goes."""
        self._update(msgspec.structs.replace(state, receipt=receipt, touched_at=utc_stamp(datetime.now(UTC))))
        with suppress(S3Error):  # what stays is swept with the upload
            self.bucket.delete(self.key(state.upload))

    def remove(self, upload: str) -> None:
        """Remove an upload and its bytes."""
        with self._database.connection() as connection:
            row = connection.execute("SELECT s3_upload FROM uploads WHERE upload = %s", (upload,)).fetchone()
        if row is not None:
            with suppress(S3Error):  # it may be complete, or gone
                self.bucket.resume(self.key(upload), row[0], ()).abort()
            self.bucket.delete(self.key(upload))
            with self._database.connection() as connection:
                connection.execute("DELETE FROM uploads WHERE upload = %s", (upload,))

    def read(self, state: UploadState) -> Iterator[bytes]:
        """Return the bytes of an upload that is whole."""
        with self.bucket.open(self.key(state.upload)) as stream:
            yield from stream.chunks()

    def sweep(self, keep_s: float) -> list[str]:
        """Remove finished uploads after a day, unfinished ones after ``keep_s``."""
        ask = "SELECT upload, state FROM uploads WHERE touched < now() - make_interval(secs => least(%s, %s)::float8)"
        with self._database.connection() as connection:
            rows = connection.execute(ask, (keep_s, FINISHED_KEEP_S)).fetchall()
        swept = []
        now = datetime.now(UTC)
        for upload, encoded in rows:
            state = msgspec.json.decode(encoded, type=UploadState)
            age_s = (now - datetime.fromisoformat(state.touched_at)).total_seconds()
            if age_s > (FINISHED_KEEP_S if state.complete else keep_s):
                self.remove(upload)
                swept.append(upload)
        return swept

    def begun_ids(self) -> set[str]:
        """Return the bucket's names of all uploads that are known here."""
        with self._database.connection() as connection:
            return {row[0] for row in connection.execute("SELECT s3_upload FROM uploads")}

    def _update(self, state: UploadState, more: str = "", *values: str) -> None:
        with self._database.connection() as connection:
            order = f"UPDATE uploads SET state = %s, touched = now(){more} WHERE upload = %s"  # noqa: S608 - our own words
            connection.execute(order, (_encoded(state), *values, state.upload))


class S3UploadWriter:
    """The end of one upload, for one request."""

    def __init__(self, uploads: S3Uploads, state: UploadState, begun: Upload, *, key: str, part_size: int) -> None:
        self._uploads = uploads
        self._state = state
        self._begun = begun
        self._key = key
        self._part_size = part_size
        self._buffer = bytearray()

    def write(self, data: bytes | memoryview, /) -> None:
        self._buffer += data
        while len(self._buffer) >= self._part_size:
            self._send(self._part_size)

    def sync(self) -> UploadState:
        return self._state

    def incoming(self) -> S3Whole:
        offer, bucket = self._state.offer, self._uploads.bucket
        if self._buffer:
            self._send(len(self._buffer))
        source = self._uploads.key(self._state.upload)
        whole = bucket.head(source)  # it may be whole already, from a request that died
        if whole is None or whole.size_bytes != offer.size:
            self._begun.complete(only_new=False)
        return S3Whole(bucket, source, self._key, size=offer.size, part_size=self._part_size)

    def close(self) -> None:
        self._buffer.clear()

    def _send(self, count: int) -> None:
        self._begun.add(bytes(self._buffer[:count]))
        del self._buffer[:count]
        self._state = self._uploads.record(self._state, self._begun.parts)


def _encoded(state: UploadState) -> str:
    return msgspec.json.encode(state).decode()
