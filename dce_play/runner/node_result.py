"""How a node of the plan ended, and why it failed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import ChangeTold, ErrorFacts, Status
from dce_play.playbook.types.values import registered
from dce_play.runner.cancel import EXIT_CODES, Reason
from dce_play.runner.record.stream import Mask
from dce_play.system.counted import counted
from dce_play.system.disk import NO_ROOM, write_hint


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


def settled(decided: str, where: str) -> NodeResult | None:
    """Return how a step ended that was interrupted and may not be repeated; ``None`` to repeat it all the same.

    ``decided`` is ``repeat``, ``skip`` (somebody looked, and takes it as done) or ``give-up`` (nobody is there).
    """
    match decided:
        case "skip":
            return NodeResult(status=Status.OK, summary="was interrupted; taken as done by hand")
        case "give-up":
            return _interrupted(where)
        case _:
            return None


def _interrupted(where: str) -> NodeResult:
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


def looped(results: Iterable[tuple[str, NodeResult]], total: int) -> NodeResult:
    """Return how a loop ended whose items ended like this, by their keys."""
    values: list[object] = []
    worst: NodeResult | None = None
    changed = False
    for key, ended in results:
        values.append({**ended.value, "item": key} if isinstance(ended.value, dict) else ended.value)
        changed = changed or ended.status is Status.CHANGED
        if ended.failure is not None and (worst is None or (worst.goes_on and not ended.goes_on)):
            worst = ended
    return NodeResult(
        status=Status.FAILED if worst else Status.CHANGED if changed else Status.OK,
        summary=_items(len(values), total),
        value=values,
        failure=worst.failure if worst else None,
        tolerated=worst.tolerated if worst else False,
    )


def _items(done: int, total: int) -> str:
    return counted(total, "item") if done >= total else f"{done} of {counted(total, 'item')}"


def foreseen(error: DcePlayError, where: str) -> Failure:
    """Return the trouble of a failure that somebody foresaw."""
    return Failure(
        facts=ErrorFacts(kind=type(error).__name__, message=str(error), hint=error.hint),
        exit_code=error.exit_code,
        where=where,
    )


def crashed(error: BaseException, where: str, *, ours: bool, folder: Path, mask: Mask) -> Failure:
    """Return the trouble of a failure that nobody foresaw; its traceback goes into the run folder.

    A file that one of our own steps cannot use or make larger, or a disk that is full, is the machine's trouble and no
    bug, so it is named instead.
    """
    if ours and isinstance(error, OSError) and (isinstance(error.filename, str | bytes) or error.errno in NO_ROOM):
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
    import traceback  # start-up time: steps hardly ever crash

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
    file = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    message = f"{file}{(error.strerror or str(error)).lower()}"
    hint = write_hint(
        error,
        full="make room; what is full is told by df -h, and by df -i",
        other="look at it with ls -ld: is it there, of the right kind, and may this user use it?",
    )
    return Failure(facts=ErrorFacts(kind=type(error).__name__, message=message, hint=hint), where=where)


_PASSED_ON = frozenset({ExitCode.AUTHENTICATION, ExitCode.BUG, ExitCode.INVALID, ExitCode.LOCKED, ExitCode.UNATTENDED})
"""Exit codes of a failed step that scripts tell apart; any other failure of a step is 1."""


def decisive(ended: NodeResult, tolerated: Sequence[Failure]) -> Failure | None:
    """Return the failure that the run ends with: what stopped it, else the first that was passed over."""
    failure = ended.failure if not ended.goes_on else None
    failure = failure or (tolerated[0] if tolerated else None)
    if failure is None or failure.stops is not None or failure.exit_code in _PASSED_ON:
        return failure
    return replace(failure, exit_code=ExitCode.FAILED)
