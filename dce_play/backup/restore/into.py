"""The folder that a backup is restored into: new or empty before, and marked until all is in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.store.restore_note import INTO_NOTE, RestoreNote, read_note, remove_note, write_note


@contextmanager
def folder_for(folder: Path, note: RestoreNote) -> Iterator[Path]:
    """Give the folder, empty but for a note that goes when the block has ended well and all is on the disk.

    A folder that we made and that has nothing in it is removed again.

    Raises: BackupError (``usage``), for a folder with something in it; OSError.
    """
    check_empty(folder)
    made = not folder.exists()
    if made:
        folder.mkdir(mode=0o700, parents=True)
    mark = folder / INTO_NOTE
    try:
        write_note(mark, note)
        yield folder
        os.sync()  # the note must not be gone before what it tells of is there
        remove_note(mark)
    except BaseException:
        if not any(each.name != INTO_NOTE for each in folder.iterdir()):
            mark.unlink(missing_ok=True)
            if made:
                folder.rmdir()
        raise


def check_empty(folder: Path) -> None:
    """Refuse a folder that has something in it, or is none.

    Raises: BackupError (``usage``).
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise BackupError(ErrorId.USAGE, f"{folder} is not an empty folder", hint="--into wants an empty or a new one")
    note = read_note(folder / INTO_NOTE, module="a backup")
    if note is not None:
        message = f"{folder} is half full: {note.told()}"
        raise BackupError(ErrorId.USAGE, message, hint=f"remove it (rm -r {folder}), or name another with --into")
    if any(folder.iterdir()):
        raise BackupError(ErrorId.USAGE, f"{folder} is not an empty folder", hint="--into wants an empty or a new one")
