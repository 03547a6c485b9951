"""What mends a channel that failed: its file, why, the one command to type, and what that saves."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.folder.temps import EXPORT_NAME
from dce_play.discord.archive.salvage.repair import NothingToRecover, find_boundary
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.discord.scrape.outcome import ChannelOutcome
from dce_play.system.counted import counted

_END_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """All is empty where nothing failed, or nothing is known."""

    path: Path | None = None
    why: str = ""
    fix: str = ""
    keeps: str = ""


def failure_of(outcome: ChannelOutcome, /, *, folder: Path, archive_root: Path) -> Mending:
    """Return why a channel failed and what mends it; ``folder`` is where the command will be typed."""
    match outcome.error:
        case DamagedFile(path=path) if outcome.temp_kept is not None and path.is_relative_to(outcome.temp_kept):
            return _partial(outcome, outcome.temp_kept, folder, archive_root)
        case DamagedFile(path=path, offset=offset, reason=reason, damage=damage):
            why = f"damaged: {reason} (byte {offset})"
            if damage is Damage.TRUNCATED:
                return _salvage(path, why, folder)
            return Mending(path=path, why=why, fix=_command("audit", path, folder))
        case NotCanonical(path=path, reason=reason) if _is_cut(path):
            return _salvage(path, f"damaged: the file ends inside a message (byte {path.stat().st_size})", folder)
        case NotCanonical(path=path, reason=reason, whole=whole):
            return Mending(path=path, why=reason, fix=_command("normalise" if whole else "audit", path, folder))
        case _ if outcome.temp_kept is not None:
            return _partial(outcome, outcome.temp_kept, folder, archive_root)
        case _:
            return Mending(path=outcome.file_path)


def _salvage(path: Path, why: str, folder: Path) -> Mending:
    """Return how much of a file that was cut off can be saved, which takes reading it; if nothing, what is wrong."""
    try:
        boundary = find_boundary(path)
    except (NothingToRecover, OSError):
        return Mending(path=path, why=why, fix=_command("audit", path, folder))
    if boundary.reversed:
        return Mending(path=path, why=why, fix=_command("audit", path, folder))
    keeps = f"{_messages(boundary.message_count)} can be kept; a backup stays"
    return Mending(path=path, why=why, fix=_command("salvage", path, folder), keeps=keeps)


def _partial(outcome: ChannelOutcome, place: Path, folder: Path, archive_root: Path) -> Mending:
    """Return how much a partial export has that its archive will get: at once by the command, else by the next run."""
    try:
        boundary = find_boundary(place / EXPORT_NAME)
    except (NothingToRecover, OSError):
        return Mending(path=outcome.file_path)
    if boundary.reversed or not boundary.message_count:
        return Mending(path=outcome.file_path)
    fix = shlex.join(["dce-play", "archive", "salvage", "--root", _shown(archive_root, folder)])
    keeps = f"{_messages(boundary.message_count)} of its export can be kept; the next run takes them too"
    return Mending(path=outcome.file_path, fix=fix, keeps=keeps)


def _messages(count: int) -> str:
    return counted(count, "message", grouped=True)


def _command(verb: str, path: Path, folder: Path) -> str:
    return shlex.join(["dce-play", "archive", verb, _shown(path, folder)])


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _is_cut(path: Path) -> bool:
    """Return whether the file does not even end as a JSON object does."""
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _END_BYTES, 0))
            return not file.read().rstrip().endswith(b"}")
    except OSError:
        return False
