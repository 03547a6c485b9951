"""``media.jsonl``: which URL has which bytes. It only grows; the last line of a URL counts.

Lines of several threads go to the disk together: each waits until its own is durable.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from dce_play.discord.media_store.policy import MediaReference, MediaState
from dce_play.discord.media_store.store import DIGEST
from dce_play.discord.media_store.urls import unsigned
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.durable.json_lines import LineFile
from dce_play.system.lock.file_lock import open_locked

VERSION = 1


class MediaLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what became of one URL. ``sha256``, ``size`` and ``content_type`` are null where nothing is kept."""

    v: int = VERSION
    url: str
    """Without its signature."""
    sha256: str | None
    size: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None
    content_type: str | None
    name: str
    message_id: str | None
    channel_id: str | None
    kind: str
    fetched_at: str
    state: str

    @property
    def digest(self) -> str | None:
        """What is kept; ``None`` where nothing is, or where the line does not say what in a way that can be."""
        if self.state != MediaState.KEPT or self.sha256 is None or self.size is None:
            return None
        return self.sha256 if DIGEST.match(self.sha256) is not None else None


class Kept(NamedTuple):
    """What was fetched."""

    sha256: str
    size: int
    content_type: str | None


def line_for(reference: MediaReference, state: MediaState, *, now: datetime, kept: Kept | None = None) -> MediaLine:
    """Return the line for what became of a reference."""
    return MediaLine(
        url=unsigned(reference.url),
        sha256=kept.sha256 if kept else None,
        size=kept.size if kept else None,
        content_type=kept.content_type if kept else None,
        name=reference.name,
        message_id=reference.message_id,
        channel_id=reference.channel_id,
        kind=reference.kind.value,
        fetched_at=now.isoformat(timespec="seconds"),
        state=state.value,
    )


class NumberedLine(NamedTuple):
    """One whole line of the ledger. ``value`` is ``None`` where it is no line of ours."""

    number: int
    end: int
    """The byte behind it."""
    value: MediaLine | None


_DECODER = msgspec.json.Decoder(MediaLine)


def decode(raw: bytes) -> MediaLine | None:
    """Return the line in these bytes; ``None`` where they are none."""
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def read_ledger(path: Path, *, start: int = 0) -> Iterator[NumberedLine]:
    """Yield the whole lines from a byte on, numbered from there; none where there is no file. A torn end is left out.

    Raises: OSError.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        end = start
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):
                return
            end += len(raw)
            yield NumberedLine(number, end, decode(raw))


class Ledger:
    """The ledger open for adding, by this process alone."""

    def __init__(self, path: Path, *, disk: Disk = REAL) -> None:
        """Open it, and cut off a torn last line.

        Raises: OSError, BlockingIOError when another process has it; NoRegularFile; FlockUnsupported.
        """
        descriptor = open_locked(path, os.O_RDWR | os.O_CREAT, open_file=disk.open)
        if descriptor is None:
            raise BlockingIOError(errno.EAGAIN, "another process keeps media here", str(path))
        try:
            self._file = LineFile(descriptor, disk=disk)
            disk.sync_folder(path.parent)
        except BaseException:
            disk.close(descriptor)
            raise
        self._waiting: list[MediaLine] = []
        self._lock = threading.Lock()
        self._commit = threading.Lock()
        self._broken: OSError | None = None

    def add(self, line: MediaLine, written: Callable[[list[MediaLine]], None]) -> None:
        """Return when the line is durable; ``written`` gets it, with those of others that were written with it.

        Raises: OSError.
        """
        with self._lock:
            self._waiting.append(line)
        with self._commit:
            if self._broken is not None:
                raise self._broken
            with self._lock:
                batch, self._waiting = self._waiting, []
            if not batch:
                return  # another thread's turn took it along
            try:
                self._file.add(b"\n".join(map(msgspec.json.encode, batch)), durable=True)
            except OSError as error:
                self._broken = error  # what did not get to the disk is not tried again in this run
                raise
            written(batch)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
