"""Trying again: ``until``, ``retries``, ``delay``, and a deadline for each try."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from dce_play.errors import DcePlayError
from dce_play.events import Mode, Status, StepRef, StepRetried
from dce_play.playbook.evaluate.binding import evaluate_count, evaluate_seconds, holds
from dce_play.playbook.plan.plan import PlannedNode
from dce_play.plugin import StepFailed
from dce_play.runner.cancel import Reason
from dce_play.runner.ended import Ended, foreseen, stopped
from dce_play.runner.scope import Scope
from dce_play.runner.tell import Teller

DEFAULT_RETRIES = 3
DEFAULT_DELAY_S = 5.0
LONGEST_DELAY_S = 300.0
"""Back-off doubles the delay up to this, or up to the delay itself where that is longer."""

Once: TypeAlias = Callable[[float | None], Ended]
"""One try; takes the seconds that it may last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    """How often and how patiently to try."""

    retries: int = 0
    delay_s: float = DEFAULT_DELAY_S
    timeout_s: float | None = None

    def pause_s(self, number: int) -> float:
        """Return how long to wait after the try of this number."""
        return min(self.delay_s * 2.0 ** (number - 1), max(self.delay_s, LONGEST_DELAY_S))


def try_until(teller: Teller, node: PlannedNode, scope: Scope, ref: StepRef, /, *, once: Once) -> tuple[Ended, int]:
    """Run a node until it does not fail and ``until`` holds, or no tries are left; return also how many it took.

    A dry run tries once and sets no deadline. Raises: EvaluationFailed, when a keyword has no value.
    """
    patience = _patience(teller, node, scope)
    number = 1
    while True:
        teller.start(node, ref, number=number)
        ended = _checked(teller, node, scope, ref, once(patience.timeout_s))
        stopping = ended.trouble is not None and ended.trouble.stops is not None
        if ended.goes_on or stopping or number > patience.retries:
            return ended, number
        reason = ended.trouble.failure.message if ended.trouble is not None else ""
        pause_s = patience.pause_s(number)
        teller.workshop.stream.emit(StepRetried(step=ref, attempt=number, delay_s=pause_s, reason=reason))
        interrupted = _pause(teller, pause_s)
        if interrupted is not None:
            trouble = stopped(interrupted, ref.id)
            return Ended(status=Status.FAILED, summary=trouble.failure.message, trouble=trouble), number
        number += 1


def _patience(teller: Teller, node: PlannedNode, scope: Scope) -> _Patience:
    keywords = node.keywords
    if teller.workshop.settings.mode is Mode.DRY_RUN:
        return _Patience()
    timeout_s = evaluate_seconds(keywords.timeout, scope.names) if keywords.timeout is not None else None
    if keywords.retries is None and not keywords.until:
        return _Patience(timeout_s=timeout_s)
    return _Patience(
        retries=DEFAULT_RETRIES if keywords.retries is None else evaluate_count(keywords.retries, scope.names),
        delay_s=DEFAULT_DELAY_S if keywords.delay is None else evaluate_seconds(keywords.delay, scope.names),
        timeout_s=timeout_s,
    )


def _checked(teller: Teller, node: PlannedNode, scope: Scope, ref: StepRef, ended: Ended) -> Ended:
    """Return the end of a try, made a failure when ``until`` does not hold."""
    conditions = node.keywords.until
    if not conditions or not ended.goes_on or teller.workshop.settings.mode is Mode.DRY_RUN:
        return ended
    try:
        if holds(conditions, {**scope.names, "result": ended.value}) is True:
            return ended
        error: DcePlayError = StepFailed("its until does not hold")
    except DcePlayError as raised:
        error = raised
    return Ended(
        status=Status.FAILED,
        summary=str(error),
        value=ended.value,
        outputs=ended.outputs,
        trouble=foreseen(error, ref.id),
    )


def _pause(teller: Teller, seconds: float) -> Reason | None:
    """Wait between two tries; return why the waiting is to stop, or ``None`` when it is over."""
    clock, stopper = teller.workshop.settings.clock, teller.workshop.stopper
    end = clock.monotonic() + seconds
    while (left := end - clock.monotonic()) > 0:
        reason = stopper.why()
        if reason is not None:
            return reason
        clock.sleep(min(left, 0.1))
    return stopper.why()
