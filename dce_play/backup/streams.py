"""Streams of bytes that are pushed and pulled, without ever holding more than a chunk.

A ``Sink`` is pushed into, a ``Source`` is read from. Both have two ends: ``finish``, which collects what went wrong on
the way (an exit code, a bad sum), and ``abort``, which lets go and never raises.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import BinaryIO, Generic, Protocol, TypeVar

from dce_play.system.descriptors import write_all
from dce_play.system.process.streaming import widen

CHUNK_BYTES = 1 << 18
_Result = TypeVar("_Result")


class Sink(Protocol):
    """Whatever takes a stream: a file, a filter, a check."""

    def write(self, data: "bytes | memoryview", /) -> object:
        """Take all of the data.

        Raises: BackupError.
        """

    def finish(self) -> None:
        """The stream is complete: flush, wait for programs, look at their exit codes. Called once.

        A filter flushes into what it was given, and does not finish that.

        Raises: BackupError.
        """

    def abort(self) -> None:
        """Let go of everything, end programs. May be called after anything, also twice; raises nothing."""


class Source(Protocol):
    """Whatever gives a stream."""

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        """Return some bytes, at most so many; empty at the end.

        Raises: BackupError.
        """

    def finish(self) -> None:
        """All was read: look at exit codes and sums. Called once, after ``read`` returned nothing.

        Raises: BackupError.
        """

    def abort(self) -> None:
        """Let go of everything, end programs. May be called after anything, also twice; raises nothing."""


def chunks(source: Source) -> Iterator[bytes]:
    """Yield a stream to its end, then finish it.

    Raises: BackupError.
    """
    while data := source.read(CHUNK_BYTES):
        yield data
    source.finish()


def push_all(opening: AbstractContextManager[Source], sink: Sink) -> None:
    """Push a stream to its end into a sink and finish that; whatever comes of it, the sink is let go of.

    Raises: BackupError.
    """
    try:
        with opening as source:
            for data in chunks(source):
                sink.write(data)
        sink.finish()
    finally:
        sink.abort()


class PulledSink(Generic[_Result]):
    """A sink whose reader is a function that pulls: it runs in a thread, at the other end of a pipe.

    ``finish`` raises what the function raised; afterwards ``result`` is what it returned. A function that returns
    before the stream's end lets the rest pass unread.
    """

    def __init__(self, reader: Callable[[BinaryIO], _Result], *, name: str) -> None:
        read_fd, self._write_fd = os.pipe()
        widen(self._write_fd)
        self._results: list[_Result] = []
        self._failures: list[BaseException] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._pull, args=(reader, read_fd), name=name, daemon=True)
        self._thread.start()

    @property
    def result(self) -> _Result:
        """Return what the reader returned. Only after ``finish``."""
        return self._results[0]

    def write(self, data: "bytes | memoryview", /) -> None:
        if self._stopped:
            return
        try:
            write_all(self._write_fd, data)
        except BrokenPipeError:
            self._stopped = True
            self._thread.join()
            self._raise()

    def finish(self) -> None:
        self._close()
        self._thread.join()
        self._raise()

    def abort(self) -> None:
        self._close()
        self._thread.join(timeout=5.0)

    def _raise(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _close(self) -> None:
        if self._write_fd >= 0:
            os.close(self._write_fd)
            self._write_fd = -1

    def _pull(self, reader: Callable[[BinaryIO], _Result], read_fd: int) -> None:
        with os.fdopen(read_fd, "rb", buffering=CHUNK_BYTES) as stream:
            try:
                self._results.append(reader(stream))
            except BaseException as error:  # noqa: BLE001 - it is raised where the stream is finished
                self._failures.append(error)


class PushedSource:
    """A source whose writer is a function that pushes into a file: it runs in a thread, at the other end of a pipe.

    ``finish`` raises what the function raised, and ``abort`` makes its next write fail with ``BrokenPipeError``.
    """

    def __init__(self, writer: Callable[[BinaryIO], object], *, name: str) -> None:
        self._read_fd, write_fd = os.pipe()
        widen(write_fd)
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._push, args=(writer, write_fd), name=name, daemon=True)
        self._thread.start()

    def read(self, size_bytes: int = CHUNK_BYTES, /) -> bytes:
        data = os.read(self._read_fd, size_bytes)
        if not data and self._failures:
            raise self._failures[0]
        return data

    def finish(self) -> None:
        self._thread.join()
        self.abort()
        if self._failures:
            raise self._failures[0]

    def abort(self) -> None:
        if self._read_fd >= 0:
            os.close(self._read_fd)
            self._read_fd = -1
        self._thread.join(timeout=5.0)

    def _push(self, writer: Callable[[BinaryIO], object], write_fd: int) -> None:
        with suppress(BrokenPipeError), os.fdopen(write_fd, "wb", buffering=0) as stream:
            try:
                writer(stream)
            except BaseException as error:  # noqa: BLE001 - it is raised where the stream is read
                self._failures.append(error)


class SourceFile:
    """A source as a file for libraries that read: ``tarfile``, for one. Closing it does not finish the source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rest = b""

    def read(self, size_bytes: int = -1, /) -> bytes:
        """Return exactly so many bytes; fewer only at the end. Without a number: all that is left."""
        parts = [self._rest] if self._rest else []
        have = len(self._rest)
        while (size_bytes < 0 or have < size_bytes) and (data := self._source.read(CHUNK_BYTES)):
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        if size_bytes < 0:
            self._rest = b""
            return whole
        self._rest = whole[size_bytes:]
        return whole[:size_bytes]
