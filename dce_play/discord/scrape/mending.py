"""What mends a channel that failed: its file, why, and the one command to type."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.tail import NotCanonical
from dce_play.discord.scrape.outcome import ChannelOutcome

_END_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """All is empty where nothing failed, or nothing is known."""

    path: Path | None = None
    why: str = ""
    fix: str = ""


def failure_of(outcome: ChannelOutcome, /, *, folder: Path) -> Mending:
    """Return why a channel failed and what mends it; ``folder`` is where the command will be typed."""
    match outcome.error:
        case DamagedFile(path=path, offset=offset, reason=reason, damage=damage):
            verb = "salvage" if damage is Damage.TRUNCATED else "audit"
            return Mending(path=path, why=f"damaged: {reason} (byte {offset})", fix=_command(verb, path, folder))
        case NotCanonical(path=path, reason=reason) if _is_cut(path):
            why = f"damaged: the file ends inside a message (byte {path.stat().st_size})"
            return Mending(path=path, why=why, fix=_command("salvage", path, folder))
        case NotCanonical(path=path, reason=reason, whole=whole):
            return Mending(path=path, why=reason, fix=_command("normalise" if whole else "audit", path, folder))
        case _:
            return Mending(path=outcome.file_path)


def name_in(path: Path | None, /) -> str:
    """Return the channel's name as its file name has it; empty where it has none."""
    if path is None or " [" not in path.stem:
        return ""
    return path.stem.rpartition(" [")[0].rpartition(" - ")[2]


def _command(verb: str, path: Path, folder: Path) -> str:
    shown = path.relative_to(folder) if path.is_relative_to(folder) else path
    return shlex.join(["dce-play", "archive", verb, str(shown)])


def _is_cut(path: Path) -> bool:
    """Return whether the file does not even end as a JSON object does."""
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _END_BYTES, 0))
            return not file.read().rstrip().endswith(b"}")
    except OSError:
        return False
