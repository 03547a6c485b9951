"""Standard output and standard error of this process, masked: whoever prints, logs, warns or dies with a traceback.

``mask_output(masker)`` puts a masking stream under ``sys.stdout`` and ``sys.stderr``, so that a step's ``print``,
``logging``, ``warnings`` and the traceback of a thread go through it. What writes on the descriptors themselves, C code
or ``os.write``, does not; programs that we start write into pipes of ours, which are masked where they are read.
"""

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from dce_play.system.redact import Masker


class _MaskingRaw(io.RawIOBase):
    """Writes to a descriptor what is left of each piece once secrets are masked.

    Only an end that may be the beginning of a secret is held back, until more comes or the stream is closed.
    """

    def __init__(self, descriptor: int, masker: Masker) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._masker = masker
        self._rest = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        with suppress(OSError):
            return os.isatty(self._descriptor)
        return False

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]  # typeshed's Buffer
        """Take all of the data. Raises: OSError, when the descriptor does not."""
        piece = bytes(data)
        text = self._rest + piece.decode("utf-8", "surrogateescape")
        shown, self._rest = self._masker.begin(text)
        try:
            self._put(shown)
        except OSError:
            self._rest = ""
            raise
        return len(piece)

    def close(self) -> None:
        """Write what was held back; the descriptor stays open."""
        if not self.closed:
            rest, self._rest = self._rest, ""
            with suppress(OSError):
                self._put(self._masker.mask(rest))
        super().close()

    def _put(self, text: str) -> None:
        view = memoryview(text.encode("utf-8", "surrogateescape"))
        while view:
            view = view[os.write(self._descriptor, view) :]


def mask_output(masker: Masker) -> None:
    """Let everything that this process prints from now on go through the masker."""
    sys.stdout = _masked(sys.stdout, masker, line_buffering=sys.stdout.isatty())
    sys.stderr = _masked(sys.stderr, masker, line_buffering=True)


def _masked(stream: TextIO, masker: Masker, *, line_buffering: bool) -> TextIO:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_MaskingRaw(stream.fileno(), masker)),  # type: ignore[type-var]  # typeshed wants FileIO's own
        encoding=stream.encoding or "utf-8",
        errors=stream.errors or "backslashreplace",
        line_buffering=line_buffering,
        write_through=False,
    )
