"""Whether each ledger of media still begins with its old bytes and agrees with its store."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from dce_play.discord.archive.proof.compare import Comparison, FileState
from dce_play.discord.archive.proof.ledger_snapshot import LedgerSnapshot
from dce_play.discord.media_store.verify import verify_store
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId

_BLOCK = 1 << 20
_NO_CHANNEL = ChannelId("")


def ledger_failures(layout: TargetLayout, old: LedgerSnapshot | None, *, deep: bool = False) -> Iterator[Comparison]:
    """Yield what is wrong with a target's media: a ledger that lost or changed lines, a store that does not agree."""
    ledger = layout.media_ledger
    if old is not None:
        state = _state(ledger, old)
        if state is not None:
            yield Comparison(path=ledger, channel_id=_NO_CHANNEL, state=state)
    if layout.media.is_dir():
        for finding in verify_store(layout, deep=deep):
            yield Comparison(path=finding.path, channel_id=_NO_CHANNEL, state=FileState.INVALID, detail=finding.detail)


def _state(ledger: Path, old: LedgerSnapshot) -> FileState | None:
    digest, left = sha256(), old.size_bytes
    try:
        with ledger.open("rb") as file:
            while left and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                left -= len(block)
    except FileNotFoundError:
        return FileState.DISAPPEARED
    except OSError:
        return FileState.INVALID
    return None if not left and digest.hexdigest() == old.sha256 else FileState.BYTES_CHANGED
