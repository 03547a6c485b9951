"""Episodes in files: one folder, one receiver, every step durable before the next.

The order, for one episode: the archive's bytes are synced under a name of its own in ``incoming/``; the receipt is
written; the archive gets its name in ``store/`` by a link, which never replaces; the folder is synced; its line goes
to ``index.jsonl``; only then is anything acknowledged. The store is the truth; the index can be made from it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.counted import counted
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.durable.whole_files import read_whole, write_atomic
from dce_play.system.lock.file_lock import open_locked
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.file_uploads import FileIncoming, FileUploads, FileUploadWriter
from dce_play.transfer.receiving.folders import StoreFolders, names_ending
from dce_play.transfer.receiving.index_file import FileIndex
from dce_play.transfer.receiving.storage import Incoming, Offer, Published, StoreCounts, UploadState, UploadWriter
from dce_play.transfer.receiving.stored_archive import receipt_from_archive
from dce_play.transfer.refused import ArchiveRefused
from dce_play.transfer.wire import IndexRow, Receipt, decode_receipt, encode_receipt, row_of

_LEFTOVER_KEEP_S = 3600.0


class StoreInUse(DcePlayError):
    """Another receiver has the store."""

    exit_code: ClassVar[ExitCode] = ExitCode.LOCKED

    def __init__(self, folders: StoreFolders) -> None:
        super().__init__(f"another receiver has {folders.root}", hint=f"who: fuser {folders.lock}")


class StoreUnusable(DcePlayError):
    """The store's folders cannot be made or written."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT


class _Claim:
    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release

    def release(self) -> None:
        self._release()


