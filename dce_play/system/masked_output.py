"""Standard output and standard error of this process: masked, and without a control character that we did not mean.

``mask_output(masker)`` puts such streams in the place of ``sys.stdout`` and ``sys.stderr``, so that whatever a command
says, a step's ``print``, ``logging``, ``warnings`` and the traceback of a thread go through them. Who paints, with
escape sequences of our own, writes on ``painted(stream)``, which masks only, and cleans the text between them.
What writes on the descriptors themselves, C code or ``os.write``, does not go through; programs that we start write
into pipes of ours, which are masked where they are read.
"""

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from dce_play.system.descriptors import write_all
from dce_play.system.foreign_text import visible
from dce_play.system.redact import Masker

STANDARD_OUTPUT = "standard output"
"""The file name in the error of a write that it could not take."""


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
        try:
            write_all(self._descriptor, text.encode("utf-8", "surrogateescape"))
        except OSError as error:  # named, so that it can be told as what it is
            name = STANDARD_OUTPUT if self._descriptor == 1 else "standard error"
            raise OSError(error.errno, error.strerror, name) from error


class _DoorText(io.TextIOWrapper):
    """A text stream that shows every control character instead of sending it."""

    paint: TextIO | None = None
    """The stream beside it that sends them; kept, as the bytes below are closed with the first of the two."""

    def write(self, text: str, /) -> int:
        """Write the text. Raises: OSError."""
        super().write(visible(text))
        return len(text)


def painted(stream: TextIO) -> TextIO:
    """Return the stream on which escape sequences of our own may be written; what was written before is out."""
    if not isinstance(stream, _DoorText):
        return stream
    stream.flush()
    if stream.paint is None:
        stream.paint = io.TextIOWrapper(
            stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=True, write_through=True
        )
    return stream.paint


def forget_descriptor(number: int) -> None:
    """Let whatever is still written to standard output (1) or error (2) go nowhere: nobody reads it any more."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, number)
    os.close(sink)


def mask_output(masker: Masker) -> None:
    """Let everything that this process prints from now on go through the masker."""
    sys.stdout = _masked(sys.stdout, masker, line_buffering=sys.stdout.isatty())
    sys.stderr = _masked(sys.stderr, masker, line_buffering=True)


def _masked(stream: TextIO, masker: Masker, *, line_buffering: bool) -> TextIO:
    stream.flush()
    return _DoorText(
        io.BufferedWriter(_MaskingRaw(stream.fileno(), masker)),  # type: ignore[type-var]  # typeshed wants FileIO's own
        encoding=stream.encoding or "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering,
        write_through=False,
    )
