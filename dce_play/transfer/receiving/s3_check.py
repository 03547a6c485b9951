"""Looking after a bucket of episodes: the table made whole again, and archives compared with their receipts."""

from collections.abc import Iterable

from dce_play.errors import DcePlayError
from dce_play.system.counted import counted
from dce_play.transfer.receiving.s3_store import S3Store
from dce_play.transfer.receiving.storage import Storage
from dce_play.transfer.receiving.store_check import BackfillReport, Broken, VerifyReport, content_difference
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.wire import Receipt


def s3_store(storage: Storage) -> S3Store:
    """Return a storage as what it is, with its tables made.

    Raises: TypeError, for any other storage.
    """
    if not isinstance(storage, S3Store):
        raise TypeError("no storage in a bucket")
    storage.database.create_tables()
    return storage


def backfill_bucket(store: S3Store, *, dry_run: bool) -> BackfillReport:
    """List what lies in the bucket and in no row; write receipts that are lost."""
    sizes = store.objects.sizes()
    listed = store.table.ids()
    broken: list[Broken] = []
    added = 0
    for episode_id in sorted(sizes.keys() - listed):
        try:
            if not dry_run:
                receipt = store.stored(episode_id)
                if receipt is not None:
                    store.ensure_listed(receipt)
            added += 1
        except (ArchiveRefused, DcePlayError) as error:
            broken.append(Broken(id=episode_id, why=str(error)))
    return BackfillReport(
        rows=store.table.count(),
        added=added,
        cut_bytes=0,
        missing_files=tuple(sorted(listed - sizes.keys())),
        bad_lines=(),
        repeated=(),
        broken=tuple(broken),
    )


def verify_bucket(store: S3Store, *, deep: bool) -> VerifyReport:
    """Compare every archive in the bucket with its receipt."""
    sizes = store.objects.sizes()
    broken: list[Broken] = []
    for episode_id, size in sorted(sizes.items()):
        try:
            why = _difference(store, episode_id, size, deep=deep)
        except DcePlayError as error:
            why = str(error)
        if why:
            broken.append(Broken(id=episode_id, why=why))
    return VerifyReport(episodes=len(sizes), bytes=sum(sizes.values()), broken=tuple(broken))


def _difference(store: S3Store, episode_id: str, size: int, *, deep: bool) -> str:
    receipt = store.objects.receipt(episode_id)
    if receipt is None:
        return "there is no receipt"
    if receipt.size != size:
        return f"{counted(size, 'byte')}, the receipt says {receipt.size}"
    return _content(store, episode_id, receipt) if deep else ""


def _content(store: S3Store, episode_id: str, receipt: Receipt) -> str:
    with store.objects.bucket.open(store.objects.archive(episode_id)) as stream:
        pieces: Iterable[bytes] = stream.chunks()
        return content_difference(pieces, receipt)
