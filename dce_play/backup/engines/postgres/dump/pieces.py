"""A dump's text cut into pieces: comments, psql's own commands, statements, and the rows between COPY and its end.

The pieces joined are the dump, byte for byte, so that whoever leaves a statement out copies all the rest. A line that
looks like a command inside a string, a comment or a quoted name is none: quotes are followed as the server does.
Source: PostgreSQL documentation, "Lexical Structure" and "psql, Meta-Commands".
"""

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

LONGEST_STATEMENT_BYTES = 1 << 20
"""A longer statement comes in several pieces, and only the first shows what it is."""
_IDENTIFIER = rb'(?:"(?:[^"]|"")*"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_COPY = re.compile(rb"COPY (" + _IDENTIFIER + rb"(?:\." + _IDENTIFIER + rb")?)\s*(?:\(.*\))?\s*FROM stdin;", re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n\f\v]*")
_SPECIAL = re.compile(rb"""['"$;]|--|/\*""")
_DOLLAR = re.compile(rb"\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$")
_ESCAPED_BODY = re.compile(rb"[^'\\]*(?:(?:\\.|'')[^'\\]*)*", re.DOTALL)
_TAG_SO_FAR = re.compile(rb"[\w\x80-\xff]*")
_WORD_BYTE = re.compile(rb"[\w$\x80-\xff]")
_LONGEST_TAG_BYTES = 130
_END_OF_ROWS = b"\\.\n"