class FileStore:
    """The store below one ``store_dir``. After ``start`` this process alone has it."""

    rereads_parts = True

    def __init__(
        self, config: ReceiveConfig, *, disk: Disk = REAL, on_row: Callable[[IndexRow], None] | None = None
    ) -> None:
        self.folders = StoreFolders(config.store_dir)
        self._name = config.name
        self._limits = config.limits
        self._disk = disk
        self._index = FileIndex(self.folders.index, disk=disk, on_row=on_row)
        self._uploads = FileUploads(self.folders.uploads, disk)
        self._mutex = threading.Lock()
        self._claimed: set[str] = set()
        self._unsure: set[str] = set()
        """Ids whose names may be lost with the power: they were given, and the folder was not synced since."""
        self._start_is_sure = False
        self._lock: int | None = None

    @property
    def least_append_bytes(self) -> int:
        return 1

    def start(self) -> None:
        """Take the store, list what is stored and not listed, sweep.

        Raises: StoreInUse; StoreUnusable.
        """
        try:
            for folder in (self.folders.incoming, self.folders.uploads, self.folders.store):
                self._disk.make_folder(folder)
            self._lock = open_locked(self.folders.lock, os.O_RDWR | os.O_CREAT)
            if self._lock is None:
                raise StoreInUse(self.folders)
            if self.folders.incoming.stat().st_dev != self.folders.store.stat().st_dev:
                raise StoreUnusable(
                    f"{self.folders.incoming} and {self.folders.store} are on two file systems",
                    hint="both must be plain folders below store_dir",
                )
            reason = self._unwritable()
            if reason:
                raise StoreUnusable(reason, hint=f"look: ls -ld {self.folders.store}; findmnt -T {self.folders.root}")
            self._index.load(repair=True)
            for episode_id in self.folders.stored_ids():
                if episode_id not in self._index.ids:
                    self._list_again(episode_id)
        except OSError as error:
            place = os.fsdecode(error.filename) if error.filename else str(self.folders.root)
            reason = (error.strerror or str(error)).lower()
            raise StoreUnusable(f"{place}: {reason}", hint=f"look: ls -ld {place}; df {self.folders.root}") from error
        self.sweep()

    def look(self) -> None:
        self._index.load(repair=False)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def stored(self, episode_id: str) -> Receipt | None:
        """Return the receipt of a stored episode.

        Raises: ArchiveRefused, when there is an archive without a receipt that is not sound; OSError.
        """
        path = self.folders.archive(episode_id)
        if self._disk.facts_of(path) is None:
            return None
        self._make_sure(episode_id)
        receipt = self._receipt(episode_id)
        if receipt is None:
            receipt = receipt_from_archive(path, episode_id, receiver=self._name, limits=self._limits.archive)
            write_atomic(self.folders.receipt(episode_id), encode_receipt(receipt), disk=self._disk)
        return receipt

    def claim(self, episode_id: str) -> _Claim | None:
        with self._mutex:
            if episode_id in self._claimed:
                return None
            self._claimed.add(episode_id)
        return _Claim(lambda: self._claimed.discard(episode_id))

    def receive(self, offer: Offer) -> FileIncoming:
        path = self.folders.new_part(offer.id)
        descriptor = self._disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return FileIncoming(path, self._disk, descriptor=descriptor)

    def publish(self, incoming: Incoming, receipt: Receipt, *, source: str) -> Published:
        if not isinstance(incoming, FileIncoming):
            raise TypeError("an archive of another store")
        incoming.finish()
        before = self.stored(receipt.id)
        if before is not None:
            return Published(receipt=before, created=False)
        write_atomic(self.folders.receipt(receipt.id), encode_receipt(receipt), disk=self._disk)
        self._unsure.add(receipt.id)
        self._disk.link(incoming.path, self.folders.archive(receipt.id))
        self._disk.sync_folder(self.folders.store)
        self._unsure.discard(receipt.id)
        incoming.discard()
        self._index.add_missing(row_of(receipt, source=source))
        return Published(receipt=receipt, created=True)

    def ensure_listed(self, receipt: Receipt) -> None:
        self._index.add_missing(row_of(receipt, source="backfill"))

    def create_upload(self, offer: Offer) -> UploadState:
        return self._uploads.create(offer)

    def find_upload(self, upload: str) -> UploadState | None:
        return self._uploads.find(upload)

    def append_to(self, state: UploadState) -> UploadWriter:
        return FileUploadWriter(self._uploads, state, self._disk)

    def read_upload(self, state: UploadState) -> Iterator[bytes]:
        return self._uploads.read(state)

    def finish_upload(self, state: UploadState, receipt: Receipt) -> None:
        self._uploads.record(state, receipt=receipt)
        self._disk.unlink(self._uploads.data(state.upload))

    def remove_upload(self, state: UploadState) -> None:
        self._uploads.remove(state.upload)

    def sweep(self) -> list[str]:
        swept = self._uploads.sweep(self._limits.upload_keep_s)
        swept += self._sweep_old(self.folders.incoming, ".part", self._limits.incoming_keep_s)
        return swept + self._sweep_old(self.folders.store, ".tmp", _LEFTOVER_KEEP_S)

    def rows(self) -> Iterator[IndexRow]:
        return self._index.rows()

    def counts(self) -> StoreCounts:
        self._index.look_again()
        ids = self.folders.stored_ids()
        return StoreCounts(episodes=len(ids), unlisted=sum(1 for each in ids if each not in self._index.ids))

    def free_bytes(self) -> int | None:
        return self._disk.free_bytes(self.folders.root) if self.folders.root.exists() else None

    def why_not(self) -> str:
        try:
            free = self._disk.free_bytes(self.folders.root)
        except OSError as error:
            return f"{self.folders.root}: {(error.strerror or str(error)).lower()}"
        if free < self._limits.min_free:
            return f"{self.folders.root}: {counted(free, 'byte')} free, less than min_free"
        return self._unwritable()

    def _unwritable(self) -> str:
        for folder in (self.folders.incoming, self.folders.uploads, self.folders.store):
            if not os.access(folder, os.W_OK | os.X_OK):
                return f"{folder}: cannot be written"
        return ""

    def _make_sure(self, episode_id: str) -> None:
        """Make durable that there is such a name: who gave it may have been killed, or have failed, before that."""
        if episode_id in self._unsure or not self._start_is_sure:
            self._disk.sync_folder(self.folders.store)
            self._unsure.discard(episode_id)
            self._start_is_sure = True

    def _sweep_old(self, folder: Path, ending: str, keep_s: float) -> list[str]:
        swept = []
        for name in names_ending(folder, ending):
            facts = self._disk.facts_of(folder / name)
            if facts is not None and time.time() - facts.mtime_ns / 1e9 > keep_s:
                self._disk.unlink(folder / name)
                swept.append(name)
        return swept

    def _receipt(self, episode_id: str) -> Receipt | None:
        data = read_whole(self.folders.receipt(episode_id), disk=self._disk)
        receipt = None if data is None else decode_receipt(data)
        return receipt if receipt is not None and receipt.id == episode_id else None

    def _list_again(self, episode_id: str) -> None:
        with suppress(ArchiveRefused):  # what is not sound is told by `receive backfill`
            receipt = self.stored(episode_id)
            if receipt is not None:
                self.ensure_listed(receipt)
