"""Rows about folders, room, certificates and secret files, whoever they belong to."""

import os
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.host.certificates import BadCertificate, read_certificates
from dce_play.system.counted import counted

_SOON_DAYS = 30
_VERY_SOON_DAYS = 7
_NOW_DAYS = 1


def room_row(folder: Path, *, min_free: int) -> Row:
    """Return how much room there is where a folder lies. Below ``min_free`` (bytes) nothing new is taken."""
    quoted = shlex.quote(str(folder))
    look = (f"df -h {quoted}", f"sudo du -xh --max-depth=1 {quoted} | sort -h | tail")
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return red("disk.space", f"{folder}: {_reason(error)}", f"ls -ld {quoted}", count=1)
    free = status.f_bavail * status.f_frsize
    what = f"{free >> 20} MiB free at {folder}, {min_free >> 20} MiB are the least"
    if free < min_free:
        return red("disk.space", what, *look, count=1)
    if free < 2 * min_free or status.f_favail < 1000 < status.f_files:
        return yellow("disk.space", what, *look, count=1)
    return green("disk.space", what)


def folders_row(folders: Sequence[Path], *, user: str) -> Row:
    """Return whether folders are there, can be written and lie on one file system, so that a rename moves."""
    for folder in folders:
        quoted = shlex.quote(str(folder))
        if not folder.exists() and folder.parent.is_dir() and os.access(folder.parent, os.W_OK | os.X_OK):
            continue  # whoever needs it makes it
        if not folder.is_dir():
            fix = f"sudo install -d -m 0750 -o {shlex.quote(user)} {quoted}"
            return red("folders", f"no folder {folder}", fix, count=1)
        if not os.access(folder, os.W_OK | os.X_OK):
            return red("folders", f"{folder} cannot be written", f"sudo chown {shlex.quote(user)} {quoted}", count=1)
    if len({folder.stat().st_dev for folder in folders if folder.exists()}) > 1:
        places = " ".join(shlex.quote(str(folder)) for folder in folders)
        return red("folders", "the folders are on more than one file system", f"df -h {places}", count=1)
    return green("folders", f"{counted(len(folders), 'folder')}, writable, on one file system")


def certificate_row(code: str, path: Path, *, now: datetime, key: Path | None = None) -> Row:
    """Return when the first of a file's certificates to end does so, and whether its key can be read."""
    try:
        found = read_certificates(path)
    except BadCertificate as error:
        return red(code, str(error), error.hint, count=1)
    first = min(found, key=lambda each: each.not_after)
    look = f"openssl x509 -in {shlex.quote(str(path))} -noout -subject -dates"
    days = (first.not_after - now).total_seconds() / 86400
    until = f"{first.subject} ends {first.not_after:%Y-%m-%d}"
    if key is not None and not os.access(key, os.R_OK):
        return red(code, f"the key {key} cannot be read", f"ls -l {shlex.quote(str(key))}", count=1)
    if first.not_before > now:
        return red(code, f"{first.subject} begins {first.not_before:%Y-%m-%d %H:%M} UTC: too early", "date -u", count=1)
    if days <= 0:
        return red(code, f"{until}: expired", look, count=1)
    if days <= _NOW_DAYS:
        return red(code, f"{until}: within a day", look, count=1)
    if days <= _SOON_DAYS:
        urgent = ", within a week" if days <= _VERY_SOON_DAYS else ""
        return yellow(code, f"{until}, in {counted(round(days), 'day')}{urgent}", look, count=1)
    return green(code, until)


def secret_file_row(path: Path) -> Row:
    """Return whether a secret's file is there for us and for nobody else."""
    quoted = shlex.quote(str(path))
    try:
        mode = path.stat().st_mode & 0o777
        filled = bool(path.read_bytes().strip())
    except OSError as error:
        return red("token", f"{path}: {_reason(error)}", _put(quoted), count=1)
    if not filled:
        return red("token", f"{path} is empty", _put(quoted), count=1)
    if mode & 0o037:
        return yellow("token", f"{path} is open to others (mode {mode:04o})", f"sudo chmod 0640 {quoted}", count=1)
    return green("token", f"{path} is there, and closed to others")


def _put(quoted: str) -> str:
    """Return the command that takes a secret from the keyboard, and shows it neither in a list of processes."""
    return f"sudo install -m 0640 -g dce-play /dev/stdin {quoted}"


def _reason(error: OSError) -> str:
    return (error.strerror or "cannot be read").lower()
