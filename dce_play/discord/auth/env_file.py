"""The operators' env file: assignments, never evaluated, only of names we know."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.source import did_you_mean
from dce_play.system.durable.named_outputs import write_named
from dce_play.system.secret_names import LARGEST_FILE_BYTES

KNOWN_NAMES = frozenset(
    {
        "DISCORD_TOKEN",
        "DISCORD_TOKEN_FILE",
        "DISCORDCHATEXPORTER_SETTINGS_PATH",
        "DCE_ENCRYPTION_SALT",
        "DCE_REAUTH_COMMAND",
        "DCE_REAUTH_UNATTENDED",
        "DCE_UID",
        "DCE_GID",
        "DCE_USERNS_MODE",
        "DCE_CONTAINER_MEMORY",
        "DCE_RUN_SUMMARY_JSON",
        "DCE_RUN_SUMMARY_FILE",
        "DCE_CLI_BIN",
        "DCE_COMPOSE_BIN",
        "DCE_DOCKER_BIN",
        "DCE_COMPOSE_FILE",
        "DCE_ARCHIVE_ROOT",
        "DCE_MIN_FREE_MB",
        "TZ",
    }
)
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)


class InvalidEnvFile(DcePlayError):
    """A line of the env file is no assignment, or of a name that it may not set. The value is never shown."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, path: Path, line: int, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{path}:{line}: {reason}", hint=hint or "write NAME=value")
        self.path = path
        self.line = line


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An env file's assignments; the last one of a name wins."""

    path: Path
    values: dict[str, str]


def read_env_file(path: Path) -> EnvFile:
    """Return the assignments of an env file.

    Blank lines and ``#`` lines are passed over; ``export`` is allowed; one pair of quotes around a value is taken
    off; nothing is evaluated.
    Raises: InvalidEnvFile.
    Source: docs/contract.md, R-11.05.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidEnvFile(path, 1, "cannot be read as text", hint="check the file and its mode") from error
    if len(data) > LARGEST_FILE_BYTES:
        reason = f"is larger than {LARGEST_FILE_BYTES >> 10} KiB"
        raise InvalidEnvFile(path, 1, reason, hint="keep only its NAME=value lines")
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        assignment = _assignment(path, number, raw.strip())
        if assignment is not None:
            values[assignment[0]] = assignment[1]
    return EnvFile(path, values)


def write_env_values(path: Path, values: dict[str, str]) -> None:
    """Set names in an env file, creating it; every other line stays byte for byte. The file's mode becomes 600."""
    there = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
    kept = [line for line in there.removesuffix("\n").split("\n") if not _sets_one_of(line, values)]
    new = [f"{name}={value}" for name, value in values.items()]
    lines = [*(kept if there else ()), *new]
    write_named(path, ("\n".join(lines) + "\n").encode(errors="surrogateescape"), what="the token", mode=0o600)


def _sets_one_of(line: str, names: dict[str, str]) -> bool:
    match = _ASSIGNMENT.fullmatch(line.strip())
    return match is not None and match[1] in names


def _assignment(path: Path, number: int, line: str) -> tuple[str, str] | None:
    if not line or line.startswith("#"):
        return None
    match = _ASSIGNMENT.fullmatch(line)
    if match is None:
        raise InvalidEnvFile(path, number, "not an assignment")
    name, value = match[1], match[2].strip()
    if name not in KNOWN_NAMES:
        hint = did_you_mean(name, KNOWN_NAMES)
        raise InvalidEnvFile(path, number, f"{name} may not be set here", hint=hint)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value
