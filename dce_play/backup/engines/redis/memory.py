"""Whether a machine has the memory that a fork for a snapshot may need."""

from contextlib import suppress
from pathlib import Path

from dce_play.backup.engines.redis.link import Link
from dce_play.backup.errors import WarningId
from dce_play.backup.facts import Warned
from dce_play.system.counted import counted

_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
_MEMINFO = Path("/proc/meminfo")
_HEURISTIC = "0"
_NEVER = "2"


def fork_warnings(link: Link) -> tuple[Warned, ...]:
    """Return a warning when the server's memory, twice, is more than this machine has, and the kernel counts it.

    Only for a server on this machine: another one's memory is not ours to know.
    """
    is_here = link.keys.socket or link.container is not None or link.keys.host in {"", "127.0.0.1", "::1", "localhost"}
    if not is_here:
        return ()
    used = int(link.info("memory").get("used_memory_rss", "0"))
    available = _available_bytes()
    policy = ""
    with suppress(OSError):
        policy = _OVERCOMMIT.read_text(encoding="ascii").strip()
    if available is None or policy not in {_HEURISTIC, _NEVER} or used <= available:
        return ()
    message = (
        f"the server uses {counted(used, 'byte')} and {available} are free: "
        f"its fork may fail (vm.overcommit_memory={policy})"
    )
    return (Warned(id=WarningId.MEMORY_FOR_FORK, message=message),)


def _available_bytes() -> int | None:
    with suppress(OSError, ValueError):
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None
