"""What an operator may choose about the exporter's container, by the variables of the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dce_play.discord.exporters.engines import Engine, Family
from dce_play.errors import DcePlayError, ExitCode, UsageError

MEMORY_VARIABLE = "DCE_CONTAINER_MEMORY"
SHIPPED_COMPOSE_FILE = Path(__file__).with_name("compose.yaml")
SERVICE = "discord-scraper"

_MEMORY = re.compile(r"[1-9][0-9]*([bkmg]b?)?", re.ASCII | re.IGNORECASE)
_DEFAULT_IMAGE = "localhost/discordchatexporter-cron:local"


class BadSetting(UsageError):
    """A variable of the environment has a value that cannot be used."""

    def __init__(self, variable: str, value: str, *, wanted: str) -> None:
        super().__init__(f"{variable} is {value!r}: wanted {wanted}")
        self.variable = variable


class BadComposeFile(DcePlayError):
    """The compose file is not there, or does not mount the archive root."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """How the exporter's container is run."""

    archive_root: Path
    """Mounted at the same path inside."""
    compose_file: Path = SHIPPED_COMPOSE_FILE
    image: str = _DEFAULT_IMAGE
    memory: str | None = None
    """Such as ``8g``; ``None`` for no limit."""
    tty: bool = True
    """A terminal for the container: output comes line by line, but both streams come as one."""
    userns: str = ""
    uid: int = 1000
    gid: int = 1000
    selinux: bool = False
    """Whether mounts are labelled for SELinux (``:z``)."""


def settings_from(
    environ: Mapping[str, str], engine: Engine, /, *, archive_root: Path, target_memory: str | None = None
) -> ContainerSettings:
    """Return the settings for one target.

    ``DCE_CONTAINER_MEMORY`` beats the target's own limit, unless it is 0. The user is ours where nothing else is
    said, so that the files are ours too. Raises: BadSetting, BadComposeFile.
    """
    named = environ.get("DCE_COMPOSE_FILE", "")
    settings = ContainerSettings(
        archive_root=archive_root,
        compose_file=Path(named).absolute() if named else SHIPPED_COMPOSE_FILE,
        image=environ.get("DCE_CONTAINER_IMAGE") or _DEFAULT_IMAGE,
        memory=memory_limit(environ, target_memory),
        tty=environ.get("DCE_COMPOSE_TTY", "1") != "0",
        userns=environ.get("DCE_USERNS_MODE") or _default_userns(engine),
        uid=_number(environ, "DCE_UID", os.getuid()),
        gid=_number(environ, "DCE_GID", os.getgid()),
        selinux=environ.get("DCE_SELINUX_LABEL", "0") == "1",
    )
    if engine.compose:
        _check_compose_file(settings)
    return settings


def memory_limit(environ: Mapping[str, str], target_memory: str | None) -> str | None:
    """Return the memory limit that counts: the environment's, else the target's, else none. Raises: BadSetting."""
    for name, value in ((MEMORY_VARIABLE, environ.get(MEMORY_VARIABLE, "")), ("container_memory", target_memory or "")):
        if value in {"", "0"}:
            continue
        if _MEMORY.fullmatch(value) is None:
            raise BadSetting(name, value, wanted="a size such as 8g or 8192m")
        return value
    return None


def _default_userns(engine: Engine) -> str:
    """Return podman's mode in which our own user owns what the container writes; it exists for rootless podman only."""
    return "keep-id" if engine.family is Family.PODMAN and os.geteuid() != 0 else ""


def _number(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()):
        raise BadSetting(variable, text, wanted="a number")
    return int(text)


def _check_compose_file(settings: ContainerSettings) -> None:
    path = settings.compose_file
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadComposeFile(f"Missing compose file: {path}", hint="DCE_COMPOSE_FILE names another") from error
    if "DCE_ARCHIVE_ROOT" not in text:
        raise BadComposeFile(
            f"compose file {path} does not mount DCE_ARCHIVE_ROOT, and the archive root {settings.archive_root} "
            "must be at the same path inside",
            hint="add the volume ${DCE_ARCHIVE_ROOT}:${DCE_ARCHIVE_ROOT}",
        )
