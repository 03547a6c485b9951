"""Who a process is, so that another can tell later whether it still lives.

A pid is no identity: pids are used again, and every container has a process 1. Host, boot, pid namespace, pid and
start time together are one. What was written by older programs may lack some of them.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dce_play.system import proc

REUSE_SLACK_S = 2.0
"""Old scripts wrote down when they started up to this long after they had."""


class ProcessIdentity(Protocol):
    """What has to be known of a process; empty or ``None`` where it is not known."""

    @property
    def host(self) -> str: ...
    @property
    def boot_id(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def pid_start(self) -> int | None:
        """Clock ticks since boot at which the process started."""

    @property
    def pidns(self) -> str: ...
    @property
    def started(self) -> str:
        """When the process said that it had started, as ISO 8601; used where ``pid_start`` is not known."""


class Life(StrEnum):
    """What became of a process, as far as can be seen from here."""

    ALIVE = "alive"
    GONE = "gone"
    REUSED = "reused"
    """Its pid belongs to another process now."""
    REBOOTED = "rebooted"
    """The machine has been started again since."""
    ELSEWHERE = "elsewhere"
    """It runs, or ran, on another machine."""
    HIDDEN = "hidden"
    """It is in another pid namespace, whose processes cannot be seen from here."""

    @property
    def is_over(self) -> bool:
        """Whether the process is known not to run any more."""
        return self in {Life.GONE, Life.REUSED, Life.REBOOTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProcess:
    """What identifies this very process."""

    host: str
    boot_id: str
    pid: int
    pid_start: int | None
    pidns: str


def this_process() -> OwnProcess:
    """Return who we are."""
    pid = os.getpid()
    return OwnProcess(
        host=os.uname().nodename,
        boot_id=proc.boot_id(),
        pid=pid,
        pid_start=proc.start_ticks(pid),
        pidns=proc.pid_namespace(),
    )


def life_of(process: ProcessIdentity) -> Life:
    """Return what became of a process. The same boot is the same machine, whatever it calls itself."""
    host = os.uname().nodename
    if process.boot_id and process.boot_id != proc.boot_id():
        return Life.REBOOTED if process.host in {"", host} else Life.ELSEWHERE
    if not process.boot_id and process.host not in {"", host}:
        return Life.ELSEWHERE
    if process.pidns and process.pidns != proc.pid_namespace():
        return Life.HIDDEN
    match proc.liveness(process.pid, ticks=process.pid_start):
        case proc.Liveness.GONE:
            return Life.GONE
        case proc.Liveness.REUSED:
            return Life.REUSED
        case proc.Liveness.ALIVE:
            return Life.REUSED if process.pid_start is None and _began_later(process) else Life.ALIVE


def _began_later(process: ProcessIdentity) -> bool:
    """Return whether the process that has this pid now started after the one that wrote itself down."""
    try:
        noted = datetime.fromisoformat(process.started).timestamp()
    except ValueError:
        return False
    begun = proc.started_at(process.pid)
    return begun is not None and begun > noted + REUSE_SLACK_S