class Kind(StrEnum):
    """What a piece of a dump is."""

    SPACE = "space"
    COMMENT = "comment"
    META = "meta"
    """A line for psql itself, such as ``\\connect app``."""
    STATEMENT = "statement"
    MORE = "more"
    """What follows in a statement that was too long for one piece."""
    ROWS = "rows"
    ROWS_END = "rows end"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Some bytes of a dump. ``table`` is the qualified name of a ``COPY … FROM stdin``, as the dump spells it."""

    kind: Kind
    data: bytes
    table: bytes | None = None


class DumpPieces:
    """Cuts a dump that comes in chunks. Keeps at most one statement and one chunk in memory."""

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0
        """Where the next piece begins in the buffer."""
        self._at = 0
        """Where the search inside an unfinished statement goes on; never before ``_start``."""
        self._inside = b""
        """What an unfinished statement waits for: nothing, a quote, ``e'``, a dollar tag, a line end or ``*/``."""
        self._continued = False
        self._in_rows = False
        self._line_begins = True

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """Yield the pieces that are whole with this chunk."""
        self._at = max(0, self._at - self._start)
        self._buffer = self._buffer[self._start :] + chunk
        self._start = 0
        while piece := self._next():
            yield piece

    def close(self) -> bytes:
        """Return what is left over: nothing, or the last line without its end; all else was ``unfinished``."""
        return self._buffer[self._start :]

    @property
    def unfinished(self) -> bool:
        """Whether the dump so far ends inside a statement or among rows."""
        rest = self._buffer[self._start : self._start + 2]
        return self._in_rows or self._continued or bool(rest and rest != b"--" and rest[:1] != b"\\")

    def _take(self, end: int, kind: Kind, table: bytes | None = None) -> Piece:
        data, self._start = self._buffer[self._start : end], end
        return Piece(kind=kind, data=data, table=table)

    def _next(self) -> Piece | None:
        buffer, start = self._buffer, self._start
        if start == len(buffer):
            return None
        if self._in_rows:
            return self._rows()
        if self._continued or self._at > start or self._inside:
            return self._statement()
        blank = _SPACE.match(buffer, start)
        if blank is not None and blank.end() > start:
            return self._take(blank.end(), Kind.SPACE)
        if buffer.startswith((b"\\", b"--"), start):
            end = buffer.find(b"\n", start)
            kind = Kind.META if buffer.startswith(b"\\", start) else Kind.COMMENT
            return None if end < 0 else self._take(end + 1, kind)
        if buffer[start:] == b"-":
            return None
        self._at = start
        return self._statement()

    def _statement(self) -> Piece | None:
        end = self._find_end()
        if end is None:
            if len(self._buffer) - self._start < LONGEST_STATEMENT_BYTES:
                return None
            # what the search has passed is given away, but for the two bytes that tell what a quote after them is
            piece = self._take(max(self._start, self._at - 2), Kind.MORE if self._continued else Kind.STATEMENT)
            self._continued = True
            return piece if piece.data else None
        if not self._continued and (copy := _COPY.fullmatch(self._buffer, self._start, end)):
            line_end = self._buffer.find(b"\n", end)
            if line_end < 0:
                self._at = end - 1  # the rows begin on the next line, which has not come yet
                return None
            self._in_rows, self._line_begins = True, True
            return self._take(line_end + 1, Kind.STATEMENT, copy[1])
        piece = self._take(end, Kind.MORE if self._continued else Kind.STATEMENT)
        self._continued, self._at = False, end
        return piece

    def _find_end(self) -> int | None:
        """Return the offset just past the statement's semicolon; None when more is needed, with the place noted."""
        buffer, at = self._buffer, self._at
        while True:
            if self._inside:
                past = self._past_inside(at)
                if past is None:
                    return None
                self._inside, at = b"", past
            found = _SPECIAL.search(buffer, at)
            if found is None:
                self._at = max(at, len(buffer) - 1)  # the last byte may begin -- or /*
                return None
            token, at = found.group(), found.end()
            if token == b";":
                return at
            if token == b"$":
                opened = self._dollar(found.start())
                if opened is None:
                    self._at = found.start()
                    return None
                self._inside, at = opened, found.start() + max(1, len(opened))
            elif token == b"'" and self._is_escape_prefix(found.start()):
                self._inside = b"e'"
            else:
                self._inside = {b"/*": b"*/", b"--": b"\n"}.get(token, token)

    def _dollar(self, at: int) -> bytes | None:
        """Return the tag that opens a dollar quote here, nothing when it opens none, None when more is needed."""
        if at > self._start and _WORD_BYTE.match(self._buffer, at - 1):
            return b""  # a dollar inside a name
        if tag := _DOLLAR.match(self._buffer, at):
            return tag.group() if len(tag.group()) <= _LONGEST_TAG_BYTES else b""
        half = _TAG_SO_FAR.match(self._buffer, at + 1)
        short = len(self._buffer) - at < _LONGEST_TAG_BYTES
        return None if short and half is not None and half.end() == len(self._buffer) else b""

    def _past_inside(self, at: int) -> int | None:
        """Return the offset past what is open; None when its end has not come, with ``_at`` where to look again."""
        buffer = self._buffer
        if self._inside == b"e'":
            body = _ESCAPED_BODY.match(buffer, at)
            end = at if body is None else body.end()
            if end + 1 < len(buffer):
                return end + 1
            self._at = end  # the last byte may be half of an escape
            return None
        end = buffer.find(self._inside, at)
        if end < 0:
            self._at = max(at, len(buffer) - len(self._inside) + 1)
            return None
        return end + len(self._inside)

    def _is_escape_prefix(self, quote: int) -> bool:
        """Return whether the quote opens an ``E'…'`` string, in which a backslash escapes."""
        before = self._buffer[max(self._start, quote - 2) : quote]
        return before[-1:] in {b"E", b"e"} and not (len(before) == 2 and _WORD_BYTE.match(before, 0))

    def _rows(self) -> Piece | None:
        buffer, start = self._buffer, self._start
        if self._line_begins:
            if buffer.startswith(_END_OF_ROWS, start):
                self._in_rows, self._at = False, start + len(_END_OF_ROWS)
                return self._take(self._at, Kind.ROWS_END)
            if len(buffer) - start < len(_END_OF_ROWS) and _END_OF_ROWS.startswith(buffer[start:]):
                return None
        found = buffer.find(b"\n" + _END_OF_ROWS, start)
        end = found + 1 if found >= 0 else len(buffer)
        if found < 0:
            last = buffer.rfind(b"\n", max(start, end - len(_END_OF_ROWS)))
            if last >= 0 and _END_OF_ROWS.startswith(buffer[last + 1 :]):
                end = last + 1
        if end == start:
            return None
        piece = self._take(end, Kind.ROWS)
        self._line_begins = piece.data.endswith(b"\n")
        return piece
