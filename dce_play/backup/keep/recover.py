"""Undoing what a run of ours left that died: services that are still held, and files that never became a backup."""

from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError
from dce_play.backup.protocols import Services
from dce_play.backup.service.quiesce import undo_noted
from dce_play.backup.store.catalog import QUIESCE_NOTE, Leftover, read_catalog, sweep
from dce_play.backup.store.names import part_of, split_name
from dce_play.backup.store.restore_note import RESTORE_NOTE, end_swaps, note_path, read_note, remove_note
from dce_play.backup.store.root import check_safe_root, make_safe_root, module_lock


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was undone."""

    module: str
    what: str


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and what could not be."""

    undone: tuple[Undone, ...]
    removed: tuple[str, ...]
    failures: tuple[BackupError, ...]


def recover(root: Path, services: Services, *, restored: str = "") -> Recovered:
    """Undo everything that is left of runs that died. A module that somebody works on now is left alone.

    A restore whose roots change places is undone, or found to have ended. Any other that has not ended is a failure,
    but that of the module ``restored``: somebody has seen that it is whole, and its note goes.

    Raises: BackupError (``unsafe-root``).
    """
    check_safe_root(root)
    leftovers = read_catalog(root, now=services.clock.now()).leftovers
    if not leftovers:
        return Recovered(undone=(), removed=(), failures=())
    make_safe_root(root)
    undone: list[Undone] = []
    removed: list[str] = []
    failures: list[BackupError] = []
    for module in sorted({name for each in leftovers if (name := _module(each))}):
        quiesced = [each.path for each in leftovers if each.kind == "quiesce" and _module(each) == module]
        try:
            with module_lock(root, module):
                undone += [Undone(module=module, what=line) for line in end_swaps(root, module)]
                for path in quiesced:
                    undone += [Undone(module=module, what=undo.what) for undo in undo_noted(path, services).undo]
                note = read_note(note_path(root, module), module=module)
                if note is not None and module == restored:
                    remove_note(note_path(root, module))
                    removed.append(str(note_path(root, module)))
                elif note is not None:
                    failures.append(note.refusal())
                removed += [str(path) for path in sweep(root, module)]
        except BackupError as error:
            failures.append(error)
    return Recovered(undone=tuple(undone), removed=tuple(removed), failures=tuple(failures))


def _module(leftover: Leftover) -> str:
    name = leftover.path.name
    if leftover.kind == "quiesce":
        return name.removesuffix(QUIESCE_NOTE)
    if leftover.kind == "restore":
        return name.removesuffix(RESTORE_NOTE)
    owner = split_name(part_of(name) or "")
    return owner.module if leftover.kind == "part" and owner is not None else ""
