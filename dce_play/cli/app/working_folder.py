"""The working folder, also when somebody removed it while the shell stood in it."""

import os
from pathlib import Path
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode


class WorkingFolderGone(DcePlayError):
    """The working folder was removed, and something relative to it is asked for."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self) -> None:
        super().__init__(
            f"the working folder {_remembered()} is not there any more",
            hint="change into a folder that exists, or name everything by absolute paths",
        )


def working_folder() -> Path:
    """Return the working folder; one that was removed by the name that the shell knows.

    Below that nothing is found, and absolute paths work.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        return _remembered()


def is_gone() -> bool:
    """Return whether the working folder was removed."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _remembered() -> Path:
    name = os.environ.get("PWD", "")
    return Path(name) if name.startswith("/") and not Path(name).exists() else Path("/removed-working-folder")
