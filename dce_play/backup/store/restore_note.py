"""The note of a restore that has begun and not ended, in our folder of backup_root, for every command that comes after.

While it lies there nobody knows what the service holds: the old data, the backup's, or a half.
"""

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.root import OURS
from dce_play.errors import ExitCode
from dce_play.system.clock import utc_stamp
from dce_play.system.durable.sealed import SealBroken, seal, unseal
from dce_play.system.durable.swaps import Swap, is_made, swap_back
from dce_play.system.durable.whole_files import remove_leftovers, sync_folder, write_atomic

RESTORE_NOTE = ".restore.json"
"""How the note of a module's restore ends."""
INTO_NOTE = ".dce-restore-has-not-ended"
"""The note in a folder that a backup is restored into."""
_VERSION = 1


class RestoreNote(msgspec.Struct, frozen=True, kw_only=True):
    """What was begun."""

    module: str
    file: str
    """The backup: its name in backup_root, or its path; empty when the note cannot be read."""
    began: str
    """UTC."""
    safety: str | None = None
    """The file name of the backup of what was there before, if one was taken."""
    aside: tuple[str, ...] = ()
    """A line for each thing that was put aside, for people."""
    swaps: tuple[Swap, ...] = ()
    """Roots that change places: what can be put back without anybody."""

    def told(self) -> str:
        """Return one line that says what is the matter."""
        source = f" from {self.file}" if self.file else ""
        return f"a restore of {self.module}{source} was begun at {self.began} and has not ended"

    def way_out(self) -> str:
        """Return the commands that end it."""
        if self.swaps:
            return "dce-play backup recover"
        looked = f"when you have seen that {self.module} is whole: dce-play backup recover --restored {self.module}"
        if not self.file:
            return looked
        again = f"again: dce-play backup restore {self.file} --apply"
        if self.safety is None:
            return f"{again}; {looked}"
        return f"back: dce-play backup restore {self.safety} --apply; {again}; {looked}"

    def refusal(self) -> BackupError:
        """Return the failure of what needs a service that is whole."""
        return BackupError(ErrorId.INCOMPLETE, self.told(), hint=self.way_out(), exit_code=ExitCode.PREFLIGHT)


def note_path(root: Path, module: str) -> Path:
    """Return where a module's note lies."""
    return root / OURS / f"{module}{RESTORE_NOTE}"


def write_note(path: Path, note: RestoreNote) -> None:
    """Write it, so that it is on the disk before anything else is. The caller alone writes it.

    Raises: OSError.
    """
    remove_leftovers(path)
    facts: Mapping[str, Any] = msgspec.to_builtins(note)
    write_atomic(path, seal(facts, version=_VERSION), mode=0o600)


def read_note(path: Path, *, module: str) -> RestoreNote | None:
    """Return the note at a path, or ``None`` without one. One that cannot be read tells of a restore all the same."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return msgspec.convert(unseal(data, version=_VERSION), RestoreNote)
    except (SealBroken, ValueError):
        written = datetime.fromtimestamp(path.lstat().st_mtime).astimezone()
        return RestoreNote(module=module, file="", began=utc_stamp(written))


def remove_note(path: Path) -> None:
    """Remove it, so that it stays away."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def end_swaps(root: Path, module: str) -> tuple[str, ...]:
    """Put roots back that a killed restore left half swapped, and remove its note; return what was done, for people.

    Where every root was swapped in already, the restore had come to its end. The caller holds the module's lock.

    Raises: BackupError (``write-failed``), when something cannot be put back; the note stays.
    """
    path = note_path(root, module)
    note = read_note(path, module=module)
    if note is None or not note.swaps:
        return ()
    try:
        told = tuple(swap_back(note.swaps))
        is_whole = not told and all(map(is_made, note.swaps))
        for swap in note.swaps:
            shutil.rmtree(swap["beside"], ignore_errors=True)  # never was in its place, and is in the backup
            Path(swap["beside"]).unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"{note.told()}, and {error.filename} cannot be put back: {reason}"
        raise BackupError(
            ErrorId.WRITE_FAILED, message, hint="see what is there, then: dce-play backup recover"
        ) from error
    remove_note(path)
    what = "had come to its end: what it restored is in place" if is_whole else "is undone: all is as it was"
    return (*told, f"the restore of {module} that was begun at {note.began} {what}")


def refuse_half_restored(root: Path, module: str) -> None:
    """Refuse a module whose restore has not ended.

    Raises: BackupError (``incomplete``, exit 4).
    """
    note = read_note(note_path(root, module), module=module)
    if note is not None:
        raise note.refusal()
