"""What monitors have yet to hear: one file a run, locked while the run lives.

A run that is killed leaves its file, unlocked, to the next command; so does a failure that a monitor did not take. A
file goes when everybody was told.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dce_play.errors import DcePlayError
from dce_play.host.monitoring.config import ServiceKind
from dce_play.host.monitoring.note import Note
from dce_play.system.durable.whole_files import replacing
from dce_play.system.lock.file_lock import open_locked, try_flock

_SUFFIX = ".json"


class Debt(msgspec.Struct, frozen=True, kw_only=True):
    """One run of which somebody has yet to hear."""

    run: str
    folder: str
    """The project's folder: its ``dce-play.toml`` says who the monitors are."""
    playbook: str
    services: tuple[ServiceKind, ...]
    note: Note | None = None
    """What they should hear; ``None`` while the run goes on, and when it was killed: then its journal tells."""


@dataclass(slots=True)
class HeldDebt:
    """A debt that this process alone may settle. Close it."""

    debt: Debt
    path: Path
    descriptor: int

    def settle(self, services: tuple[ServiceKind, ...], note: Note | None) -> None:
        """Record who has still to hear, and what; with nobody left the file goes.

        Raises: OSError.
        """
        if not services:
            self.path.unlink(missing_ok=True)
            return
        self.debt = msgspec.structs.replace(self.debt, services=services, note=note)
        data = msgspec.json.encode(self.debt)
        os.pwrite(self.descriptor, data, 0)
        os.ftruncate(self.descriptor, len(data))
        os.fsync(self.descriptor)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)


def owe(folder: Path, debt: Debt) -> HeldDebt:
    """Record a debt of a run that is about to begin, or of one that was resumed.

    Raises: OSError; FlockUnsupported.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{debt.run}{_SUFFIX}"
    with replacing(path, mode=0o600) as new:
        os.write(new.descriptor, msgspec.json.encode(debt))
        try_flock(new.descriptor, path)  # before it has its name: nobody may take the run for a killed one
        descriptor = os.dup(new.descriptor)
    return HeldDebt(debt=debt, path=path, descriptor=descriptor)


def owed(folder: Path, *, project: Path) -> Iterator[HeldDebt]:
    """Yield the debts of a project's runs that no living process holds, the oldest first. The caller closes each.

    What cannot be read is passed over.
    """
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        held = None
        with suppress(OSError, DcePlayError):
            held = _hold(path)
        if held is None:
            continue
        if held.debt.folder == str(project):
            yield held
        else:
            held.close()


def _hold(path: Path) -> HeldDebt | None:
    descriptor = open_locked(path, os.O_RDWR)
    if descriptor is None:
        return None
    try:
        debt = msgspec.json.decode(path.read_bytes(), type=Debt)
    except (OSError, msgspec.MsgspecError):
        os.close(descriptor)
        return None
    return HeldDebt(debt=debt, path=path, descriptor=descriptor)
