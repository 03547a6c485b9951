"""What the receiver asks of the place where episodes are kept. Two sorts: files, and S3 with PostgreSQL.

All calls block; the service makes them in threads. What is told as stored, listed or as an offset is durable.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from dce_play.transfer.wire import IndexRow, Receipt


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that a host wants to send, as its request's headers tell it."""

    id: str
    host_id: str
    size: int
    sha256: str
    """Of the archive, in hex."""
    manifest_digest: str | None = None
    commit: str | None = None


class UploadState(msgspec.Struct, frozen=True, kw_only=True):
    """A resumable upload: what was promised, and how much of it is durable."""

    upload: str
    offer: Offer
    offset: int
    created_at: str
    touched_at: str
    receipt: Receipt | None = None
    """Once it is finished."""

    @property
    def complete(self) -> bool:
        return self.receipt is not None


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored under an id now, and whether this very call stored it."""

    receipt: Receipt
    created: bool


class StoreCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many episodes are stored, and how many of them the index lacks."""

    episodes: int
    unlisted: int


class Incoming(Protocol):
    """An archive on its way in, not to be seen under its name yet."""

    def write(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes."""

    def finish(self) -> None:
        """Make all of it durable."""

    def discard(self) -> None:
        """Forget it. Once it is published nothing happens."""


class UploadWriter(Protocol):
    """The end of one resumable upload, for one request."""

    def write(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes; from time to time they become durable."""

    def sync(self) -> UploadState:
        """Make durable what can be, and return how far that is."""

    def incoming(self) -> Incoming:
        """Return the whole archive, ready to be published."""

    def close(self) -> None:
        """Let go of it."""


class Claim(Protocol):
    """The right to receive one id."""

    def release(self) -> None:
        """Give it back."""


class Storage(Protocol):
    """Where episodes are kept."""

    @property
    def rereads_parts(self) -> bool:
        """Return whether an unfinished upload's bytes can be read; else only those of a whole one."""

    @property
    def least_append_bytes(self) -> int:
        """Return how long a piece of an upload must be at least, unless it is the last one."""

    def start(self) -> None:
        """Make ready: list what is stored and not listed, sweep what is dead."""

    def look(self) -> None:
        """Read the index, for somebody who only looks; instead of ``start``."""

    def close(self) -> None:
        """Let go of everything."""

    def stored(self, episode_id: str) -> Receipt | None:
        """Return the receipt of a stored episode, made anew from its archive if it was lost."""

    def claim(self, episode_id: str) -> Claim | None:
        """Return the claim, or ``None`` while another request has it."""

    def receive(self, offer: Offer) -> Incoming:
        """Begin to take an archive in one go."""

    def publish(self, incoming: Incoming, receipt: Receipt, *, source: str) -> Published:
        """Give a whole and verified archive its name, unless an episode of this id is there; then list it."""

    def ensure_listed(self, receipt: Receipt) -> None:
        """Make sure that the index has a stored episode."""

    def create_upload(self, offer: Offer) -> UploadState:
        """Begin a resumable upload."""

    def find_upload(self, upload: str) -> UploadState | None:
        """Return an upload, or ``None`` when there is none of this name."""

    def append_to(self, state: UploadState) -> UploadWriter:
        """Return the upload's end; what lies beyond its offset is gone."""

    def read_upload(self, state: UploadState) -> Iterator[bytes]:
        """Return the upload's durable bytes, from its start to its offset."""

    def finish_upload(self, state: UploadState, receipt: Receipt) -> None:
        """Remember for a day that it is finished."""

    def remove_upload(self, state: UploadState) -> None:
        """Forget an upload and its bytes."""

    def sweep(self) -> list[str]:
        """Remove what broken and forgotten uploads left; return the names."""

    def rows(self) -> Iterator[IndexRow]:
        """Return what the index lists, as far as it can be understood."""

    def counts(self) -> StoreCounts:
        """Count what is stored, and what of it is not listed."""

    def free_bytes(self) -> int | None:
        """Return how much room there is, ``None`` where that has no end."""

    def why_not(self) -> str:
        """Return why nothing can be stored now, or nothing."""
