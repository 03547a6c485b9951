"""A spool for what a tar tells of itself at its end: its index. On disk, but unreadable to anybody else.

The names of an encrypted backup's files may not lie about in plain text, and an index of millions of files does not
fit into memory: the spool is a file without a name, enciphered under a key that only this process has.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

_CHUNK_BYTES = 1 << 18
_KEY_BYTES = 32
_NONCE_BYTES = 16


class SealedSpool:
    """Bytes that are appended, and read back once from the start."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="dce-play-index-")  # noqa: SIM115 - closed by close()
        self._cipher = Cipher(ChaCha20(secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)), mode=None)
        self._encryptor = self._cipher.encryptor()
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(self._encryptor.update(data))
        self.size_bytes += len(data)

    def read_all(self) -> Iterator[bytes]:
        """Yield everything that was written, in chunks. Nothing may be written after it."""
        self._file.flush()
        self._file.seek(0, os.SEEK_SET)
        decryptor = self._cipher.decryptor()
        while data := self._file.read(_CHUNK_BYTES):
            yield decryptor.update(data)

    def close(self) -> None:
        """Forget everything. May be called twice."""
        self._file.close()
