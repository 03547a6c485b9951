"""What a stored archive says of itself: for receipts that were lost, and for ``receive verify``."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dce_play.system.clock import utc_stamp
from dce_play.transfer.archive_check import ArchiveCheck, ArchiveLimits
from dce_play.transfer.wire import Receipt

_PIECE_BYTES = 1 << 20


def receipt_from_archive(path: Path, episode_id: str, *, receiver: str, limits: ArchiveLimits) -> Receipt:
    """Return the receipt of an archive that has none: host and commit are what its ``meta.json`` says.

    Raises: ArchiveRefused, when it is no sound archive; OSError.
    """
    status = path.stat()
    stored_at = utc_stamp(datetime.fromtimestamp(status.st_mtime, UTC))
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(_PIECE_BYTES), b"")
        return receipt_from_pieces(
            pieces, episode_id, size=status.st_size, stored_at=stored_at, receiver=receiver, limits=limits
        )


def receipt_from_pieces(
    pieces: Iterable[bytes], episode_id: str, *, size: int, stored_at: str, receiver: str, limits: ArchiveLimits
) -> Receipt:
    """Return the receipt of an archive that is read piece by piece.

    Raises: ArchiveRefused, when it is no sound archive.
    """
    check = ArchiveCheck(episode_id, limits, packed_bytes=size)
    whole = hashlib.sha256()
    for piece in pieces:
        whole.update(piece)
        check.feed(piece)
    found = check.finish()
    return Receipt(
        v=1,
        id=episode_id,
        host_id=found.host_id,
        size=size,
        sha256=whole.hexdigest(),
        manifest_digest=found.manifest_digest,
        commit=found.commit or msgspec.UNSET,
        files=found.files,
        bytes=found.bytes,
        stored_at=stored_at,
        receiver=receiver,
    )
