"""sha256 of a file's bytes in blocks, taken in a thread beside the reading that checks them."""

import hashlib
import threading
from collections.abc import Sequence

from dce_play.discord.archive.scan.channel_bytes import ChannelBytes

BLOCK_BYTES = 4 << 20
_PIECE_BYTES = 256 << 10


def hash_blocks(source: ChannelBytes, end: int, *, start: int = 0) -> list[str]:
    """Return the hashes of the blocks of the bytes up to ``end``, from block ``start`` on; the last may be partial."""
    hashes = []
    buffer = memoryview(bytearray(_PIECE_BYTES))
    for block in range(start * BLOCK_BYTES, end, BLOCK_BYTES):
        digest = hashlib.sha256()
        at, stop = block, min(block + BLOCK_BYTES, end)
        while at < stop:
            count = source.read_into(buffer[: min(_PIECE_BYTES, stop - at)], at)
            if count == 0:
                break
            digest.update(buffer[:count])
            at += count
        hashes.append(digest.hexdigest())
    return hashes


def first_change(source: ChannelBytes, old: Sequence[str], old_end: int, new: Sequence[str]) -> int | None:
    """Return the offset of the first block that is not what it was, or ``None``; ``new`` may go on behind the end."""
    whole = old_end // BLOCK_BYTES
    for number in range(min(whole, len(new))):
        if old[number] != new[number]:
            return number * BLOCK_BYTES
    if whole < len(old) and hash_blocks(source, old_end, start=whole) != list(old[whole:]):
        return whole * BLOCK_BYTES
    return None


class HashThread:
    """Hashes taken in the background. The kernel reads and the hash function run without the interpreter's lock."""

    def __init__(self, source: ChannelBytes, end: int) -> None:
        self._hashes: list[str] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(source, end), daemon=True)
        self._thread.start()

    def result(self) -> list[str]:
        """Return the hashes. Raises what reading raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hashes

    def _run(self, source: ChannelBytes, end: int) -> None:
        try:
            self._hashes = hash_blocks(source, end)
        except OSError as error:
            self._error = error
