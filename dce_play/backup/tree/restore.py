"""An archive of folders back in place, or into a folder of its own.

In place each root is unpacked beside where it belongs, and only a whole and verified one is swapped in: what was there
is renamed, never removed, and renamed back if anything fails.
"""

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import RootFacts
from dce_play.backup.protocols import OpenBackup, Restoring
from dce_play.backup.streams import SourceFile
from dce_play.backup.tree.unpack import TreeUnpacker, UnpackRules
from dce_play.errors import ExitCode
from dce_play.system.clock import free_stamp
from dce_play.system.counted import counted
from dce_play.system.durable.swaps import Swap, swap_back
from dce_play.system.durable.whole_files import sync_folder


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One root on its way back."""

    label: str
    place: Path
    """Where it belongs: absolute, without a link in it."""
    holder: Path | None = None
    """The place of the root that it lies in, with which it comes and goes."""

    def aside(self, stamp: str) -> Path:
        """Return where what is there now goes."""
        return self.place.with_name(f"{self.place.name}.before-{stamp}")

    def beside(self, stamp: str) -> Path:
        """Return where it is unpacked."""
        whole = self.holder or self.place
        return whole.with_name(f".{whole.name}.restore-{stamp}") / self.place.relative_to(whole)

    def is_taken(self, stamp: str) -> bool:
        """Return whether anything has one of the names that a swap needs: then it is an earlier restore's."""
        swap = self.swap(stamp)
        return any(map(os.path.lexists, (swap["aside"], swap["beside"], swap["undone"])))

    def swap(self, stamp: str) -> Swap:
        """Return the two renames that bring it in."""
        return Swap(
            place=str(self.place),
            aside=str(self.aside(stamp)),
            beside=str(self.beside(stamp)),
            undone=str(self.place.with_name(f"{self.place.name}.undone-{stamp}")),
            had_old=os.path.lexists(self.place),
        )


def moves(stored: Sequence[RootFacts], present: Sequence[RootFacts]) -> tuple[Move, ...]:
    """Return where each root of a backup goes: to the module's root of the same label, else of the same place in order.

    Raises: BackupError (``ambiguous``, exit 4), when the two do not fit each other.
    """
    by_label = {root.label: root for root in present}
    if all(root.label in by_label for root in stored):
        pairs = [(root, by_label[root.label]) for root in stored]
    elif len(stored) == len(present):
        order = sorted(stored, key=lambda root: root.label), sorted(present, key=lambda root: root.label)
        pairs = list(zip(*order, strict=True))
    else:
        raise BackupError(
            ErrorId.AMBIGUOUS,
            f"the backup has {counted(len(stored), 'root')}, the module {len(present)}: which goes where?",
            hint="restore it into an empty folder with --into",
        )
    return _held([Move(label=old.label, place=Path(new.source).resolve()) for old, new in pairs])


def _held(found: Sequence[Move]) -> tuple[Move, ...]:
    """Return the moves, with those that lie in another's place held by it.

    Raises: BackupError (``ambiguous``, exit 4), for two of one place, and for such as lie in another here only.
    """
    told: list[Move] = []
    for move in found:
        around = [each for each in found if each is not move and move.place.is_relative_to(each.place)]
        outer = min(around, key=lambda each: len(each.place.parts), default=None)
        if outer is None:
            told.append(move)
            continue
        below = str(move.place.relative_to(outer.place))
        if move.label != f"{outer.label}/{below}":
            raise BackupError(
                ErrorId.AMBIGUOUS,
                f"{move.place} would be replaced twice: by {outer.label} and by {move.label}",
                hint="restore it into an empty folder with --into",
            )
        told.append(msgspec.structs.replace(move, holder=outer.place))
    return tuple(told)


def refuse_unmovable(found: Sequence[Move], mounting: Sequence[str]) -> None:
    """Refuse roots that cannot be renamed.

    Raises: BackupError (``ambiguous``, exit 4).
    """
    if mounting:
        raise BackupError(
            ErrorId.AMBIGUOUS,
            f"the container {mounting[0]} runs and mounts what would be replaced",
            hint="stop it, or set quiesce.mode: stop",
        )
    for move in found:
        if move.place.is_mount():
            raise _busy(move)


def restore_in_place(backup: OpenBackup, found: Sequence[Move], restoring: Restoring) -> None:
    """Unpack all roots beside their places, then swap them in.

    Raises: BackupError: ``write-failed``, ``truncated``, ``verify-failed``; then all is as it was, or the note stays.
    """
    whole = [move for move in found if move.holder is None]
    stamp = free_stamp(restoring.stamp, lambda each: any(move.is_taken(each) for move in whole))
    swaps = [move.swap(stamp) for move in whole]
    restoring.begins(swaps=swaps)
    try:
        _unpack_beside(backup, found, stamp)
        os.sync()  # a name that is swapped in must not stand for bytes that are still on their way
        _swap(whole, stamp)
    except BaseException as error:
        try:
            swap_back(swaps, whole_too=True)
        except OSError as failure:
            raise _not_back(failure) from error
        for each in swaps:
            _remove(Path(each["beside"]))
            _remove(Path(each["undone"]))
        restoring.is_as_before()
        raise


def restore_into_folder(backup: OpenBackup, folder: Path) -> None:
    """Unpack a backup below an empty folder: ``<folder>/<root label>/…``.

    Raises: BackupError: ``write-failed``, ``truncated``, ``verify-failed``.
    """
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with backup.plain() as source:
            TreeUnpacker(top, UnpackRules(owners=os.geteuid() == 0)).unpack(SourceFile(source).read)
            source.finish()
    finally:
        os.close(top)


def _unpack_beside(backup: OpenBackup, found: Sequence[Move], stamp: str) -> None:
    innermost_first = sorted(found, key=lambda move: -len(move.label))
    places = {os.fsencode(move.label): os.fsencode(move.beside(stamp)).lstrip(b"/") for move in innermost_first}

    def rename(name: bytes) -> bytes | None:
        for label, place in places.items():
            if name == label or name.startswith(label + b"/"):
                return place + name[len(label) :]
        return None

    top = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with backup.plain() as source:
            rules = UnpackRules(owners=os.geteuid() == 0, rename=rename)
            TreeUnpacker(top, rules).unpack(SourceFile(source).read)
            source.finish()
    finally:
        os.close(top)


def _swap(found: Sequence[Move], stamp: str) -> None:
    for move in found:
        if os.path.lexists(move.place):
            _rename(move, move.place, move.aside(stamp))
        _rename(move, move.beside(stamp), move.place)
        sync_folder(move.place.parent)


def _not_back(error: OSError) -> BackupError:
    reason = (error.strerror or str(error)).lower()
    message = f"the restore failed, and {error.filename} cannot be put back: {reason}"
    return BackupError(ErrorId.WRITE_FAILED, message, hint="dce-play backup recover")


def _rename(move: Move, source: Path, destination: Path) -> None:
    try:
        if os.path.lexists(destination):
            raise FileExistsError(errno.EEXIST, "it is there already", str(destination))
        source.rename(destination)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _busy(move) from error
        raise BackupError(
            ErrorId.WRITE_FAILED, f"cannot rename {source} to {destination}: {(error.strerror or str(error)).lower()}"
        ) from error


def _busy(move: Move) -> BackupError:
    return BackupError(
        ErrorId.AMBIGUOUS,
        f"{move.place} is a mount point and cannot be put aside",
        hint="restore it into an empty folder with --into, and copy it",
        exit_code=ExitCode.PREFLIGHT,
    )


def _remove(path: Path) -> None:
    """Remove what we unpacked ourselves and did not use."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
