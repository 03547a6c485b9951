"""The record of one restore while it is under way: on disk before the first write, gone after the last look."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.restore_note import RestoreNote, read_note, remove_note, write_note
from dce_play.errors import ExitCode
from dce_play.system.durable import swaps as swaps_module
from dce_play.system.durable.swaps import Swap


class Progress:
    """Satisfies ``Restoring``."""

    def __init__(
        self, note: RestoreNote, path: Path, *, stamp: str, replace: bool, undo_first: Callable[[Sequence[str]], None]
    ) -> None:
        """``undo_first`` tells the guard process what to run before anything else when we are killed.

        Whatever an earlier restore has left in doubt is read from the note at ``path`` now.
        """
        self._before = read_note(path, module=note.module)
        self._note = note
        self._path = path
        self._stamp = stamp
        self._replace = replace
        self._undo_first = undo_first
        self._is_open = False

    @property
    def stamp(self) -> str:
        return self._stamp

    @property
    def replace(self) -> bool:
        return self._replace

    def begins(self, *, aside: Sequence[str] = (), swaps: Sequence[Swap] = ()) -> None:
        """Write the note, then promise the way back.

        Raises: BackupError: ``write-failed``, ``quiesce-failed``.
        """
        self._note = msgspec.structs.replace(self._note, aside=tuple(aside), swaps=tuple(swaps))
        try:
            write_note(self._path, self._note)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BackupError(
                ErrorId.WRITE_FAILED, f"nothing was changed: cannot write {self._path}: {reason}"
            ) from error
        self._is_open = True
        if swaps:
            try:
                self._undo_first((sys.executable, "-I", "-S", str(swaps_module.__file__), json.dumps(list(swaps))))
            except BackupError:
                self.is_as_before()
                raise

    def is_as_before(self) -> None:
        self._is_open = False
        if self._before is None:
            remove_note(self._path)
        else:
            write_note(self._path, self._before)

    def failure(self, error: BackupError) -> BackupError:
        """Return the failure as it is told: with the way out where the service may hold a half."""
        if not self._is_open:
            return error
        message = f"{error}; {self._note.module} may hold a half of the backup now"
        return BackupError(error.error_id, message, hint=self._note.way_out(), exit_code=ExitCode.FAILED)

    def ended(self) -> None:
        """Remove the note: also one that an earlier restore has left."""
        self._is_open = False
        remove_note(self._path)
