"""The secrets that stand in places we know, found before a run's first event, so that nothing ever shows them.

Nothing here is refused or told: whether a token is right is for ``discovery`` to say, once somebody needs one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from dce_play.system.redact import SHORTEST_SECRET
from dce_play.system.secret_names import read_small, secrets_among, secrets_in_text

_TOKEN_FILE = "DISCORD_TOKEN_FILE"  # noqa: S105 - a name
_ENV_FILE = "scrape.env"


def known_secrets(environment: Mapping[str, str], folder: Path) -> frozenset[str]:
    """Return the secrets of the environment, of the env file, and of the token files that these and we know."""
    return frozenset(secret for secret in _all(environment, folder) if len(secret.strip()) >= SHORTEST_SECRET)


def _all(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    yield from secrets_among(environment)
    env_files = dict.fromkeys((folder / environment.get("DCE_ENV_FILE", _ENV_FILE), folder / _ENV_FILE))
    for env_file in env_files:
        text = read_small(env_file)
        yield from secrets_in_text(text)
        yield from _token_files(text, env_file.parent)
    home = Path(environment.get("HOME", "/nonexistent"))
    named = environment.get(_TOKEN_FILE, "").strip()
    for path in (
        *([folder / named] if named else []),
        folder / ".discord-token",
        home / ".config" / "discord-scrape" / "token",
        home / ".config" / "discord-token",
    ):
        yield _first_line(path)


def _token_files(text: str, folder: Path) -> Iterator[str]:
    for line in text.splitlines():
        name, found, value = line.strip().removeprefix("export ").partition("=")
        if found and name.strip() == _TOKEN_FILE:
            yield _first_line(folder / value.strip().strip("\"'"))


def _first_line(path: Path) -> str:
    return read_small(path).lstrip("\ufeff").split("\n", 1)[0].strip()
