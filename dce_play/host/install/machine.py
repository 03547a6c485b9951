"""What an installation does to the machine besides writing files: user, folders, environment, ownership, restarts."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from dce_play.errors import DcePlayError
from dce_play.host.install.request import ETC, Request, Role
from dce_play.system.process.executor import Command, Executor

_SHORT_S = 60.0
_BUILD_S = 1200.0


class InstallFailed(DcePlayError):
    """A program that an installation runs said no."""


def make_user_and_folders(executor: Executor) -> None:
    """Let systemd make the user and the folders that the installed files name."""
    _run(executor, ("systemd-sysusers", "/etc/sysusers.d/dce-play.conf"))
    _run(executor, ("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/dce-play.conf"))


def build_environment(request: Request, executor: Executor, *, python: Path) -> None:
    """Make the virtual environment of the prefix and install the sources into it."""
    prefix = request.below(request.prefix)
    venv = prefix / "venv"
    if not (venv / "bin" / "python").exists():
        _run(executor, (str(python), "-m", "venv", str(venv)), timeout_s=_BUILD_S)
    pip = (str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--upgrade", str(prefix))
    _run(executor, pip, timeout_s=_BUILD_S)


def set_ownership(request: Request) -> None:
    """Give the prefix to root, readable by all, and the configuration to root and the services' group.

    Raises: InstallFailed, when there is no such user.
    """
    prefix = request.prefix
    try:
        shutil.chown(prefix, "root", "root")
        for path in prefix.rglob("*"):
            if not path.is_symlink():
                shutil.chown(path, "root", "root")
        for path in ETC.glob("*.toml"):
            shutil.chown(path, "root", request.user)
    except LookupError as error:
        raise InstallFailed(f"no user {request.user}", hint=f"try: useradd --system {request.user}") from error


def restart_enabled(request: Request, executor: Executor, *, systemctl: str) -> list[str]:
    """Let systemd read its units anew, restart those of the named roles that are enabled, and return their names.

    Also when nothing changed: a process keeps the modules that it was started with. A role that was not named, or
    whose unit is not enabled, is left alone.
    """
    _run(executor, (systemctl, "daemon-reload"))
    restarted = []
    for role in request.roles:
        unit = f"{request.unit(role)}.{'timer' if role is Role.SCHEDULE else 'service'}"
        asked = executor.run(Command(argv=(systemctl, "is-enabled", unit), timeout_s=_SHORT_S))
        if asked.exit_code == 0 and asked.stdout.strip() in {"enabled", "enabled-runtime", ""}:
            _run(executor, (systemctl, "restart", unit), timeout_s=300.0)
            restarted.append(unit)
    return restarted


def _run(executor: Executor, argv: Sequence[str], *, timeout_s: float = _SHORT_S) -> None:
    ended = executor.run(Command(argv=tuple(argv), timeout_s=timeout_s))
    if ended.exit_code != 0:
        last = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise InstallFailed(f"{Path(argv[0]).name} exits {ended.exit_code}: {last[0]}", hint=f"try: {' '.join(argv)}")
