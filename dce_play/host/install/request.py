"""What an installation is asked for, and where that puts things."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.host.systemd_units import check_unit_name


class Role(StrEnum):
    """What a machine is to do."""

    SHIPPER = "shipper"
    RECEIVER = "receiver"
    SCHEDULE = "schedule"
    """A timer that runs a playbook."""
    ORCHESTRATOR = "orchestrator"
    """The operator's own program; its unit is installed and never enabled by us."""


class CannotInstall(DcePlayError):
    """Something that an installation needs is missing; nothing was changed."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of ``service install``."""

    roles: tuple[Role, ...]
    destdir: Path | None
    """Everything is written below it, as if it were ``/``; ``None`` for the machine itself."""
    prefix: Path
    user: str
    source: Path | None
    unit_name: str = ""
    """Another name for the unit; only with one role."""
    playbook: str = ""
    on_calendar: str = "daily"
    folder: Path | None = None
    """Where the scheduled playbook runs: its targets file lies there."""
    archive_root: Path | None = None
    """What it writes to, where that is known."""
    exec_argv: tuple[str, ...] = ()

    def unit(self, role: Role) -> str:
        """Return the name of a role's unit, without its ending.

        Raises: InvalidUnit.
        """
        return check_unit_name(self.unit_name) if self.unit_name else f"dce-play-{role}"

    def below(self, path: Path) -> Path:
        """Return where an absolute path of the machine lies in this installation."""
        return path if self.destdir is None else self.destdir / path.relative_to(path.anchor)

    @property
    def program(self) -> str:
        """The installed command, as units name it."""
        return str(self.prefix / "venv" / "bin" / "dce-play")


ETC = Path("/etc/dce-play")
UNITS = Path("/etc/systemd/system")
STATE = Path("/var/lib/dce-play")
CONFIG_NAMES = {Role.SHIPPER: "ship.toml", Role.RECEIVER: "receive.toml"}
