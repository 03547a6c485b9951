"""What was found out about files before, kept by content: a second lint or run need not parse and check again.

Entries are JSON in ``$DCE_PLAY_CACHE_DIR``, else ``dce-play`` in the XDG cache folder. The folder may be deleted at
any time. A key is made of the file's bytes, of everything that an entry depends on, and of our own source files, so
that an entry is never out of date; an entry that cannot be read counts as missing. Entries can be made again, so they
are written without a sync; the digest behind an entry tells one that a power loss tore.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from dce_play.layout import home_folder, xdg_folder
from dce_play.resources import schemas_folder
from dce_play.source import Document, JsonValue, NodeSpan, Pointer, Problem, Severity, Span
from dce_play.system.durable.whole_files import write_atomic

_PACKAGE = Path(__file__).resolve().parents[2]
_FORMAT = 5
_MAX_ENTRY_BYTES = 32 << 20
_OTHERS_WRITE = 0o022
_Kind = TypeVar("_Kind", int, list[Any])
_NO_KEY: list[JsonValue] = [0, 0, 0, 0]


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Return where entries are kept; ``None`` when nobody has a home."""
    override = environment.get("DCE_PLAY_CACHE_DIR")
    if override:
        return Path(override).absolute()
    base = xdg_folder(environment, "XDG_CACHE_HOME")
    if base is None and environment.get("HOME", "").startswith("/"):
        base = home_folder(environment) / ".cache"
    return base / "dce-play" if base is not None else None


@cache
def own_fingerprint() -> str:
    """Return what changes when our own code does: sizes and times of its files and of the shipped schemas."""
    files = (*_files(_PACKAGE, ".py"), *_files(schemas_folder(), ".json"))
    facts = sorted(f"{entry.path}:{size}:{mtime}" for entry, size, mtime in files)
    return hashlib.sha256("\n".join([str(_FORMAT), *facts]).encode()).hexdigest()


def _files(folder: Path, ending: str) -> Iterator[tuple[os.DirEntry[str], int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("__"):
                yield from _files(Path(entry.path), ending)
            elif entry.name.endswith(ending):
                facts = entry.stat()
                yield entry, facts.st_size, facts.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of entries. ``salt`` is part of each key: our own code, and the steps there are.

    What lies in a folder that somebody else may write to is not believed.
    """

    folder: Path
    salt: str

    def get(self, kind: str, key: str) -> JsonValue:
        """Return an entry's value, or ``None``."""
        if not self._is_ours():
            return None
        try:
            with self._path(kind, key).open("rb") as file:
                data, _, digest = file.read(_MAX_ENTRY_BYTES + 1).rpartition(b"\n")
            return json.loads(data) if digest == _digest(data) else None
        except (OSError, ValueError, RecursionError):
            return None

    def put(self, kind: str, key: str, value: JsonValue) -> None:
        """Keep an entry. That it cannot be kept is no reason to stop: the next look takes longer, that is all."""
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        entry = data + b"\n" + _digest(data)
        if len(entry) > _MAX_ENTRY_BYTES:
            return
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomic(self._path(kind, key), entry, mode=0o600, durable=False)

    def _is_ours(self) -> bool:
        try:
            status = self.folder.lstat()
        except OSError:
            return False
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE

    def _path(self, kind: str, key: str) -> Path:
        text = f"{self.salt}\n{kind}\n{key}"
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()  # a path may be no UTF-8
        return self.folder / f"{kind}-{digest[:40]}.json"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode("ascii")


def pack_span(span: Span) -> list[JsonValue]:
    """Return a span as JSON, without its path."""
    return [span.line, span.column, span.end_line, span.end_column]


def unpack_span(path: Path, numbers: JsonValue) -> Span:
    """Return the span that ``pack_span`` packed.

    Raises: ValueError, TypeError.
    """
    return _span(path, *_all_of(int, numbers))


def _all_of(kind: type[_Kind], packed: JsonValue) -> list[_Kind]:
    """Return a list of the kind; asked once of all, as a long playbook has tens of thousands of places."""
    if not isinstance(packed, list) or not set(map(type, packed)) <= {kind}:
        raise TypeError(f"this is no list of {kind.__name__}")
    return cast(list[_Kind], packed)


def _span(path: Path, line: int, column: int, end_line: int, end_column: int) -> Span:
    return Span(path=path, line=line, column=column, end_line=end_line, end_column=end_column)


def pack_document(document: Document) -> JsonValue:
    """Return a document's value and places as JSON: the pointers, and eight numbers for each; zeros are no key."""
    numbers: list[JsonValue] = []
    for node in document.spans.values():
        numbers += pack_span(node.value)
        numbers += pack_span(node.key) if node.key is not None else _NO_KEY
    return {"value": document.value, "pointers": [list(pointer) for pointer in document.spans], "places": numbers}


def unpack_document(path: Path, text: str, packed: JsonValue) -> Document:
    """Return the document that ``pack_document`` packed.

    Raises: ValueError, TypeError, KeyError.
    """
    if not isinstance(packed, dict):
        raise TypeError("a document is a mapping")
    pointers = _all_of(list, packed["pointers"])
    numbers = _all_of(int, packed["places"])
    places = zip(*[iter(numbers)] * 4, strict=True)
    spans: dict[Pointer, NodeSpan] = {}
    for pointer, value, key in zip(pointers, places, places, strict=True):
        spans[tuple(pointer)] = NodeSpan(key=_span(path, *key) if key[0] else None, value=_span(path, *value))
    return Document(path=path, text=text, value=packed["value"], spans=spans)


def pack_problem(problem: Problem) -> JsonValue:
    """Return a problem as JSON."""
    return {
        "rule": problem.rule,
        "message": problem.message,
        "path": str(problem.span.path),
        "span": pack_span(problem.span),
        "severity": str(problem.severity),
        "hint": problem.hint,
        "related": [[note, str(span.path), pack_span(span)] for note, span in problem.related],
        "replacement": problem.replacement,
    }


def unpack_problem(packed: JsonValue) -> Problem:
    """Return the problem that ``pack_problem`` packed.

    Raises: ValueError, TypeError, KeyError.
    """
    if not isinstance(packed, dict) or not isinstance(packed["related"], list):
        raise TypeError("a problem is a mapping")
    related = [
        (str(each[0]), unpack_span(Path(str(each[1])), each[2])) for each in packed["related"] if isinstance(each, list)
    ]
    replacement = packed["replacement"]
    return Problem(
        rule=str(packed["rule"]),
        message=str(packed["message"]),
        span=unpack_span(Path(str(packed["path"])), packed["span"]),
        severity=Severity(str(packed["severity"])),
        hint=str(packed["hint"]),
        related=tuple(related),
        replacement=replacement if isinstance(replacement, str) else None,
    )
