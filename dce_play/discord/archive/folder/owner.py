"""Who is writing an export: a record beside it by which others can tell whether the writer still lives."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from dce_play.snowflake import MessageId
from dce_play.system import proc
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.whole_files import write_atomic

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
    pid = os.getpid()
    return Owner(
        host=socket.gethostname(),
        boot_id=proc.boot_id(),
        pid=pid,
        pid_start=proc.start_ticks(pid) or 0,
        pidns=proc.pid_namespace(),
        started=utc_stamp(now),
        cursor=cursor,
        container_id=container_id,
    )


def owner_state(owner: Owner) -> OwnerState:
    """Return whether the owner still runs, as far as can be seen from this process."""
    if owner.ended:
        return OwnerState.GONE
    if owner.host != socket.gethostname():
        return OwnerState.UNKNOWN
    if owner.boot_id != proc.boot_id():
        return OwnerState.GONE
    if owner.pidns != proc.pid_namespace():
        return OwnerState.UNKNOWN
    alive = proc.liveness(owner.pid, ticks=owner.pid_start) is proc.Liveness.ALIVE
    return OwnerState.ALIVE if alive else OwnerState.GONE


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
