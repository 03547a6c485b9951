"""Whether this machine can scrape these targets now: every check with its result, none hiding another."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from dce_play import __version__
from dce_play.discord.archive.folder.temps import activity, list_temps
from dce_play.discord.auth.discovery import discover_token, places
from dce_play.discord.exporters.choose import AUTO, ExporterName, chosen_exporter
from dce_play.discord.exporters.dce_launch import installed_dce_cli
from dce_play.discord.lock.places import archive_lock_status
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.system.clock import utc_stamp
from dce_play.system.counted import counted
from dce_play.system.disk import disk_space
from dce_play.system.lock.note import LockUnusable
from dce_play.system.lock.status import Verdict as LockVerdict

DEFAULT_MIN_FREE_MIB = 1024
CLOCK_SLACK_S = 300.0
"""Other machines that write here may go wrong by this much."""


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check and its result. ``detail`` is the operators' line."""

    name: str
    verdict: Verdict
    detail: str


def disk_checks(paths: Sequence[Path], environment: Mapping[str, str]) -> list[Check]:
    """Check the free space where each path lies against ``DCE_MIN_FREE_MB`` (1024; 0 and less skips the check)."""
    try:
        needed = int(environment.get("DCE_MIN_FREE_MB") or DEFAULT_MIN_FREE_MIB)
    except ValueError:
        text = environment["DCE_MIN_FREE_MB"]
        return [Check(name="disk", verdict=Verdict.FAIL, detail=f"DCE_MIN_FREE_MB is not a number: {text!r}")]
    if needed <= 0 or environment.get("DCE_SKIP_DISK_CHECK") == "1":
        return [Check(name="disk", verdict=Verdict.OK, detail=f"disk: check skipped (DCE_MIN_FREE_MB={needed})")]
    found: dict[Path, Check] = {}
    for path in paths:
        space = disk_space(path)
        mount = space.mount.folder
        if space.free_mib >= needed:
            check = Check(
                name="disk",
                verdict=Verdict.OK,
                detail=f"disk: {mount} has {space.free_mib} MiB free (need {needed} MiB)",
            )
        else:
            check = Check(
                name="disk",
                verdict=Verdict.FAIL,
                detail=(
                    f"Insufficient disk space on {mount}: {space.free_mib} MiB free, need at least {needed} MiB "
                    f"under {path}. Free space before scraping."
                ),
            )
        found.setdefault(mount, check)
    return list(found.values())


def token_checks(environment: Mapping[str, str], folder: Path) -> list[Check]:
    """Check that a token is to be found. It is not tried, and never shown."""
    try:
        found = discover_token(places(environment, folder))
    except DcePlayError as error:
        return [Check(name="auth", verdict=Verdict.FAIL, detail=f"auth: {error}; {error.hint}")]
    checks = [Check(name="auth", verdict=Verdict.OK, detail=f"auth: token from {found.source}")]
    return checks + [Check(name="auth", verdict=Verdict.WARN, detail=f"auth: {note}") for note in found.warnings]


def memory_checks(targets: Sequence[Target], environment: Mapping[str, str]) -> list[Check]:
    """Tell which memory limit exporter containers get: the environment's for all, else each target's own."""
    cap = environment.get("DCE_CONTAINER_MEMORY", "")
    if cap not in {"", "0"}:
        return [Check(name="memory", verdict=Verdict.OK, detail=f"container memory: {cap} (DCE_CONTAINER_MEMORY)")]
    return [
        Check(name="memory", verdict=Verdict.OK, detail=f"target memory: {each.name} → {each.container_memory}")
        for each in targets
        if each.container_memory
    ]


def exporter_checks(targets: Sequence[Target], environment: Mapping[str, str]) -> list[Check]:
    """Tell what would fetch the messages. No program is started; a container engine has a check of its own."""
    checks: list[Check] = []
    for name in sorted({chosen_exporter(target.exporter or AUTO, environment) for target in targets}):
        match name:
            case ExporterName.DISCORD_API:
                checks.append(Check(name="exporter", verdict=Verdict.OK, detail=f"exporter: {name} {__version__}"))
            case ExporterName.DCE_CLI:
                checks.append(_installed(environment))
            case ExporterName.CONTAINER:
                pass
            case _:
                assert_never(name)
    return checks


def _installed(environment: Mapping[str, str]) -> Check:
    try:
        program = installed_dce_cli(environment)
    except DcePlayError as error:
        return Check(name="exporter", verdict=Verdict.FAIL, detail=f"exporter: {error}; {error.hint}")
    return Check(name="exporter", verdict=Verdict.OK, detail=f"exporter: {ExporterName.DCE_CLI} {program}")


def lock_check(archive_root: Path, environment: Mapping[str, str]) -> Check:
    """Tell how the archive root's lock looks. Another run's is a warning: whoever needs the lock waits or fails."""
    try:
        status = archive_lock_status(archive_root, environment)
    except LockUnusable as error:
        return Check(name="lock", verdict=Verdict.FAIL, detail=f"lock: {error}")
    state = "held by this run" if status.ours else status.state
    held = status.verdict is LockVerdict.HELD and not status.ours
    return Check(name="lock", verdict=Verdict.WARN if held else Verdict.OK, detail=f"lock: {state}")


def temp_checks(targets: Sequence[Target], now: datetime) -> list[Check]:
    """Tell which targets have exports that dead runs left, how many and how large."""
    checks: list[Check] = []
    for target in targets:
        try:
            count, size = _left_behind(TargetLayout(target.output_dir), now)
        except OSError as error:
            detail = f"temps: {target.output_dir}: {error.strerror or error}"
            checks.append(Check(name="temps", verdict=Verdict.WARN, detail=detail))
            continue
        if count:
            left = f"{counted(count, 'export')} of dead runs, {counted(size, 'byte')}"
            detail = f"temps: {target.name} has {left}; dce-play run salvage"
            checks.append(Check(name="temps", verdict=Verdict.WARN, detail=detail))
    return checks or [Check(name="temps", verdict=Verdict.OK, detail="temps: none left behind")]


def _left_behind(layout: TargetLayout, now: datetime) -> tuple[int, int]:
    left = [temp for temp in list_temps(layout) if not activity(temp, now=now, min_age=None, open_files=()).active]
    return len(left), sum(temp.export.stat().st_size for temp in left if temp.export.is_file())


def clock_check(targets_file: TargetsFile, targets: Sequence[Target], now: datetime) -> Check:
    """Check that the clock is not behind what was written here before: times go into names, records and snowflakes."""
    layouts = [TargetLayout(target.output_dir) for target in targets]
    written = [targets_file.path, *(path for each in layouts for path in (each.appends, each.channel_map))]
    ahead = [path for path in written if path.is_file() and path.stat().st_mtime > now.timestamp() + CLOCK_SLACK_S]
    if ahead:
        detail = f"clock: it says {utc_stamp(now)}, but {ahead[0]} was written later"
        return Check(name="clock", verdict=Verdict.WARN, detail=detail)
    return Check(name="clock", verdict=Verdict.OK, detail=f"clock: {utc_stamp(now)}")


def folder_checks(targets_file: TargetsFile, targets: Sequence[Target]) -> list[Check]:
    """Check that the archive root and the targets' folders, where they exist, can be written to."""
    folders = (targets_file.archive_root, *(target.output_dir for target in targets))
    return [
        Check(name="folder", verdict=Verdict.FAIL, detail=f"folder: {path} cannot be read or written")
        for path in folders
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK)
    ]
