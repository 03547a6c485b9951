"""Whether a store and its ledger agree: lines without a file, files without a line, changed bytes, broken lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.media_store.ledger import read_ledger
from dce_play.discord.media_store.policy import MediaState
from dce_play.discord.media_store.store import DIGEST, MediaStore, digest_of
from dce_play.layout import TargetLayout
from dce_play.system.counted import counted


class MediaFault(StrEnum):
    """What is wrong. Scripts may rely on the spelling."""

    NOT_JSON = "media-line-damaged"
    NO_FILE = "media-file-missing"
    WRONG_SIZE = "media-file-size"
    WRONG_DIGEST = "media-file-rotten"
    NO_LINE = "media-file-without-line"
    UNREADABLE = "media-unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFinding:
    """One defect: ``detail`` has the digest or the number of the line."""

    fault: MediaFault
    path: Path
    detail: str


def verify_store(layout: TargetLayout, *, deep: bool = False) -> Iterator[MediaFinding]:
    """Yield what is wrong with a target's store. Writes nothing; takes 150 bytes of memory for each kept file."""
    store = MediaStore(layout)
    sizes: dict[bytes, int] = {}
    try:
        yield from _read_lines(layout.media_ledger, sizes)
        for digest, size in sizes.items():
            yield from _look_at(store, digest.hex(), size, deep=deep)
        for path in store.files():
            known = DIGEST.match(path.name) is not None and bytes.fromhex(path.name) in sizes
            if not known or path != store.path(path.name):
                detail = f"{path.relative_to(store.content)} has no line in {layout.media_ledger.name}"
                yield MediaFinding(fault=MediaFault.NO_LINE, path=path, detail=detail)
    except OSError as error:
        detail = f"{error.strerror or error}: {error.filename or layout.media}"
        yield MediaFinding(fault=MediaFault.UNREADABLE, path=layout.media, detail=detail)


def _read_lines(ledger: Path, sizes: dict[bytes, int]) -> Iterator[MediaFinding]:
    for line in read_ledger(ledger):
        value = line.value
        if value is None:
            yield MediaFinding(fault=MediaFault.NOT_JSON, path=ledger, detail=f"line {line.number} is no line of media")
        elif value.state == MediaState.KEPT:
            if value.digest is None or value.size is None:
                detail = f"line {line.number} says kept and has no digest or size"
                yield MediaFinding(fault=MediaFault.NOT_JSON, path=ledger, detail=detail)
            else:
                sizes[bytes.fromhex(value.digest)] = value.size


def _look_at(store: MediaStore, digest: str, size: int, *, deep: bool) -> Iterator[MediaFinding]:
    path = store.path(digest)
    found = store.size(digest)
    if found is None:
        yield MediaFinding(fault=MediaFault.NO_FILE, path=path, detail=f"{digest} is not there")
    elif found != size:
        detail = f"{digest} has {counted(found, 'byte')}, not {size}"
        yield MediaFinding(fault=MediaFault.WRONG_SIZE, path=path, detail=detail)
    elif deep:
        try:
            actual = digest_of(path)
        except OSError as error:
            yield MediaFinding(fault=MediaFault.UNREADABLE, path=path, detail=f"{digest}: {error.strerror or error}")
            return
        if actual != digest:
            detail = f"{digest} has the digest {actual}: its bytes changed"
            yield MediaFinding(fault=MediaFault.WRONG_DIGEST, path=path, detail=detail)
