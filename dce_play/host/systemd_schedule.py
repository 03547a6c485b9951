"""A scheduled command as three systemd units: the service, its timer, and what follows when the service fails."""

import os
import pwd
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.host.cron_fields import InvalidSchedule
from dce_play.host.systemd_units import Service, Timer, check_unit_name, service_text, timer_text
from dce_play.layout import home_folder, xdg_folder
from dce_play.system.process.executor import Command, Executor

_TIMEOUT_S = 60.0
_DAYS = {"monthly": "*-*-01", "weekly": "Sun *-*-*", "daily": "*-*-*"}


class SystemdLacking(DcePlayError):
    """This machine cannot run timers; nothing was written."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT


class UnitsRefused(DcePlayError):
    """``systemd-analyze verify`` has something to say about the units, or systemctl failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """What is to run, and when."""

    name: str
    on_calendar: str
    randomized_delay_s: float
    folder: Path
    argv: tuple[str, ...]
    on_failure_argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    description: str


def calendar(interval: str, at: str) -> str:
    """Return ``monthly``, ``weekly`` or ``daily`` at ``HH:MM`` as systemd writes it; the days are those of cron's."""
    return f"{_DAYS[interval]} {at}:00"


def unit_files(scheduled: Scheduled) -> dict[str, str]:
    """Return the text of each unit by its file name.

    Raises: InvalidUnit.
    """
    name = check_unit_name(scheduled.name)
    failed = f"{name}-failed.service"
    user = pwd.getpwuid(os.getuid()).pw_name if is_system() else ""
    service = Service(
        description=scheduled.description,
        argv=scheduled.argv,
        folder=scheduled.folder,
        environment=scheduled.environment,
        on_failure=failed,
        notify=False,
        user=user,
        confined=False,
    )
    after = Service(
        description=f"Tells the monitors of a {name} that was killed",
        argv=scheduled.on_failure_argv,
        folder=scheduled.folder,
        environment=scheduled.environment,
        notify=False,
        user=user,
        confined=False,
    )
    timer = Timer(
        description=f"When {name} runs",
        on_calendar=scheduled.on_calendar,
        randomized_delay=f"{scheduled.randomized_delay_s:g}s",
    )
    return {
        f"{name}.service": service_text(service),
        f"{name}.timer": timer_text(timer),
        failed: service_text(after),
    }


def is_system() -> bool:
    """Return whether units are the machine's and not a user's own: for root."""
    return os.getuid() == 0


def units_folder(environment: Mapping[str, str]) -> Path:
    """Return where units of whoever we are belong.

    Source: systemd.unit(5), "Unit File Load Path".
    """
    if is_system():
        return Path("/etc/systemd/system")
    return (xdg_folder(environment, "XDG_CONFIG_HOME") or home_folder(environment) / ".config") / "systemd" / "user"


def systemctl(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words that speak to the systemd that would run our units; ``DCE_SYSTEMCTL_BIN`` names another."""
    program = environment.get("DCE_SYSTEMCTL_BIN") or "systemctl"
    return (program,) if is_system() else (program, "--user")


def check_running(environment: Mapping[str, str], executor: Executor) -> None:
    """Do nothing where a systemd runs that would start our units.

    Raises: SystemdLacking.
    """
    argv = systemctl(environment)
    hint = "let cron do it: dce-play run schedule\nor write the units for another machine: --unit-dir FOLDER"
    if shutil.which(argv[0], path=environment.get("PATH")) is None:
        raise SystemdLacking(f"there is no systemd on this machine: no program {argv[0]}", hint=hint)
    asked = executor.run(Command(argv=(*argv, "is-system-running"), timeout_s=_TIMEOUT_S, is_question=True))
    state = asked.stdout.strip() or asked.stderr.strip().partition("\n")[0]
    if state not in {"running", "degraded", "starting", "initializing", "maintenance"}:
        whose = "no systemd runs this machine" if is_system() else "no systemd runs for you here"
        raise SystemdLacking(f"{whose} ({state or 'no answer'})", hint=hint)


def verify(files: Mapping[str, str], *, scratch: Path, environment: Mapping[str, str], executor: Executor) -> bool:
    """Let systemd itself judge the units; return whether it could be asked. What counts is what it says, not its code.

    Raises: UnitsRefused; InvalidSchedule, for a time that systemd does not take.
    """
    if shutil.which("systemd-analyze", path=environment.get("PATH")) is None:
        return False
    for line in (line for text in files.values() for line in text.splitlines() if line.startswith("OnCalendar=")):
        when = line.partition("=")[2]
        asked = executor.run(
            Command(argv=("systemd-analyze", "calendar", "--", when), timeout_s=_TIMEOUT_S, is_question=True)
        )
        if asked.exit_code != 0:
            raise InvalidSchedule(f'systemd does not take "{when}" as a time', hint="man systemd.time")
    folder = scratch / "units"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    manager = "--system" if is_system() else "--user"
    argv = ("systemd-analyze", manager, "verify", "--man=no", *(str(folder / name) for name in files))
    runtime = {
        "XDG_RUNTIME_DIR": environment.get("XDG_RUNTIME_DIR", str(folder))
    }  # --user looks for one, under cron too
    said = executor.run(Command(argv=argv, env=runtime, timeout_s=_TIMEOUT_S, is_question=True))
    complaints = [line for line in said.stderr.splitlines() if any(name in line for name in files)]
    if complaints or said.exit_code != 0:
        first = (complaints or said.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise UnitsRefused(f"systemd refuses the units: {first}", hint="try: systemd-analyze verify NAME.service")
    return True


def next_commands(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what a person types to start the timer and see to it that it runs."""
    yield " ".join((*systemctl(environment), "enable --now", f"{name}.timer"))
    if not is_system():
        yield "loginctl enable-linger    # or it runs only while you are logged in"
