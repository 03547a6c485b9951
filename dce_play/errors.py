"""What can go wrong in a way we foresee, and the exit codes that scripts rely on."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Every exit code of dce-play. A script must treat a code it does not know as a failure."""

    OK = 0
    FAILED = 1
    """A step failed, an audit has findings, a proof is not given."""
    USAGE = 2
    INVALID = 3
    """A playbook, role, targets file or schema is not valid."""
    PREFLIGHT = 4
    """A preflight check failed; nothing was changed."""
    NOTHING_SELECTED = 5
    RESUME_REFUSED = 6
    AUTHENTICATION = 7
    SKIPS = 8
    """Finished, but with skips, under ``--strict``."""
    CHANGES_PENDING = 10
    BUG = 70
    LOCKED = 75
    UNATTENDED = 77
    """Refused to go on without a person to ask."""
    TIMEOUT = 124
    INTERRUPTED = 130
    TERMINATED = 143


class DcePlayError(Exception):
    """A failure we foresaw. Its text is one line: the thing and the place, lower case, no full stop.

    ``hint`` is the next thing to do or to type; empty when there is none. Subclasses are defined beside the
    code that raises them, take named facts and keep them as attributes.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(DcePlayError):
    """The command line or an environment variable asks for something that cannot be done."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE
