"""Documents that every command of a kind reads, kept in the cache by content: the YAML reader is not even imported.

A document is kept only after the command that read it came to a good end: whoever checked it then found no literal
where a reference to a secret belongs.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from dce_play.playbook.document.cache import Cache, cache_folder, own_fingerprint, pack_document, unpack_document
from dce_play.source import Document, Pointer

_KIND = "written"
"""Of entries: a document of whose writing there is nothing to tell."""
_LARGEST_KEPT = 1 << 20


class KeptDocuments:
    """Reads documents like ``load_document``; from the cache, if it can be."""

    def __init__(self, environment: Mapping[str, str], *, never: Collection[str] = ()) -> None:
        """``never`` are names of files that are not kept: what stands in them besides is not ours to copy."""
        self._home = cache_folder(environment)
        self._never = frozenset(never)
        self._new: dict[str, Document] = {}

    def load(self, path: Path, *, theirs: Callable[[Pointer], bool] | None = None) -> Document:
        """Return the file as a document; one in which values are ``theirs`` is not kept either.

        Raises: InvalidDocument, when anything is wrong with its writing; UsageError, when it cannot be opened.
        """
        data = _small_file(path) if theirs is None and path.name not in self._never else None
        if data is None or self._home is None:
            return _load(path, theirs)
        key = f"{path.suffix}\n{hashlib.sha256(data).hexdigest()}"
        packed = Cache(self._home, own_fingerprint()).get(_KIND, key)
        with suppress(ValueError, TypeError, KeyError, IndexError):
            return unpack_document(path, data.decode(), packed)
        self._new[key] = document = _load(path, theirs)
        return document

    def keep(self) -> None:
        """Keep what was read, for the next command."""
        if self._home is None:
            return
        for key, document in self._new.items():
            Cache(self._home, own_fingerprint()).put(_KIND, key, pack_document(document))
        self._new.clear()


def _load(path: Path, theirs: Callable[[Pointer], bool] | None) -> Document:
    # Inside the function for start-up time: the reader of YAML takes 40 ms, and most often the cache answers.
    from dce_play.playbook.document.document import load_document

    return load_document(path, theirs=theirs)


def _small_file(path: Path) -> bytes | None:
    """Return a file's bytes, or ``None``: of one that is large or cannot be read, its reader tells."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_KEPT + 1)
    except OSError:
        return None
    return data if len(data) <= _LARGEST_KEPT else None
