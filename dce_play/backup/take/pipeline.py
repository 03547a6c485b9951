"""From an engine's stream to the ``.part``: counted and hashed, checked on the way where it must be, packed, stored."""

import hashlib
from collections.abc import Callable, Sequence

from dce_play.backup.protocols import Filter
from dce_play.backup.streams import CHUNK_BYTES, Sink


class PlainSink:
    """Where an engine writes: joins small pieces, counts and hashes, then hands on.

    ``on_chunk`` is called before each chunk goes on; what it raises ends the backup.
    """

    def __init__(self, out: Sink) -> None:
        self._out = out
        self.on_chunk: Callable[[], None] = lambda: None
        self._sum = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._waiting = 0
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()

    def write(self, data: "bytes | memoryview", /) -> None:
        size = len(data)
        self.size_bytes += size
        self._waiting += size
        self._pieces.append(bytes(data) if isinstance(data, memoryview) else data)
        if self._waiting >= CHUNK_BYTES:
            self._push()

    def finish(self) -> None:
        self._push()

    def abort(self) -> None:
        self._pieces.clear()

    def _push(self) -> None:
        if not self._pieces:
            return
        chunk = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces.clear()
        self._waiting = 0
        self.on_chunk()
        self._sum.update(chunk)
        self._out.write(chunk)


class Pipeline:
    """All sinks from the top to the bottom. ``finish`` collects what each of them says, in that order."""

    def __init__(self, bottom: Sink, filters: Sequence[Filter], check: Sink | None) -> None:
        """Build it. ``filters`` stand in the order in which bytes pass them; ``check`` sees the plain stream."""
        self._sinks: list[Sink] = [bottom]
        for each in reversed(filters):
            self._sinks.insert(0, each.into(self._sinks[0]))
        first: Sink = self._sinks[0]
        if check is not None:
            first = _Both(first, check)
            self._sinks.insert(0, check)
        self.top = PlainSink(first)

    def finish(self) -> None:
        """End the stream.

        Raises: BackupError: the first failure on the way down.
        """
        self.top.finish()
        for sink in self._sinks:
            sink.finish()

    def abort(self) -> None:
        """Let go of everything; what is at the bottom is removed."""
        self.top.abort()
        for sink in self._sinks:
            sink.abort()


class _Both:
    """Writes into two sinks, which others finish."""

    def __init__(self, one: Sink, other: Sink) -> None:
        self._one = one
        self._other = other

    def write(self, data: "bytes | memoryview", /) -> None:
        self._one.write(data)
        self._other.write(data)

    def finish(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """Nothing is held."""
