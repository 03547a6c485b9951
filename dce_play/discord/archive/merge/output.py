"""Where a merge puts its messages."""

from dce_play.discord.archive.scan.envelope import Style
from dce_play.system.durable.disk import Disk

_GATHER_BYTES = 256 << 10


class MergeOutput:
    """The new file, from the first message on."""

    def __init__(self, disk: Disk, descriptor: int, start: int, style: Style) -> None:
        self.style = style
        self.offset = start
        self._start = start
        self._disk = disk
        self._descriptor = descriptor
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._before = style.opening
        self._separator = style.separator

    def rewind(self) -> None:
        """Begin again."""
        self.offset = self._start
        self._waiting, self._waiting_bytes = [], 0
        self._before = self.style.opening
        self._disk.truncate(self._descriptor, self._start)

    def put(self, messages: bytes | memoryview) -> None:
        """Add messages behind the last ones."""
        self._waiting.append(self._before)
        self._waiting.append(bytes(messages))
        self._waiting_bytes += len(messages)
        self._before = self._separator
        if self._waiting_bytes >= _GATHER_BYTES:
            self.flush()

    def flush(self, end: bytes = b"") -> None:
        """Write what waits, and this behind it."""
        data = b"".join([*self._waiting, end])
        self._disk.write_at(self._descriptor, data, self.offset)
        self.offset += len(data)
        self._waiting, self._waiting_bytes = [], 0


class Nowhere:
    """Takes a merge that only counts."""

    style = Style(b"")

    def rewind(self) -> None:
        """Nothing to take back."""

    def put(self, messages: bytes | memoryview) -> None:
        """Leave them."""
