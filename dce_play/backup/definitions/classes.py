"""The class table: which engine and procedure a module gets by its name."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from dce_play.backup.definitions.shape import ShapeReader
from dce_play.backup.definitions.values import ENGINES
from dce_play.source import Document, did_you_mean


class ClassKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row as its file has it."""

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z][A-Za-z0-9_-]*$")] = msgspec.field(name="class")
    engine: str
    match: tuple[str, ...]
    procedure: str


class ClassFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rows."""

    version: Literal[1]
    classes: tuple[ClassKeys, ...]


class ClassRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table that counts."""

    order: int
    name: str
    engine: str
    match: tuple[str, ...]
    procedure: str
    source: str
    """``dce-play``, or the path of an operator's file."""


class Classified(msgspec.Struct, frozen=True, kw_only=True):
    """What the table says of one name."""

    name: str
    engine: str
    matched: str
    """The glob that matched; ``class`` or ``engine`` where the module's own word decided."""


def read_classes(document: Document, *, source: str) -> tuple[ClassRow, ...]:
    """Return a file's rows, numbered from 1.

    Raises: InvalidDocument.
    """
    reader = ShapeReader(document)
    found = reader.record(ClassFile, document.value, ())
    for at, row in enumerate(found.classes if found is not None else ()):
        if row.engine not in ENGINES:
            place = ("classes", at, "engine")
            reader.report(place, f'no engine "{row.engine}"', did_you_mean(row.engine, ENGINES))
    reader.raise_problems()
    return tuple(
        ClassRow(order=order, name=row.name, engine=row.engine, match=row.match, procedure=row.procedure, source=source)
        for order, row in enumerate(found.classes if found is not None else (), start=1)
    )


def join_classes(*tables: Sequence[ClassRow]) -> tuple[ClassRow, ...]:
    """Return one table: the first of them is asked first."""
    rows = [row for table in tables for row in table]
    return tuple(msgspec.structs.replace(row, order=order) for order, row in enumerate(rows, start=1))


def classify(name: str, rows: Sequence[ClassRow], *, own_class: str = "", engine: str = "") -> Classified:
    """Return a module's class and engine. Its own words win over the table.

    With a class of its own, the class's row that matches the name tells the engine, else the class's first row. With
    an engine and no class, the engine's rows are asked alike, and the last of them wins where none matches.
    """
    if own_class:
        of_class = [row for row in rows if row.name == own_class]
        row = _matching(name, of_class) or (of_class[0] if of_class else None)
        return Classified(name=own_class, engine=engine or (row.engine if row is not None else ""), matched="class")
    if engine:
        of_engine = [row for row in rows if row.engine == engine]
        row = _matching(name, of_engine) or (of_engine[-1] if of_engine else None)
        return Classified(name=row.name if row is not None else "", engine=engine, matched="engine")
    for row in rows:
        for glob in row.match:
            if fnmatchcase(name, glob):
                return Classified(name=row.name, engine=row.engine, matched=glob)
    return Classified(name="", engine="", matched="")


def _matching(name: str, rows: Sequence[ClassRow]) -> ClassRow | None:
    return next((row for row in rows if any(fnmatchcase(name, glob) for glob in row.match)), None)
