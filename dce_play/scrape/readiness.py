"""Whether this machine can scrape these targets now: every check with its result, none hiding another."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.auth.discovery import discover_token, places
from dce_play.errors import DcePlayError
from dce_play.system.disk import disk_space
from dce_play.targets.model import Target, TargetsFile

DEFAULT_MIN_FREE_MIB = 1024


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


def folder_checks(targets_file: TargetsFile, targets: Sequence[Target]) -> list[Check]:
    """Check that the archive root and the targets' folders, where they exist, can be written to."""
    folders = (targets_file.archive_root, *(target.output_dir for target in targets))
    return [
        Check(name="folder", verdict=Verdict.FAIL, detail=f"folder: {path} cannot be read or written")
        for path in folders
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK)
    ]
