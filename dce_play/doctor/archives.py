"""Rows about Discord archives: the lock, appends that never ended, exports that were cut off."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from dce_play.discord.lock.places import archive_lock_status
from dce_play.discord.targets.model import Target
from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.layout import TargetLayout
from dce_play.system.counted import counted
from dce_play.system.lock.status import Verdict


def archive_rows(
    archive_root: Path, targets: tuple[Target, ...], *, config: Path, environment: Mapping[str, str]
) -> list[Row]:
    """Return what can be seen of the archives without reading a channel file."""
    option = f"--config {shlex.quote(str(config))}"
    if not archive_root.is_dir():
        fix = f"dce-play run proof {option} --dry-run"
        return [yellow("archive.root", f"no archive root {archive_root} yet", fix, count=1)]
    layouts = [TargetLayout(target.output_dir) for target in targets if target.enabled]
    return [_lock_row(archive_root, option, environment), _journal_row(layouts), _partial_row(layouts, option)]


def _lock_row(archive_root: Path, option: str, environment: Mapping[str, str]) -> Row:
    seen = archive_lock_status(archive_root, environment)
    status = f"dce-play lock status {option}"
    match seen.verdict:
        case Verdict.HELD:
            return green("archive.lock", "a run holds the archive root's lock")
        case Verdict.FREE:
            return green("archive.lock", "the archive root's lock is free")
        case Verdict.STALE:
            what = "a run died and left its note beside the archive root's lock"
            return yellow("archive.lock", what, f"dce-play lock reclaim {option}", count=1)
    return yellow("archive.lock", f"the archive root's lock: {seen.state}", status, count=1)


def _journal_row(layouts: list[TargetLayout]) -> Row:
    pending = [layout.folder for layout in layouts if _any(layout.meta / "journal", ".json")]
    if not pending:
        return green("archive.journal", "no append was left unfinished")
    fix = [f"dce-play archive recover {shlex.quote(str(folder))}" for folder in pending]
    return red(
        "archive.journal", f"{counted(len(pending), 'target')} with an unfinished append", *fix, count=len(pending)
    )


def _partial_row(layouts: list[TargetLayout], option: str) -> Row:
    left = [layout for layout in layouts if layout.temp.is_dir() and any(_exports(layout.temp))]
    if not left:
        return green("archive.partial", "no cut-off export waits for salvage")
    fix = f"dce-play run salvage {option}"
    return yellow("archive.partial", f"{counted(len(left), 'target')} with cut-off exports", fix, count=len(left))


def _exports(temp: Path) -> list[Path]:
    return [path for path in temp.rglob("*.json") if "quarantine" not in path.parts and path.name != "owner.json"]


def _any(folder: Path, ending: str) -> bool:
    return folder.is_dir() and any(path.name.endswith(ending) for path in folder.iterdir())
