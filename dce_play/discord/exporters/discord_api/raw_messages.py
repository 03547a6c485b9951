"""Messages as Discord gave them, kept beside what is made of them: gzipped JSON lines, one a message."""

import gzip
import io
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class RawMessages:
    """A file of messages being written, as a context manager; without a path it takes them and keeps none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: io.TextIOWrapper | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._stack.enter_context(gzip.open(self._path, "at", 6, "ascii"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, source: Mapping[str, Any]) -> None:
        """Keep one message."""
        if self._file is not None:
            self._file.write(f"{json.dumps(source, separators=(',', ':'))}\n")
