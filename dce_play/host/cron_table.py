"""Reading and replacing the user's crontab through the ``crontab`` program."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.proc import process_names
from dce_play.system.process.executor import Command, Executor

_TIMEOUT_S = 30.0
_DAEMONS = frozenset({"cron", "crond", "fcron", "bcron-sched"})
NO_CRON = "no cron daemon runs here, so nothing will start it: service cron start"
"""What to say where a crontab can be written and nobody reads it."""


class CrontabFailed(DcePlayError):
    """The ``crontab`` program is missing or refused."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, program: str, detail: str) -> None:
        super().__init__(
            f"{program} failed: {detail}", hint="install cron, or name another crontab program in DCE_CRONTAB_BIN"
        )


def crontab_program(environment: Mapping[str, str]) -> str:
    """Return ``DCE_CRONTAB_BIN``, else ``crontab``."""
    return environment.get("DCE_CRONTAB_BIN") or "crontab"


def cron_runs() -> bool:
    """Return whether a cron daemon is among the processes that we can see."""
    return not _DAEMONS.isdisjoint(process_names())


def read_crontab(program: str, executor: Executor) -> str:
    """Return the user's crontab for looking at: secrets in it are masked. Empty where there is none yet.

    Raises: CrontabFailed.
    """
    return _listed(program, executor, None)


def crontab_to_change(program: str, executor: Executor, scratch: Path) -> str:
    """Return the user's crontab as it is, bytes that are no UTF-8 as surrogates; ``scratch`` is a folder for it.

    Raises: CrontabFailed.
    """
    path = scratch / "crontab.old"
    path.touch(mode=0o600)
    try:
        _listed(program, executor, path)
        return path.read_bytes().decode("utf-8", "surrogateescape")
    finally:
        path.unlink(missing_ok=True)


def _listed(program: str, executor: Executor, into: Path | None) -> str:
    finished = executor.run(Command(argv=(program, "-l"), timeout_s=_TIMEOUT_S, is_question=True, stdout=into))
    if finished.exit_code == 0:
        return finished.stdout
    if "no crontab" in finished.stderr:
        return ""
    raise CrontabFailed(program, finished.stderr.strip() or f"exit {finished.exit_code}")


def write_crontab(program: str, executor: Executor, text: str, scratch: Path) -> None:
    """Replace the user's crontab by one that began as ``crontab_to_change``; ``scratch`` is a folder for the new one.

    Raises: CrontabFailed.
    """
    path = scratch / "crontab.new"
    path.touch(mode=0o600)
    try:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        # By its bare name: crontab(1) cuts a path off after 99 characters.
        finished = executor.run(Command(argv=(program, path.name), cwd=scratch, timeout_s=_TIMEOUT_S, is_question=True))
    finally:
        path.unlink(missing_ok=True)
    if finished.exit_code != 0:
        raise CrontabFailed(program, finished.stderr.strip() or f"exit {finished.exit_code}")
