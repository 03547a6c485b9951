"""Refreshing a token that Discord no longer accepts: read its source again, or run the operator's command."""

import os
from pathlib import Path
from typing import ClassVar

from dce_play.discord.auth.discovery import FoundToken, NoToken, Places, discover_token
from dce_play.discord.auth.env_file import read_env_file
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command, Executor, ProgramTimedOut

_TIMEOUT_S = 300.0


class BadReauthCommand(DcePlayError):
    """``DCE_REAUTH_COMMAND`` cannot be run, or did not succeed."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION

    def __init__(self, command: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"DCE_REAUTH_COMMAND {command}: {reason}", hint=hint)


def refresh_token(old: str, where: Places, executor: Executor, *, interactive: bool) -> FoundToken | None:
    """Return a token that differs from the old one, or ``None`` when there is none to be had.

    The source is read again first; only when it still holds the old token is ``DCE_REAUTH_COMMAND`` run, without
    the token in its arguments, and the source read once more. Unattended, the command runs only when
    ``DCE_REAUTH_UNATTENDED=1`` says that it needs nobody.
    Raises: BadReauthCommand.
    Source: docs/contract.md, R-11.09 to R-11.12.
    """
    found = _different(old, where)
    command = _setting(where, "DCE_REAUTH_COMMAND")
    if found is not None or not command:
        return found
    if not interactive and _setting(where, "DCE_REAUTH_UNATTENDED") != "1":
        return None
    path = _checked(command, where.folder)
    try:
        finished = executor.run(
            Command(argv=(str(path),), timeout_s=_TIMEOUT_S, cwd=where.folder, secrets=frozenset({old}))
        )
    except ProgramTimedOut as error:
        raise BadReauthCommand(command, f"was ended after {_TIMEOUT_S:g} s", hint=f"see why: {path}") from error
    if finished.exit_code != 0:
        raise BadReauthCommand(command, f"failed with exit {finished.exit_code}", hint=finished.stderr.strip()[-200:])
    return _different(old, where)


def _different(old: str, where: Places) -> FoundToken | None:
    try:
        found = discover_token(where)
    except NoToken:
        return None
    return found if found.token != old else None


def _setting(where: Places, name: str) -> str:
    if value := where.environment.get(name, ""):
        return value
    return read_env_file(where.env_file).values.get(name, "") if where.env_file.exists() else ""


def _checked(command: str, folder: Path) -> Path:
    path = Path(command)
    if not path.is_absolute():
        raise BadReauthCommand(command, "is not an absolute path", hint=f"write {folder / command}")
    if not path.is_file():
        raise BadReauthCommand(command, "does not exist")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadReauthCommand(command, "is outside the working folder", hint=f"move it below {folder}")
    if not os.access(path, os.X_OK):
        raise BadReauthCommand(command, "is not executable", hint=f"chmod +x {path}")
    return path
