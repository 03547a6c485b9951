"""Resumable uploads in files: ``uploads/<upload>/{data,upload.json}``.

``upload.json`` is written after ``data`` was synced, so its offset is never ahead of what is durable; what lies in
``data`` beyond it is cut before anything is appended.
"""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dce_play.system.clock import utc_stamp
from dce_play.system.durable.disk import Disk
from dce_play.system.durable.long_file import LongFile
from dce_play.system.durable.whole_files import read_whole, write_atomic
from dce_play.transfer.receiving.storage import Offer, UploadState
from dce_play.transfer.wire import Receipt

SYNC_EVERY_BYTES = 16 << 20
"""No more than this has to be sent again after a crash."""
FINISHED_KEEP_S = 86_400.0
_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PIECE_BYTES = 1 << 20


class FileIncoming:
    """An archive in a file of its own, which nobody sees under its name yet."""

    def __init__(self, path: Path, disk: Disk, *, descriptor: int | None = None) -> None:
        self.path = path
        self._disk = disk
        self._descriptor = descriptor
        self._file = None if descriptor is None else LongFile(disk, descriptor)
        self._gone = False

    def write(self, data: bytes | memoryview, /) -> None:
        if self._descriptor is None or self._file is None:
            raise ValueError("the archive is closed")
        self._file.write(data)

    def finish(self) -> None:
        if self._descriptor is not None and self._file is not None:
            self._file.settle()
            self._disk.sync(self._descriptor)
            self._close()

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # it goes
                self._file.settle()
        self._close()
        if not self._gone:
            self._gone = True
            with suppress(OSError):  # what stays is swept
                self._disk.unlink(self.path)

    def _close(self) -> None:
        if self._descriptor is not None:
            self._disk.close(self._descriptor)
            self._descriptor = None


class FileUploadWriter:
    """The end of one upload's ``data``."""

    def __init__(self, uploads: "FileUploads", state: UploadState, disk: Disk) -> None:
        self._uploads = uploads
        self._state = state
        self._disk = disk
        self._path = uploads.data(state.upload)
        self._descriptor = disk.open(self._path, os.O_WRONLY)
        disk.truncate(self._descriptor, state.offset)
        self._file = LongFile(disk, self._descriptor, at=state.offset)
        self._failed = False

    def write(self, data: bytes | memoryview, /) -> None:
        self._file.write(data)
        if self._file.at - self._state.offset >= SYNC_EVERY_BYTES:
            self.sync()

    def sync(self) -> UploadState:
        if self._file.at != self._state.offset and not self._failed:
            self._failed = True  # a second try after a failed sync would succeed with the bytes gone
            self._file.settle()
            self._disk.sync(self._descriptor)
            self._state = self._uploads.record(self._state, offset=self._file.at)
            self._failed = False
        return self._state

    def incoming(self) -> FileIncoming:
        return FileIncoming(self._path, self._disk)

    def close(self) -> None:
        with suppress(OSError):  # whoever needs them durable has synced
            self._file.settle()
        self._disk.close(self._descriptor)


class FileUploads:
    """All resumable uploads of one store."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    def data(self, upload: str) -> Path:
        """Return where an upload's bytes are."""
        return self._folder / upload / "data"

    def create(self, offer: Offer) -> UploadState:
        """Begin an upload, durably."""
        upload = secrets.token_hex(16)
        self._disk.make_folder(self._folder / upload)
        self._disk.close(self._disk.open(self.data(upload), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        now = utc_stamp(datetime.now(UTC))
        state = UploadState(upload=upload, offer=offer, offset=0, created_at=now, touched_at=now)
        self._write(state)
        return state

    def find(self, upload: str) -> UploadState | None:
        """Return an upload as it was last recorded."""
        if not _NAME.fullmatch(upload):
            return None
        try:
            data = read_whole(self._folder / upload / "upload.json", disk=self._disk)
            return None if data is None else msgspec.json.decode(data, type=UploadState)
        except msgspec.DecodeError:
            return None

    def record(self, state: UploadState, *, offset: int | None = None, receipt: Receipt | None = None) -> UploadState:
        """Write down, durably, how far an upload is, or that it is finished."""
        changed = msgspec.structs.replace(
            state,
            offset=state.offset if offset is None else offset,
            receipt=receipt or state.receipt,
            touched_at=utc_stamp(datetime.now(UTC)),
        )
        self._write(changed)
        return changed

    def read(self, state: UploadState) -> Iterator[bytes]:
        """Return the durable bytes."""
        descriptor = self._disk.open(self.data(state.upload), os.O_RDONLY)
        try:
            at = 0
            while at < state.offset:
                piece = self._disk.read_at(descriptor, min(_PIECE_BYTES, state.offset - at), at)
                if not piece:
                    return
                at += len(piece)
                yield piece
        finally:
            self._disk.close(descriptor)

    def remove(self, upload: str) -> None:
        """Remove an upload; its record goes first, so that half of it is never found."""
        folder = self._folder / upload
        self._disk.unlink(folder / "upload.json")
        for name in self._disk.names(folder):
            self._disk.unlink(folder / name)
        with suppress(OSError):  # a folder that stays is swept
            folder.rmdir()

    def sweep(self, keep_s: float, *, fresh_s: float = 60.0) -> list[str]:
        """Remove finished uploads after a day, unfinished ones after ``keep_s``, broken ones after a minute."""
        swept = []
        for upload in self._disk.names(self._folder):
            state = self.find(upload)
            limit_s = fresh_s if state is None else FINISHED_KEEP_S if state.complete else keep_s
            if self._age_s(upload) > limit_s:
                self.remove(upload)
                swept.append(upload)
        return swept

    def _age_s(self, upload: str) -> float:
        newest = 0.0
        for path in (self._folder / upload / "upload.json", self.data(upload), self._folder / upload):
            facts = self._disk.facts_of(path)
            newest = max(newest, facts.mtime_ns / 1e9 if facts else 0.0)
        return time.time() - newest

    def _write(self, state: UploadState) -> None:
        record = self._folder / state.upload / "upload.json"
        write_atomic(record, msgspec.json.encode(state) + b"\n", disk=self._disk)
