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
from dce_play.runner.event_emitter import EventEmitter
from dce_play.runner.node_result import NodeResult, foreseen, stopped
from dce_play.runner.scope import Scope

DEFAULT_RETRIES = 3
DEFAULT_DELAY_S = 5.0
LONGEST_DELAY_S = 300.0
"""Back-off doubles the delay up to this, or up to the delay itself where that is longer."""

Once: TypeAlias = Callable[[float | None], NodeResult]
"""One try; takes the seconds that it may last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RetryPolicy:
    """How often and how patiently to try."""

    retries: int = 0
    delay_s: float = DEFAULT_DELAY_S
    timeout_s: float | None = None

    def pause_s(self, number: int) -> float:
        """Return how long to wait after the try of this number."""
        return min(self.delay_s * 2.0 ** (number - 1), max(self.delay_s, LONGEST_DELAY_S))


def try_until(
    emitter: EventEmitter, node: PlannedNode, scope: Scope, ref: StepRef, /, *, once: Once
) -> tuple[NodeResult, int]:
    """Run a node until it does not fail and ``until`` holds, or no tries are left; return also how many it took.

    A dry run tries once and sets no deadline. Raises: EvaluationFailed, when a keyword has no value.
    """
    policy = _retry_policy(emitter, node, scope)
    number = 1
    while True:
        emitter.start(node, ref, number=number)
        ended = _checked(emitter, node, scope, ref, once(policy.timeout_s))
        stopping = ended.failure is not None and ended.failure.stops is not None
        if ended.goes_on or stopping or number > policy.retries:
            return ended, number
        reason = ended.failure.facts.message if ended.failure is not None else ""
        pause_s = policy.pause_s(number)
        emitter.services.stream.emit(StepRetried(step=ref, attempt=number, delay_s=pause_s, reason=reason))
        interrupted = _pause(emitter, pause_s)
        if interrupted is not None:
            failure = stopped(interrupted, ref.id)
            return NodeResult(status=Status.FAILED, summary=failure.facts.message, failure=failure), number
        number += 1


def _retry_policy(emitter: EventEmitter, node: PlannedNode, scope: Scope) -> _RetryPolicy:
    keywords = node.keywords
    if emitter.services.settings.mode is Mode.DRY_RUN:
        return _RetryPolicy()
    timeout_s = evaluate_seconds(keywords.timeout, scope.names) if keywords.timeout is not None else None
    if keywords.retries is None and not keywords.until:
        return _RetryPolicy(timeout_s=timeout_s)
    return _RetryPolicy(
        retries=DEFAULT_RETRIES if keywords.retries is None else evaluate_count(keywords.retries, scope.names),
        delay_s=DEFAULT_DELAY_S if keywords.delay is None else evaluate_seconds(keywords.delay, scope.names),
        timeout_s=timeout_s,
    )


def _checked(emitter: EventEmitter, node: PlannedNode, scope: Scope, ref: StepRef, ended: NodeResult) -> NodeResult:
    """Return the end of a try, made a failure when ``until`` does not hold."""
    conditions = node.keywords.until
    if not conditions or not ended.goes_on or emitter.services.settings.mode is Mode.DRY_RUN:
        return ended
    try:
        if holds(conditions, {**scope.names, "result": ended.value}) is True:
            return ended
        error: DcePlayError = StepFailed("its until does not hold")
    except DcePlayError as raised:
        error = raised
    return NodeResult(
        status=Status.FAILED,
        summary=str(error),
        value=ended.value,
        outputs=ended.outputs,
        failure=foreseen(error, ref.id),
    )


def _pause(emitter: EventEmitter, seconds: float) -> Reason | None:
    """Wait between two tries; return why the waiting is to stop, or ``None`` when it is over."""
    clock, stopper = emitter.services.settings.clock, emitter.services.stopper
    end = clock.monotonic() + seconds
    while (left := end - clock.monotonic()) > 0:
        reason = stopper.why()
        if reason is not None:
            return reason
        clock.sleep(min(left, 0.1))
    return stopper.why()
