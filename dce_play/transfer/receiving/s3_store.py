"""Episodes in a bucket, listed in PostgreSQL: for any number of receivers behind a load balancer.

The order, for one episode, under the id's advisory lock: its parts are in the bucket; the row is written in a
transaction that is not committed; the receipt becomes an object; the archive gets its key only if nobody has it; the
row is committed. The bucket is the truth: a crash before the commit leaves an archive with its receipt, which the
next look lists.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from dce_play.errors import DcePlayError
from dce_play.system.clock import utc_stamp
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Forbidden, S3NotFound, S3Taken
from dce_play.system.s3.place import S3Place
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.folders import ARCHIVE_END, RECEIPT_END
from dce_play.transfer.receiving.postgres import Database, EpisodeTable, PostgresClaim, claim_id
from dce_play.transfer.receiving.s3_incoming import S3Incoming, S3Whole, part_bytes, sweep_parts
from dce_play.transfer.receiving.s3_uploads import S3Uploads, S3UploadWriter
from dce_play.transfer.receiving.storage import Incoming, Offer, Published, StoreCounts, UploadState
from dce_play.transfer.receiving.stored_archive import receipt_from_pieces
from dce_play.transfer.wire import IndexRow, Receipt, decode_receipt, encode_receipt, row_of

_LIST_EVERY_S = 600.0


class BucketObjects:
    """The names of episodes in a bucket, and reading their receipts."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self.bucket = bucket
        self.prefix = f"{prefix}episodes/"

    def archive(self, episode_id: str) -> str:
        """Return the key of an episode's archive."""
        return f"{self.prefix}{episode_id}{ARCHIVE_END}"

    def receipt_key(self, episode_id: str) -> str:
        """Return the key of an episode's receipt."""
        return f"{self.prefix}{episode_id}{RECEIPT_END}"

    def check_free(self, episode_id: str) -> None:
        """Do nothing when no episode of this id is there.

        Raises: S3Taken.
        """
        key = self.archive(episode_id)
        if self.bucket.head(key) is not None:
            raise S3Taken(self.bucket.where(key), "it is stored")

    def receipt(self, episode_id: str) -> Receipt | None:
        """Return an episode's receipt, ``None`` when there is none that can be read."""
        try:
            with self.bucket.open(self.receipt_key(episode_id)) as stream:
                found = decode_receipt(b"".join(stream.chunks()))
        except S3NotFound:
            return None
        return found if found is not None and found.id == episode_id else None

    def write_receipt(self, receipt: Receipt) -> None:
        """Write a receipt, in place of any other."""
        key = self.receipt_key(receipt.id)
        self.bucket.put(key, encode_receipt(receipt), only_new=False, content_type="application/json")

    def sizes(self) -> dict[str, int]:
        """Return the size of every archive, by id."""
        return {
            each.key.removeprefix(self.prefix).removesuffix(ARCHIVE_END): each.size_bytes
            for page in self.bucket.pages(self.prefix)
            for each in page
            if each.key.endswith(ARCHIVE_END)
        }


class _Unlisted:
    """How many archives in the bucket have no row. A listing takes seconds: it is kept for a while."""

    def __init__(self, objects: BucketObjects, table: EpisodeTable) -> None:
        self._objects = objects
        self._table = table
        self._mutex = threading.Lock()
        self._counted_at = float("-inf")
        self._found = 0

    def count(self) -> int:
        with self._mutex:
            if time.monotonic() - self._counted_at > _LIST_EVERY_S:
                stored = self._objects.sizes().keys()  # before the rows: what is stored meanwhile is no lack
                self._found = len(stored - self._table.ids())
                self._counted_at = time.monotonic()
            return self._found


