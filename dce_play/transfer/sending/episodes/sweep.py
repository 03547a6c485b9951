"""What every pass does first: dead files leave the outbox, and retirements that were cut are finished."""

from collections.abc import Collection
from contextlib import suppress

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.episodes.moves import finish_half_retired
from dce_play.transfer.sending.episodes.spool import Outbox, Spool, Suffix
from dce_play.transfer.sending.log_lines import ShipLog

_HALF_RETIRED = frozenset({Suffix.RECEIPT, Suffix.PACK})


def sweep(spool: Spool, outbox: Outbox, episodes: Collection[EpisodeId], log: ShipLog) -> list[EpisodeId]:
    """Remove every file of the outbox whose episode is nowhere; return the ids whose retirement was finished.

    A file of an episode that is there stays. ``outbox`` and ``episodes`` are listings; before anything is removed,
    what they say is looked at anew under the moves' lock.
    """
    finished: list[EpisodeId] = []
    suspects = [
        identifier
        for identifier, suffixes in outbox.files.items()
        if identifier not in episodes or suffixes >= _HALF_RETIRED
    ]
    if not suspects and not outbox.temporaries:
        return finished
    with spool.moving():
        for name in outbox.temporaries:
            with suppress(FileNotFoundError):
                (spool.outbox / name).unlink()
                log.event("ship.swept", file=name)
        for identifier in sorted(suspects):
            if finish_half_retired(spool, identifier) is not None:
                finished.append(identifier)
            elif not spool.episode(identifier).exists():
                for name in spool.remove_files(identifier):
                    log.event("ship.swept", file=name)
    return finished
