"""Where a backup goes: its name, and whether there is room for it."""

from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import EncryptKeys, Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.filters.compression import NONE
from dce_play.backup.protocols import EngineSource
from dce_play.backup.store.catalog import Entry
from dce_play.backup.store.names import BackupName
from dce_play.backup.take.options import recipients
from dce_play.system.clock import Clock, file_stamp
from dce_play.system.counted import counted
from dce_play.system.disk import disk_space

_COMPRESSES_TO = 10
"""A stream that we compress may become so many times smaller: less room than that is surely too little."""
_SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}


def defined_recipients(module: Module) -> tuple[str, ...]:
    """Return the recipients of a module's definition, as the command line writes them."""
    keys = module.keys.encrypt
    return (*keys.age, *(f"gpg:{fingerprint}" for fingerprint in keys.gpg))


def encrypted_to(module: Module, words: tuple[str, ...]) -> Module:
    """Return a module whose definition names these recipients: an engine must know that nothing plain may lie about."""
    age = tuple(word for word in words if not word.startswith("gpg:"))
    gpg = tuple(word.removeprefix("gpg:") for word in words if word.startswith("gpg:"))
    keys = msgspec.structs.replace(module.keys, encrypt=EncryptKeys(age=age, gpg=gpg))
    return msgspec.structs.replace(module, keys=keys)


def file_name(module: Module, source: EngineSource, words: tuple[str, ...], moment: datetime) -> str:
    """Return a backup's name at a moment; ``words`` are its recipients.

    Raises: BackupError (``usage``), for recipients that are none.
    """
    suffix = ""
    if source.is_compressible and module.keys.compression != NONE:
        suffix = _SUFFIXES[module.keys.compression]
    if words:
        suffix += f".{recipients(words)[0]}"
    return str(BackupName(module=module.name, stamp=file_stamp(moment), extension=source.extension + suffix))


def free_name(
    module: Module, source: EngineSource, words: tuple[str, ...], root: Path, clock: Clock
) -> tuple[datetime, str]:
    """Return a time and its name, of which nothing is there yet; waits for the next second where it is taken."""
    while True:
        now = clock.now()
        beginning = f"{module.name}-{file_stamp(now)}."
        if not any(path.name.startswith(beginning) for path in root.iterdir()):
            return now, file_name(module, source, words, now)
        clock.sleep((timedelta(seconds=1) - timedelta(microseconds=now.microsecond)).total_seconds())


def refuse_without_room(module: Module, source: EngineSource, root: Path, previous: Entry | None) -> None:
    """Refuse a backup for which there is surely no room.

    Raises: BackupError (``no-space``).
    """
    estimate = source.estimate_bytes()
    free = disk_space(root).free_bytes
    shrinks = source.is_compressible and module.keys.compression != NONE
    needed = (estimate or 0) // (_COMPRESSES_TO if shrinks else 1)
    if previous is not None and estimate is None:
        needed = previous.manifest.bytes
    if free < needed:
        raise BackupError(
            ErrorId.NO_SPACE,
            f"{root} has {counted(free, 'byte')} free, and the backup needs about {needed}",
            hint="make room, or name another place with --backup-root",
        )


def machine_id() -> str:
    """Return the machine's id; empty where it has none."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
