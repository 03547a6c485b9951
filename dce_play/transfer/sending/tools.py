"""What the parts of a shipper share while it runs."""

from collections.abc import Callable

import msgspec

from dce_play.system.clock import Clock
from dce_play.transfer.sending.backoff import Backoff
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.log_lines import ShipLog
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.state import StateFile


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """One shipper's configuration, folders, memory, log and clock."""

    config: ShipConfig
    spool: Spool
    state: StateFile
    backoff: Backoff
    log: ShipLog
    clock: Clock
    moved: Callable[[int], None]
    """Told of bytes as they move, and of nothing (0) while something waits; it raises to stop the work."""
