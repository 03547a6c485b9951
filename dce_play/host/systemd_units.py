"""systemd units as values, and the text of them: the one writer of units in the house.

A unit runs one command line of ours as an ordinary user who may write only where he is told. ``systemd-analyze
verify`` is the judge of what comes out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode

_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_HARDENING = (
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("PrivateTmp", "yes"),
    ("ProtectHome", "read-only"),
    ("CapabilityBoundingSet", ""),
    ("SystemCallFilter", "@system-service"),
    ("UMask", "0077"),
)
"""``ProtectHome=read-only`` and not ``yes``: a maintainer's clone, which the version gate reads, may be in a home."""


class InvalidUnit(DcePlayError):
    """A unit that cannot be written as asked: a name or a word that systemd would read otherwise."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service unit. ``notify`` services say when they are ready and that they are alive; others run to an end."""

    description: str
    argv: tuple[str, ...]
    user: str = ""
    """Empty for a unit of a user's own systemd."""
    confined: bool = True
    """Whether it may write below ``writable`` only; a unit without a user never is confined."""
    folder: Path | None = None
    """The working folder."""
    writable: tuple[Path, ...] = ()
    """The folders below which it may write."""
    notify: bool = True
    documentation: str = ""
    on_failure: str = ""
    """A unit that is started when this one fails."""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """One timer unit: when its service is started."""

    description: str
    on_calendar: str
    randomized_delay: str = "5min"


def check_unit_name(name: str) -> str:
    """Return a unit's name without its ending.

    Raises: InvalidUnit, for a name that systemd would not take.
    """
    bare = name.removesuffix(".service").removesuffix(".timer")
    if _UNIT_NAME.fullmatch(bare) is None or len(bare) > 200:
        raise InvalidUnit(f'"{name}" is no unit name', hint="use letters, digits, dot, hyphen and underscore")
    return bare


def service_text(service: Service) -> str:
    """Return the text of a service unit.

    Raises: InvalidUnit.
    """
    lines = ["[Unit]", f"Description={_one_line(service.description)}"]
    if service.documentation:
        lines.append(f"Documentation={service.documentation}")
    if service.user:  # a user's own systemd has no such target
        lines += ["Wants=network-online.target", "After=network-online.target"]
    if service.on_failure:
        lines.append(f"OnFailure={service.on_failure}")
    if service.notify:
        lines += ["StartLimitIntervalSec=0"]
    lines += ["", "[Service]", *_running(service)]
    lines += [f"Environment={_word(f'{name}={value}')}" for name, value in service.environment]
    if service.folder is not None:
        lines.append(f"WorkingDirectory={_directory(service.folder)}")
    if service.user:
        lines.append(f"User={service.user}")
    if service.user and service.confined:
        lines += [f"{key}={value}" for key, value in _HARDENING]
    if service.writable:
        lines.append(f"ReadWritePaths={' '.join(_path(path) for path in service.writable)}")
    if service.notify:
        lines += ["", "[Install]", "WantedBy=multi-user.target"]
    return "\n".join(lines) + "\n"


def timer_text(timer: Timer) -> str:
    """Return the text of a timer unit. A run that was missed while the machine was off is made up for."""
    return "\n".join(
        (
            "[Unit]",
            f"Description={_one_line(timer.description)}",
            "",
            "[Timer]",
            f"OnCalendar={_one_line(timer.on_calendar)}",
            "Persistent=true",
            f"RandomizedDelaySec={_one_line(timer.randomized_delay)}",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        )
    )


def command_line(argv: Sequence[str]) -> str:
    """Return words as ``ExecStart=`` takes them: quoted where needed, ``%`` and ``$`` doubled.

    Raises: InvalidUnit, for a line break or another control character.
    """
    if not argv or not argv[0].startswith("/"):
        raise InvalidUnit(
            f"a service starts a program by its whole path, not {argv[0] if argv else 'nothing'!r}",
            hint="write the path from the root on, as `command -v NAME` prints it",
        )
    return " ".join(_word(word) for word in argv)


def _running(service: Service) -> Iterable[str]:
    if not service.notify:
        return ("Type=oneshot", f"ExecStart={command_line(service.argv)}")
    return (
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={command_line(service.argv)}",
        "WatchdogSec=180",
        "Restart=on-failure",
        "RestartSec=5",
        "RestartPreventExitStatus=3 75",
    )


def _word(word: str) -> str:
    _one_line(word)
    doubled = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(doubled):
        return doubled
    escaped = doubled.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _path(path: Path) -> str:
    text = _one_line(str(path)).replace("%", "%%")
    return text if _PLAIN.fullmatch(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _directory(path: Path) -> str:
    """Return a path as ``WorkingDirectory=`` takes it: to the end of the line, never quoted."""
    return _one_line(str(path)).replace("%", "%%")


def _one_line(text: str) -> str:
    if any(not character.isprintable() for character in text):
        raise InvalidUnit(f"{text!r} holds a line break or another control character")
    return text