class S3Store:
    """The store of one bucket and one database."""

    rereads_parts = False

    def __init__(
        self, config: ReceiveConfig, place: S3Place, dsn: str, *, on_row: Callable[[IndexRow], None] | None = None
    ) -> None:
        self._config = config
        self.database = Database(dsn)
        self.table = EpisodeTable(self.database, on_row or (lambda _row: None))
        self.objects = BucketObjects(Bucket(place), config.store.prefix)
        self._unlisted = _Unlisted(self.objects, self.table)
        self._uploads = S3Uploads(
            self.objects.bucket, self.database, prefix=config.store.prefix, part_size=config.store.part_size
        )

    @property
    def least_append_bytes(self) -> int:
        return self._config.store.part_size

    def start(self) -> None:
        """Make the tables, and see that the bucket is there.

        Raises: DatabaseFailed; S3Error.
        """
        self.look()
        self.objects.bucket.look(self.objects.prefix)
        self.sweep()

    def look(self) -> None:
        self.database.create_tables()
        self.table.tell_new()

    def close(self) -> None:
        self.database.close()
        self.objects.bucket.close()

    def stored(self, episode_id: str) -> Receipt | None:
        facts = self.objects.bucket.head(self.objects.archive(episode_id))
        if facts is None:
            return None
        row = self.table.find(episode_id)
        if row is not None and row.size == facts.size_bytes:
            return row
        receipt = self.objects.receipt(episode_id)
        if receipt is None or receipt.size != facts.size_bytes:
            receipt = self._receipt_made_anew(episode_id)
        return receipt

    def claim(self, episode_id: str) -> PostgresClaim | None:
        return claim_id(self.database, episode_id)

    def receive(self, offer: Offer) -> S3Incoming:
        size = part_bytes(offer.size, self._config.store.part_size)
        return S3Incoming(self.objects.bucket, self.objects.archive(offer.id), size)

    def publish(self, incoming: Incoming, receipt: Receipt, *, source: str) -> Published:
        if not isinstance(incoming, S3Incoming | S3Whole):
            raise TypeError("an archive of another store")
        incoming.finish()
        try:
            with self.database.connection() as connection, connection.transaction():
                # Who is second waits here for the first one's commit, and then sees its object.
                number = self.table.write(connection, receipt, source=source, replace=True)
                self.objects.check_free(receipt.id)
                self.objects.write_receipt(receipt)
                incoming.take_name()
        except S3Taken:
            return Published(receipt=self._after_a_race(receipt), created=False)
        if number is not None:
            self.table.tell(number, row_of(receipt, source=source))
        return Published(receipt=receipt, created=True)

    def ensure_listed(self, receipt: Receipt) -> None:
        with self.database.connection() as connection:
            number = self.table.write(connection, receipt, source="backfill", replace=False)
        if number is not None:
            self.table.tell(number, row_of(receipt, source="backfill"))

    def create_upload(self, offer: Offer) -> UploadState:
        return self._uploads.create(offer)

    def find_upload(self, upload: str) -> UploadState | None:
        return self._uploads.find(upload)

    def append_to(self, state: UploadState) -> S3UploadWriter:
        return self._uploads.writer(state, self.objects.archive(state.offer.id))

    def read_upload(self, state: UploadState) -> Iterator[bytes]:
        return self._uploads.read(state)

    def finish_upload(self, state: UploadState, receipt: Receipt) -> None:
        self._uploads.finish(state, receipt)

    def remove_upload(self, state: UploadState) -> None:
        self._uploads.remove(state.upload)

    def sweep(self) -> list[str]:
        limits = self._config.limits
        swept = self._uploads.sweep(limits.upload_keep_s)
        kept = self._uploads.begun_ids()
        # A killed receiver leaves the parts of its PUTs. Nobody sees them, and they cost what their bytes cost.
        with suppress(S3Forbidden):  # a key that may not list them leaves them to the bucket's own rules
            swept += sweep_parts(self.objects.bucket, self._config.store.prefix, limits.incoming_keep_s, kept=kept)
        return swept

    def rows(self) -> Iterator[IndexRow]:
        return self.table.rows()

    def counts(self) -> StoreCounts:
        self.table.tell_new()
        return StoreCounts(episodes=self.table.count(), unlisted=self._unlisted.count())

    def free_bytes(self) -> int | None:
        return None

    def why_not(self) -> str:
        try:
            self.table.count()
            self.objects.bucket.head(self.objects.prefix)
        except DcePlayError as error:
            return str(error)
        return ""

    def _after_a_race(self, mine: Receipt) -> Receipt:
        """Return the receipt of what is stored now; one that is ours by mistake is made anew."""
        there = self.stored(mine.id)
        if there is None:
            raise S3NotFound(self.objects.archive(mine.id), "it was there a moment ago")
        if there == mine:
            there = self._receipt_made_anew(mine.id)
        self.ensure_listed(there)
        return there

    def _receipt_made_anew(self, episode_id: str) -> Receipt:
        with self.objects.bucket.open(self.objects.archive(episode_id)) as stream:
            receipt = receipt_from_pieces(
                stream.chunks(),
                episode_id,
                size=stream.facts.size_bytes,
                stored_at=utc_stamp(datetime.fromisoformat(stream.facts.last_modified)),
                receiver=self._config.name,
                limits=self._config.limits.archive,
            )
        self.objects.write_receipt(receipt)
        return receipt
