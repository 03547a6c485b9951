"""What the ledgers of media were: the size and the digest of their whole lines."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSnapshot:
    """The whole lines of one ledger as they were."""

    path: Path
    """Relative to the snapshot's root."""
    size_bytes: int
    sha256: str


def ledger_snapshot(ledger: Path, root: Path) -> LedgerSnapshot:
    """Return what a ledger is now, without a torn last line. Raises: OSError."""
    digest, size = sha256(), 0
    with ledger.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                digest.update(line)
                size += len(line)
    return LedgerSnapshot(path=ledger.relative_to(root), size_bytes=size, sha256=digest.hexdigest())
