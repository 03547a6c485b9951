"""Where a Discord token is looked for, in which order, and what was found.

Automating a user account is against Discord's terms of service; a bot token is what we recommend.
Source: docs/decisions, "Token order"; docs/contract.md, R-11.01.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import ClassVar, TypeAlias

from dce_play.discord.auth.env_file import read_env_file
from dce_play.discord.auth.gui_settings import read_gui_token, settings_candidates, this_machine
from dce_play.discord.auth.token_file import check_token, read_token_file
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.secret_reference import mode_warning

KEYRING_SERVICE = "dce-play"
KEYRING_USER = "discord"


class NoToken(DcePlayError):
    """Nothing that we look at holds a token."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION

    def __init__(self, notes: tuple[str, ...]) -> None:
        looked = f" ({'; '.join(notes)})" if notes else ""
        super().__init__(f"no Discord token found{looked}", hint="export DISCORD_TOKEN, or run: dce-play auth set")
        self.notes = notes


class NoGuiToken(DcePlayError):
    """DiscordChatExporter's desktop program holds no token that we find."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION

    def __init__(self, notes: tuple[str, ...]) -> None:
        looked = f" ({'; '.join(notes)})" if notes else ""
        super().__init__(
            f"no token of DiscordChatExporter's desktop program found{looked}",
            hint="log in there, or name its Settings.dat with DISCORDCHATEXPORTER_SETTINGS_PATH",
        )


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


_Looked: TypeAlias = "Iterator[FoundToken | str]"
"""What a place gives: notes about parts of it that hold no token, and tokens."""


def discover_token(where: Places) -> FoundToken:
    """Return the first token in order: token file and value of the environment, the env file's two, well-known
    files, keyring, desktop program's settings. Empty places are passed over with a note.

    Raises: NoToken; BadTokenFile, InvalidEnvFile for a place that was named on purpose and is broken.
    """
    return _first(chain.from_iterable(look(where) for look in (_environment, _env_file, _well_known, _keyring, _gui)))


def gui_token(where: Places) -> FoundToken:
    """Return the desktop program's token, whatever else there is.

    Raises: NoGuiToken, BadTokenFile.
    """
    try:
        return _first(_gui(where))
    except NoToken as error:
        raise NoGuiToken(error.notes) from error


def _first(looked: _Looked) -> FoundToken:
    notes: list[str] = []
    for found in looked:
        if isinstance(found, FoundToken):
            check_token(found.token, found.source)
            return replace(found, warnings=(*notes, *found.warnings))
        notes.append(found)
    raise NoToken(tuple(notes))


def _environment(where: Places) -> _Looked:
    return _pair(where.environment, where.folder, "the environment")


def _env_file(where: Places) -> _Looked:
    path = where.env_file
    if path.exists():
        for found in _pair(read_env_file(path).values, path.parent, str(path)):
            if isinstance(found, FoundToken) and found.path is None:
                yield replace(found, path=path, warnings=_warnings(path))
            else:
                yield found


def _pair(values: Mapping[str, str], folder: Path, where: str) -> _Looked:
    """Look at ``DISCORD_TOKEN_FILE``, then ``DISCORD_TOKEN``: a file beats a value."""
    if file := values.get("DISCORD_TOKEN_FILE", "").strip():
        yield _in_file(folder / file, f"DISCORD_TOKEN_FILE of {where}")
    if "DISCORD_TOKEN" in values:
        token = values["DISCORD_TOKEN"].strip()
        source = f"DISCORD_TOKEN of {where}"
        yield FoundToken(token=token, source=source) if token else f"{source} is empty"


def _well_known(where: Places) -> _Looked:
    for path in (
        where.folder / ".discord-token",
        where.home / ".config" / "discord-scrape" / "token",
        where.home / ".config" / "discord-token",
    ):
        if path.is_file():
            yield _in_file(path, str(path))


def _in_file(path: Path, source: str) -> FoundToken | str:
    token = read_token_file(path)
    if not token:
        return f"{path} is empty"
    return FoundToken(token=token, source=source, path=path, warnings=_warnings(path))


def _keyring(where: Places) -> _Looked:  # noqa: ARG001 - one signature for all places
    try:
        import keyring  # an extra, and slow to load: asked only when nothing else held a token
    except ImportError:
        return
    token = keyring.get_password(KEYRING_SERVICE, KEYRING_USER)
    if token and token.strip():
        yield FoundToken(token=token.strip(), source="keyring")


def _gui(where: Places) -> _Looked:
    path = next(
        (path for path in settings_candidates(where.environment, where.folder, where.home) if path.is_file()), None
    )
    if path is None:
        return
    token = read_gui_token(path, this_machine(where.environment))
    source = f"{path} (desktop program)"
    yield FoundToken(token=token, source=source, path=path) if token else f"{path} holds no token"


def _warnings(path: Path) -> tuple[str, ...]:
    warning = mode_warning(path)
    return (warning,) if warning else ()
