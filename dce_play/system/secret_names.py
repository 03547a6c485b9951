"""Which environment variables hold secrets, by their names; and the environment that a child gets without being asked.

A program that needs one gets it by name: a step's ``environment:``, ``secret_env``, or ``Command.env``.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from dce_play.system.redact import SHORTEST_SECRET

_SECRET_NAME = re.compile(
    r"(?:.*_)?(?:TOKEN|SECRET|KEY|PASSPHRASE|CREDENTIALS?)|.*(?:PASSWORD|PASSWD)|(?:.+)_PWD",
    re.IGNORECASE,
)
_GUESSED_AT_LEAST = 6
"""Characters of a value that its name alone makes a secret: ``PORTAL_KEY=up`` must not blot out ordinary text."""
LARGEST_FILE_BYTES = 64 << 10
"""So much of a file is looked through for secrets to mask; nobody takes a secret from a larger one."""
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def is_secret_name(name: str) -> bool:
    """Return whether a variable of this name holds a secret: ``*_TOKEN``, ``*_PASSWORD``, ``*_SECRET``, ``*_KEY``."""
    return _SECRET_NAME.fullmatch(name) is not None


def secrets_among(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the values of variables that hold secrets by their names, as far as masking them leaves text readable.

    A path that is there is none: ``SSL_KEY=/etc/ssl/key.pem`` names a secret, and is shown.
    """
    for name, value in environment.items():
        text = value.strip()
        if is_secret_name(name) and len(text) >= _least(name) and not _is_path(text):
            yield value


def secrets_in_text(text: str) -> Iterator[str]:
    """Yield the values that the lines of an env file give to such names, without their quotes; nothing is refused."""
    for line in text.splitlines():
        found = _ASSIGNMENT.fullmatch(line)
        if found is None:
            continue
        value = found[2]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        yield from secrets_among({found[1]: value})


def read_small(path: Path) -> str:
    """Return a small regular file's text, as far as it is text; nothing of what is not there or no file."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(LARGEST_FILE_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def without_secrets(environment: Mapping[str, str], asked: Collection[str] = ()) -> dict[str, str]:
    """Return the environment without variables that hold secrets, except those that were asked for."""
    return {name: value for name, value in environment.items() if name in asked or not is_secret_name(name)}


def _least(name: str) -> int:
    return SHORTEST_SECRET if name.upper().startswith("DISCORD_") else _GUESSED_AT_LEAST


def _is_path(text: str) -> bool:
    try:
        return text.startswith(("/", "~")) and Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
