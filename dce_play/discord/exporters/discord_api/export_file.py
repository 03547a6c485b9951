"""The file that an export leaves: whole messages only, and a trailer only when it is complete."""

import errno
import os
from pathlib import Path
from typing import Self

from dce_play.discord.archive.scan.scanner import MAX_MESSAGE_BYTES
from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject, rendered
from dce_play.discord.exporters.protocol import DiskFull, ExportFailed
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.counted import counted
from dce_play.system.disk import FULL, growth_hint

_BUFFER_BYTES = 1 << 20
LARGEST_MESSAGE_BYTES = MAX_MESSAGE_BYTES - 4096
"""What an archive takes, with room for what stands between two messages."""


class MessageTooLarge(Exception):
    """No archive takes a message of so many bytes."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"it takes {counted(size_bytes, 'byte', grouped=True)} of JSON, "
            f"more than the {LARGEST_MESSAGE_BYTES:,} of an archive"
        )


class ExportFile:
    """A channel file being written, as a context manager.

    It ends in a trailer only after ``finish``. Without, it ends behind a whole message: a partial that salvage reads.
    """

    def __init__(self, channel_id: ChannelId, path: Path, header: JsonObject) -> None:
        self._channel_id = channel_id
        self._path = path
        self._buffer = bytearray(f'{rendered(header)[:-2]},\n  "messages": ['.encode())
        self._good_bytes = 0
        self.message_count = 0
        self.last_id: MessageId | None = None
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None or not issubclass(kind, DiskFull):
                self.flush()
        finally:
            os.close(self._descriptor)

    def add(self, message: JsonObject) -> None:
        """Write one message.

        Raises: MessageTooLarge, and nothing of it is written then; DiskFull, ExportFailed.
        """
        separator = b",\n    " if self.message_count else b"\n    "
        written = rendered(message, "    ").encode()
        if len(written) > LARGEST_MESSAGE_BYTES:
            raise MessageTooLarge(len(written))
        self._buffer += separator
        self._buffer += written
        self.message_count += 1
        self.last_id = MessageId(str(message["id"]))
        if len(self._buffer) >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand what is buffered to the system; on a full disk cut the file back to the last whole flush."""
        try:
            left = memoryview(bytes(self._buffer))
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self._cut_back()
            raise self._failure(error) from error
        self._good_bytes += len(self._buffer)
        self._buffer.clear()

    def finish(self) -> None:
        """Write the trailer: the export is complete. The file is then on disk.

        Raises: DiskFull, ExportFailed.
        """
        closing = "\n  ]" if self.message_count else "]"
        self._buffer += f'{closing},\n  "messageCount": {self.message_count}\n}}'.encode()
        self.flush()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a device or a FIFO, which has nothing to make durable
                raise self._failure(error) from error

    def _cut_back(self) -> None:
        """Cut off half a message. Devices cannot be cut, and need not be."""
        try:
            os.ftruncate(self._descriptor, self._good_bytes)
            os.lseek(self._descriptor, self._good_bytes, os.SEEK_SET)
        except OSError:
            return

    def _failure(self, error: OSError) -> DiskFull | ExportFailed:
        if error.errno in FULL:
            return DiskFull(
                f"no space left to export channel {self._channel_id} into {self._path}",
                channel_id=self._channel_id,
                hint="free some space; the partial export is kept and the next run goes on from it",
            )
        why = f"{error.strerror}{growth_hint(error)}"
        return ExportFailed(f"cannot write {self._path}: {why}", channel_id=self._channel_id)
