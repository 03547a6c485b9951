"""What a machine must have before we install anything on it: all that is missing, at once."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from dce_play.host.install.request import CannotInstall, Request, Role

OLDEST_PYTHON = (3, 11)
ROOM_BYTES = 512 << 20
"""What the sources, their environment and a little of a spool take."""


def check_prerequisites(request: Request, *, environment: Mapping[str, str], python: Path) -> None:
    """Do nothing when the machine has what the roles need.

    Below a destdir systemd is not asked for: the files may be for another machine.

    Raises: CannotInstall, naming everything that is missing.
    """
    path = environment.get("PATH")
    missing: list[tuple[str, str]] = []
    if sys.version_info[:2] < OLDEST_PYTHON:
        missing.append((f"Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer", "apt-get install python3"))
    if request.source is not None and not python.exists():
        missing.append((f"the Python at {python}", "apt-get install python3-venv"))
    if request.destdir is None:
        if not Path("/run/systemd/system").is_dir():
            missing.append(
                ("a running systemd", "run it on a machine with systemd, or write files below --destdir DIR")
            )
        missing += [
            (f"the program {name}", "apt-get install systemd")
            for name in ("systemctl", "systemd-sysusers", "systemd-tmpfiles")
            if shutil.which(name, path=path) is None
        ]
    if Role.RECEIVER in request.roles and shutil.which("git", path=path) is None:
        missing.append(("git, for the version gate", "apt-get install git"))
    if request.source is not None and not (request.source / "pyproject.toml").is_file():
        missing.append((f"the sources of dce-play in {request.source}", "name a checkout with --source DIR"))
    room = _room_at(request.below(request.prefix))
    if room < ROOM_BYTES:
        missing.append((f"room: {ROOM_BYTES >> 20} MiB needed, {room >> 20} MiB free", f"df -h {request.prefix}"))
    if missing:
        raise CannotInstall(
            "missing: " + "; ".join(what for what, _ in missing),
            hint="\n".join(dict.fromkeys(fix for _, fix in missing)),
        )


def _room_at(path: Path) -> int:
    place = path
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
