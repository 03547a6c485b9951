"""Where a Discord token is looked for, in which order, and what was found.

Automating a user account is against Discord's terms of service; a bot token is what we recommend.
Source: docs/decisions, "Token order"; docs/contract.md, R-11.01.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dce_play.auth.env_file import read_env_file
from dce_play.auth.gui_settings import read_gui_token, settings_candidates, this_machine
from dce_play.auth.token_file import check_token, mode_warning, read_token_file
from dce_play.errors import DcePlayError, ExitCode

KEYRING_SERVICE = "dce-play"
KEYRING_USER = "discord"


class NoToken(DcePlayError):
    """Nothing that we look at holds a token."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION

    def __init__(self, notes: tuple[str, ...]) -> None:
        looked = f" ({'; '.join(notes)})" if notes else ""
        super().__init__(f"no Discord token found{looked}", hint="export DISCORD_TOKEN, or run: dce-play auth set")
        self.notes = notes


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundToken:
    """A token and where it came from. Its text shows neither in ``repr`` nor in any message."""

    token: str
    source: str
    path: Path | None = None
    """The file that held it, so that it can be read again."""
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"FoundToken(source={self.source!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look."""

    environment: Mapping[str, str]
    folder: Path
    """The working folder: holds ``scrape.env``, ``.discord-token``, ``Settings.dat``."""
    home: Path

    @property
    def env_file(self) -> Path:
        """``DCE_ENV_FILE``, else ``scrape.env`` in the working folder."""
        given = self.environment.get("DCE_ENV_FILE")
        return self.folder / given if given else self.folder / "scrape.env"


def places(environment: Mapping[str, str], folder: Path) -> Places:
    """Return the places of an environment and a working folder."""
    return Places(environment=environment, folder=folder, home=Path(environment.get("HOME", "/nonexistent")))


_Look = Callable[[Places], "FoundToken | str | None"]
"""Finds a token, or tells why a place that is there holds none, or ``None`` where there is nothing to tell."""


def discover_token(where: Places) -> FoundToken:
    """Return the first token in order: token file and value of the environment, the env file's two, well-known
    files, keyring, desktop program's settings. Empty places are passed over with a note.

    Raises: NoToken; BadTokenFile, InvalidEnvFile for a place that was named on purpose and is broken.
    """
    notes: list[str] = []
    for look in (_environment, _env_file, _well_known, _keyring, _gui):
        found = look(where)
        if isinstance(found, FoundToken):
            check_token(found.token, found.source)
            return FoundToken(
                token=found.token, source=found.source, path=found.path, warnings=(*notes, *found.warnings)
            )
        if found:
            notes.append(found)
    raise NoToken(tuple(notes))


def gui_token(where: Places) -> FoundToken:
    """Return the desktop program's token, whatever else there is.

    Raises: NoToken, BadTokenFile.
    """
    found = _gui(where)
    if isinstance(found, FoundToken):
        check_token(found.token, found.source)
        return found
    raise NoToken((found or "no Settings.dat of the desktop program found",))


def _environment(where: Places) -> FoundToken | str | None:
    return _pair(where.environment, where.folder, "environment")


def _env_file(where: Places) -> FoundToken | str | None:
    path = where.env_file
    if not path.exists():
        return None
    found = _pair(read_env_file(path).values, path.parent, str(path))
    if isinstance(found, FoundToken) and found.path is None:
        return FoundToken(token=found.token, source=found.source, path=path, warnings=_warnings(path))
    return found


def _pair(values: Mapping[str, str], folder: Path, where: str) -> FoundToken | str | None:
    """Look at ``DISCORD_TOKEN_FILE``, then ``DISCORD_TOKEN``: a file beats a value."""
    notes = []
    if file := values.get("DISCORD_TOKEN_FILE", "").strip():
        path = folder / file
        token = read_token_file(path)
        if token:
            return FoundToken(token=token, source=f"{where}: DISCORD_TOKEN_FILE", path=path, warnings=_warnings(path))
        notes.append(f"{path} is empty")
    if "DISCORD_TOKEN" in values:
        token = values["DISCORD_TOKEN"].strip()
        if token:
            return FoundToken(token=token, source=f"{where}: DISCORD_TOKEN")
        notes.append(f"DISCORD_TOKEN of {where} is empty")
    return "; ".join(notes) or None


def _well_known(where: Places) -> FoundToken | str | None:
    notes = []
    for path in _well_known_files(where):
        if not path.is_file():
            continue
        token = read_token_file(path)
        if token:
            return FoundToken(token=token, source=str(path), path=path, warnings=_warnings(path))
        notes.append(f"{path} is empty")
    return "; ".join(notes) or None


def _well_known_files(where: Places) -> Iterator[Path]:
    yield where.folder / ".discord-token"
    yield where.home / ".config" / "discord-scrape" / "token"
    yield where.home / ".config" / "discord-token"


def _keyring(where: Places) -> FoundToken | str | None:  # noqa: ARG001 - one signature for all places
    try:
        import keyring  # an extra, and slow to load: asked only when nothing else held a token
    except ImportError:
        return None
    token = keyring.get_password(KEYRING_SERVICE, KEYRING_USER)
    return FoundToken(token=token.strip(), source="keyring") if token and token.strip() else None


def _gui(where: Places) -> FoundToken | str | None:
    for path in settings_candidates(where.environment, where.folder, where.home):
        if path.is_file():
            token = read_gui_token(path, this_machine(where.environment))
            if token:
                return FoundToken(token=token, source=f"{path} (desktop program)", path=path)
            return f"{path} holds no token"
    return None


def _warnings(path: Path) -> tuple[str, ...]:
    warning = mode_warning(path)
    return (warning,) if warning else ()
