"""How a node of the plan ended, and why it failed."""

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import ChangeTold, ErrorFacts, Status
from dce_play.playbook.types.values import registered
from dce_play.runner.cancel import EXIT_CODES, Reason
from dce_play.runner.record.stream import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a node failed, and what that means for the run."""

    facts: ErrorFacts
    exit_code: ExitCode = ExitCode.FAILED
    stops: Reason | None = None
    """The run itself is being stopped: nothing rescues that."""
    where: str = ""
    """The runtime id of the step that failed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """How a node ended. ``value`` is what ``register`` keeps."""

    status: Status
    summary: str = ""
    value: object = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    changes: tuple[ChangeTold, ...] = ()
    failure: Failure | None = None
    tolerated: bool = False
    """It failed, and what comes after goes on all the same; the run still ends as failed."""

    @property
    def goes_on(self) -> bool:
        """Return whether what comes after may run."""
        return self.failure is None or self.tolerated


def stopped(reason: Reason, where: str) -> Failure:
    """Return the trouble of a node that was stopped from outside."""
    facts = ErrorFacts(kind=reason.name.title().replace("_", ""), message=reason.value)
    return Failure(
        facts=facts,
        exit_code=EXIT_CODES[reason],
        stops=None if reason is Reason.TIMEOUT else reason,
        where=where,
    )


def interrupted(where: str) -> NodeResult:
    """Return how a step ended that was killed in the middle, may not be repeated, and about which nobody decided."""
    facts = ErrorFacts(
        kind="InterruptedStep",
        message=f"{where} was interrupted and may have done half of its work",
        hint="look at what it did, then resume with --repeat or --skip",
    )
    failure = Failure(facts=facts, where=where)
    value = registered(None, status=Status.INTERRUPTED, changed=False, summary=facts.message)
    return NodeResult(
        status=Status.INTERRUPTED, summary=facts.message, value={**value, "failed": True}, failure=failure
    )


def foreseen(error: DcePlayError, where: str) -> Failure:
    """Return the trouble of a failure that somebody foresaw."""
    return Failure(
        facts=ErrorFacts(kind=type(error).__name__, message=str(error), hint=error.hint),
        exit_code=error.exit_code,
        where=where,
    )


def crashed(error: BaseException, where: str, *, ours: bool, folder: Path, mask: Mask) -> Failure:
    """Return the trouble of a failure that nobody foresaw; its traceback goes into the run folder.

    A file that one of our own steps cannot use is the machine's trouble and no bug, so it is named instead.
    """
    if ours and isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        return _unusable(error, where)
    text = mask.mask(_traceback(error))
    path = folder / "crash.txt"
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{where}\n{text}\n")
        hint = f"the traceback is in {path}"
    except OSError:
        hint = text
    return Failure(
        facts=ErrorFacts(kind="Crash", message=_first_line(error), hint=hint),
        exit_code=ExitCode.BUG if ours else ExitCode.FAILED,
        where=where,
    )


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - as in _first_line
        return f"{type(error).__name__}, whose text cannot be had\n"


def _first_line(error: BaseException) -> str:
    """Return an error's kind and the first line of its text; of one whose text cannot be had, its kind."""
    kind = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a plugin's own error class may fail in its turn
        return kind
    return f"{kind}: {text}".splitlines()[0]


def _unusable(error: OSError, where: str) -> Failure:
    message = f"{os.fsdecode(error.filename)}: {(error.strerror or str(error)).lower()}"
    hint = "look at it with ls -ld: is it there, of the right kind, and may this user use it?"
    return Failure(facts=ErrorFacts(kind=type(error).__name__, message=message, hint=hint), where=where)
