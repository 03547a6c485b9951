"""Who is writing an export: a record beside it by which others can tell whether the writer still lives."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dce_play.snowflake import MessageId
from dce_play.system import identity
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.whole_files import write_atomic
from dce_play.system.identity import Life, life_of

OWNER_NAME = "owner.json"


class OwnerState(StrEnum):
    """What can be said about a writer from here."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"
    """Another host, or another pid namespace: its processes cannot be seen from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The writer of one export. A pid alone is no identity: pids are reused, and containers all have pid 1."""

    host: str
    boot_id: str
    pid: int
    pid_start: int
    """Clock ticks since boot at which the process started."""
    pidns: str
    started: str
    """UTC, ``2026-11-21T01:15:07Z``."""
    cursor: MessageId | None
    """The id after which the export begins; ``None`` for one that begins with the channel."""
    container_id: str = ""
    ended: str = ""
    """When the writer said that it was done, whole or not; empty while it writes."""


def this_process(*, cursor: MessageId | None, now: datetime, container_id: str = "") -> Owner:
    """Return this process as the owner of an export that starts now."""
    me = identity.this_process()
    return Owner(
        host=me.host,
        boot_id=me.boot_id,
        pid=me.pid,
        pid_start=me.pid_start or 0,
        pidns=me.pidns,
        started=utc_stamp(now),
        cursor=cursor,
        container_id=container_id,
    )


def owner_state(owner: Owner) -> OwnerState:
    """Return whether the owner still runs, as far as can be seen from this process."""
    if owner.ended:
        return OwnerState.GONE
    life = life_of(owner)
    if life.is_over:
        return OwnerState.GONE
    return OwnerState.ALIVE if life is Life.ALIVE else OwnerState.UNKNOWN


def write_owner(folder: Path, owner: Owner) -> None:
    """Put the record into the export's folder, durably."""
    write_atomic(folder / OWNER_NAME, (json.dumps(asdict(owner), indent=2) + "\n").encode())


def read_owner(folder: Path) -> Owner | None:
    """Return the record in the export's folder, or ``None`` where there is none that can be read."""
    try:
        facts = json.loads((folder / OWNER_NAME).read_bytes())
        return Owner(**facts)
    except (FileNotFoundError, ValueError, TypeError):
        return None
