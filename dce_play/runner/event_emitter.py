"""Telling what becomes of nodes: their events, the records that later steps read, and the counts of the recap."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dce_play.errors import DcePlayError
from dce_play.events import GROUPS, Status, StepEnded, StepRef, StepStarted
from dce_play.playbook.evaluate.binding import evaluate_text
from dce_play.playbook.language.model import Literal
from dce_play.playbook.plan.plan import PlannedBlock, PlannedCall, PlannedNode, PlannedStep, children, join_id
from dce_play.playbook.types.values import UNREADY
from dce_play.plugin import StepRecord
from dce_play.runner.attempt import DEPENDS
from dce_play.runner.context import HIDDEN, RunServices
from dce_play.runner.node_result import Failure, NodeResult, foreseen
from dce_play.runner.record.progress import EarlierStep
from dce_play.runner.record.stream import masked
from dce_play.runner.scope import Scope
from dce_play.source import JsonValue


def uses_of(node: PlannedNode, /) -> str:
    """Return what events call the node: the step plugin's name, ``block``, ``role`` or ``playbook``."""
    match node:
        case PlannedStep():
            return node.step
        case PlannedBlock():
            return "block"
        case PlannedCall():
            return node.kind


@dataclass(slots=True, kw_only=True)
class EventEmitter:
    """Speaks for one walk."""

    services: RunServices
    numbers: Mapping[str, int]
    """The place of each step in the plan, by id, from 1."""
    counts: dict[str, int] = field(default_factory=dict)
    """Steps by status; blocks, loops and included files do not count."""

    def now(self) -> float:
        """Return the stopwatch."""
        return self.services.settings.clock.monotonic()

    def ref(self, node: PlannedNode, scope: Scope, item: str | None, /) -> StepRef:
        """Return how events call a node, or one item of its loop.

        Raises: EvaluationFailed, when its name cannot be made.
        """
        template = node.keywords.name
        if template is None or (node.keywords.loop is not None and item is None):
            name = _plain_name(node)  # the name may speak of the loop's item
        else:
            name = evaluate_text(template, scope.names)
        return self._ref(node, scope, item, name=name)

    def _ref(self, node: PlannedNode, scope: Scope, item: str | None, *, name: str) -> StepRef:
        identifier = join_id(scope.path, node.key, item)
        return StepRef(id=identifier, name=name, uses=uses_of(node), depth=scope.depth, item=scope.item)

    def start(self, node: PlannedNode, ref: StepRef, /, *, number: int = 1) -> None:
        """Tell that a try begins."""
        effects = node.plugin.EFFECTS if isinstance(node, PlannedStep) and ref.uses != "loop" else "none"
        index = self.numbers.get(node.id, 0) if ref.uses != "loop" else 0
        self.services.stream.emit(StepStarted(step=ref, attempt=number, effects=effects, index=index))

    def end(
        self, ref: StepRef, begun: float, ended: NodeResult, /, *, definition: str = "", tries: int = 1
    ) -> NodeResult:
        """Tell how it ended, and return that."""
        duration = self.now() - begun
        shown = {name: _shown(value) for name, value in ended.outputs.items()}
        secrets = self.services.secrets
        hidden = ended.summary == HIDDEN
        redacted = (hidden and bool(shown)) or (secrets.armed and masked(shown, secrets) != shown)
        self.services.stream.emit(
            StepEnded(
                step=ref,
                status=ended.status,
                summary=ended.summary,
                duration_s=round(duration, 6),
                attempt=tries,
                outputs={} if hidden else shown,
                changes=ended.changes,
                error=ended.failure.facts if ended.failure is not None else None,
                fingerprint=definition,
                redacted=redacted,
            )
        )
        if ref.uses not in GROUPS:
            self._count(ref, ended, duration)
        return ended

    def _count(self, ref: StepRef, ended: NodeResult, duration: float) -> None:
        self.count(
            StepRecord(
                step_id=ref.id,
                name=ref.name,
                status=ended.status,
                summary=ended.summary,
                duration_s=duration,
                uses=ref.uses,
            )
        )

    def count(self, record: StepRecord, /) -> None:
        """Let the recap and later steps know of an end. What was interrupted counts as failed."""
        status = Status.FAILED if record.status == Status.INTERRUPTED else Status(record.status)
        self.counts[status] = self.counts.get(status, 0) + 1
        self.services.records.append(record)

    def skipped(self, node: PlannedNode, scope: Scope, why: str, /) -> NodeResult:
        """Tell that the node was skipped."""
        return self.end(self.ref(node, scope, None), self.now(), NodeResult(status=Status.SKIPPED, summary=why))

    def unknown(self, node: PlannedNode, scope: Scope, /) -> NodeResult:
        """Tell, in a dry run, that only a real run can know whether the node runs, or on what."""
        ended = NodeResult(status=Status.MAYBE, summary=DEPENDS, value=UNREADY)
        return self.end(self.ref(node, scope, None), self.now(), ended)

    def broken(self, node: PlannedNode, scope: Scope, item: str | None, error: DcePlayError, /) -> NodeResult:
        """Tell that a keyword of the node could not be evaluated, or a question not be asked."""
        ref = self._ref(node, scope, item, name=_plain_name(node))
        ended = NodeResult(status=Status.FAILED, summary=str(error), failure=foreseen(error, ref.id))
        return self.end(ref, self.now(), ended, definition=node.definition)

    def reused(self, node: PlannedStep, ref: StepRef, earlier: EarlierStep, /) -> None:
        """Tell that the step ended well before, with these outputs."""
        ended = NodeResult(status=Status.REUSED, summary=earlier.summary, outputs=earlier.outputs)
        self.end(ref, self.now(), ended, definition=node.definition)

    def not_run(self, nodes: tuple[PlannedNode, ...], scope: Scope, chosen: frozenset[str] | None, /) -> None:
        """Tell of each step that the run did not come to."""
        for node in nodes:
            if chosen is not None and node.id not in chosen:
                continue
            if isinstance(node, PlannedStep):
                ref = self._ref(node, scope, None, name=_plain_name(node))
                self.end(ref, self.now(), NodeResult(status=Status.NOT_RUN))
            else:
                self.not_run(children(node), scope.inside(path=join_id(scope.path, node.key)), chosen)

    def mark_rescued(self, record_count: int, failure: Failure, /) -> None:
        """Let the recap say ``rescued`` and not ``failed`` of the step that a block was rescued from."""
        records = self.services.records
        for number in range(record_count, len(records)):
            if records[number].step_id == failure.where and records[number].status == Status.FAILED:
                records[number] = replace(records[number], status=Status.RESCUED)
                self.counts[Status.FAILED] -= 1
                self.counts[Status.RESCUED] = self.counts.get(Status.RESCUED, 0) + 1


def _plain_name(node: PlannedNode) -> str:
    """Return the node's name where nothing can be evaluated."""
    match node.keywords.name:
        case None:
            return node.title if isinstance(node, PlannedCall) else uses_of(node)
        case Literal(value=name):
            return str(name)
        case _:
            return node.key


def _shown(value: object) -> JsonValue:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return {str(key): _shown(each) for key, each in value.items()}
        case list() | tuple():
            return [_shown(each) for each in value]
        case _:
            return repr(value)
