"""What is left out of a dump, or changed in it, when it is loaded where some of it is there already."""

import re
from collections.abc import Callable

import msgspec

from dce_play.backup.engines.postgres.dump.names import created, literal
from dce_play.backup.engines.postgres.dump.pieces import Kind, Piece

_LOCATION = re.compile(rb" LOCATION E?'(?:[^']|'')*'")


class Edits(msgspec.Struct, frozen=True, kw_only=True):
    """Roles and tablespaces that are there already, and where the folders of new tablespaces are."""

    roles: frozenset[str] = frozenset()
    """Their ``CREATE ROLE`` is left out; their ``ALTER ROLE`` stays."""
    tablespaces: frozenset[str] = frozenset()
    place_tablespace: Callable[[str], str] | None = None
    """Gives a new tablespace another folder than the dump says: a drill must not touch the live one's."""

    def apply(self, piece: Piece) -> bytes:
        """Return the piece's bytes as they are loaded."""
        if piece.kind is not Kind.STATEMENT or not piece.data.startswith(b"CREATE "):
            return piece.data
        if created("ROLE", piece.data) in self.roles:
            return b""
        tablespace = created("TABLESPACE", piece.data)
        if tablespace is None:
            return piece.data
        if tablespace in self.tablespaces:
            return b""
        if self.place_tablespace is None:
            return piece.data
        place = b" LOCATION " + literal(self.place_tablespace(tablespace)).strip().encode()
        return _LOCATION.sub(lambda _: place, piece.data)
