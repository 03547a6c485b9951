"""Walking a plan: sequences, blocks, loops, included files, retries, and what a failure does to what comes after."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from dce_play.errors import DcePlayError
from dce_play.events import Mode, Status, StepEnded, StepRef, StepRetried, StepStarted
from dce_play.playbook.binding import (
    bind_call,
    bind_vars,
    evaluate,
    evaluate_count,
    evaluate_list,
    evaluate_seconds,
    evaluate_text,
    holds,
)
from dce_play.playbook.model import OnError
from dce_play.playbook.plan import PlannedBlock, PlannedCall, PlannedNode, PlannedStep, children, join_id
from dce_play.playbook.values import registered
from dce_play.plugin import StepFailed, StepRecord, Unknown
from dce_play.runner.attempt import DEPENDS, attempt
from dce_play.runner.cancel import Reason
from dce_play.runner.context import HIDDEN, Workshop
from dce_play.runner.ended import Ended, Trouble, foreseen, stopped
from dce_play.runner.progress import GOOD, EarlierStep, Progress
from dce_play.runner.scope import Scope, item_keys
from dce_play.runner.stream import masked
from dce_play.source import JsonValue

DEFAULT_RETRIES = 3
DEFAULT_DELAY_S = 5.0
LONGEST_DELAY_S = 300.0
"""Back-off doubles the delay up to this, or up to the delay itself where that is longer."""
_QUIET = Ended(status=Status.OK)


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk over a plan. Everything that must live as long as the run is here or in the workshop."""

    workshop: Workshop
    progress: Progress
    numbers: Mapping[str, int]
    """The place of each step in the plan, by id, from 1."""
    chosen: frozenset[str] | None
    """Ids of nodes to walk, what is around them included; ``None`` walks all."""
    settle: Callable[[PlannedStep, StepRef], str]
    """Decides about a step that was interrupted and may not be repeated: ``repeat`` or ``skip``."""
    announce: Callable[[PlannedStep, StepRef], bool]
    """Called before a step runs; returns whether to run it (``--step`` asks)."""
    diverged: bool = False
    """Whether a step that ended well before has run again, having changed: nothing after it is reused."""
    counts: dict[str, int] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    """Failures that nothing rescued, tolerated ones included."""

    def sequence(self, nodes: tuple[PlannedNode, ...], scope: Scope) -> Ended:
        """Run nodes in order, up to the first failure that is not tolerated."""
        changed = False
        for number, node in enumerate(nodes):
            if self.chosen is not None and node.id not in self.chosen:
                continue
            reason = self.workshop.stopper.why()
            if reason is not None and not scope.replaying:
                ended = Ended(status=Status.FAILED, trouble=stopped(reason, join_id(scope.path, node.key)))
                rest = nodes[number:]
            else:
                ended = self.node(node, scope)
                rest = nodes[number + 1 :]
            changed = changed or ended.status is Status.CHANGED
            if not ended.goes_on:
                self._not_run(rest, scope)
                return ended
        return Ended(status=Status.CHANGED if changed else Status.OK)

    def node(self, node: PlannedNode, scope: Scope) -> Ended:
        """Run one node with all of its keywords."""
        keywords = node.keywords
        try:
            known = holds(keywords.when, scope.names) if keywords.when else True
            if known is False:
                return self._skip(node, scope, "its condition does not hold")
            if known is not True:
                return self._unknown(node, scope)
            ended = self._once(node, scope, None) if keywords.loop is None else self._loop(node, scope)
        except DcePlayError as error:
            ended = self._broken(node, scope, error)
        if keywords.register is not None and ended.status is not Status.SKIPPED:
            scope.register(keywords.register, ended.value)
        return ended

    # What is around a node.

    def _enter(self, node: PlannedNode, scope: Scope) -> Scope:
        keywords = node.keywords
        own_vars = keywords.vars and not isinstance(node, PlannedCall)
        if not (own_vars or keywords.environment or keywords.no_log):
            return scope
        names: dict[str, object] = {}
        if own_vars:
            around = scope.names.get("vars")
            names["vars"] = {**(around if isinstance(around, dict) else {}), **bind_vars(keywords.vars, scope.names)}
        environment = dict(scope.environment)
        for name, template in keywords.environment.items():
            environment[name] = str(evaluate(template, {**scope.names, **names}))
        return scope.inside(names=names, environment=environment, silent=keywords.no_log)

    def _loop(self, node: PlannedNode, scope: Scope) -> Ended:
        template = node.keywords.loop
        assert template is not None  # noqa: S101 - the caller asked
        items = evaluate_list(template, scope.names)
        if isinstance(items, Unknown):
            return self._unknown(node, scope)
        if not items:
            return self._skip(node, scope, "0 items")
        ref = self._ref(node, scope, None, uses="loop")
        begun = self._begin(ref)
        values: list[object] = []
        worst: Ended | None = None
        changed = False
        for key, item in zip(item_keys(items), items, strict=True):
            ended = self._item(node, scope.for_item(node.keywords.loop_name, item, key), key)
            values.append({**(ended.value if isinstance(ended.value, dict) else {}), "item": key})
            changed = changed or ended.status is Status.CHANGED
            if ended.trouble is not None:
                worst = worst or ended
            if not ended.goes_on:
                worst = ended
                break
        status = Status.FAILED if worst else Status.CHANGED if changed else Status.OK
        summary = f"{len(values)} of {len(items)} items" if len(values) < len(items) else _items(len(items))
        trouble = worst.trouble if worst else None
        self._end(ref, begun, Ended(status=status, summary=summary, trouble=trouble), node.definition)
        return Ended(
            status=status,
            summary=summary,
            value=values,
            trouble=trouble,
            tolerated=worst.tolerated if worst else False,
        )

    def _item(self, node: PlannedNode, scope: Scope, key: str) -> Ended:
        try:
            reason = self.workshop.stopper.why()
            if reason is not None:
                return Ended(status=Status.FAILED, trouble=stopped(reason, join_id(scope.path, node.key, key)))
            return self._once(node, scope, key)
        except DcePlayError as error:
            return self._broken(node, scope, error, key)

    # One node, one item.

    def _once(self, node: PlannedNode, around: Scope, item: str | None) -> Ended:
        scope = self._enter(node, around)
        match node:
            case PlannedStep():
                ended = self._step(node, scope, self._ref(node, scope, item, uses=node.step))
            case PlannedBlock():
                ended = self._block(node, scope, self._ref(node, scope, item, uses="block"))
            case PlannedCall():
                ended = self._call(node, scope, self._ref(node, scope, item, uses=node.kind))
        if ended.trouble is None or ended.trouble.stops is not None:
            return ended
        if node.keywords.on_error is OnError.CONTINUE and not ended.tolerated:
            self.troubles.append(ended.trouble)
            return Ended(
                status=ended.status, summary=ended.summary, value=ended.value, trouble=ended.trouble, tolerated=True
            )
        return ended

    def _step(self, node: PlannedStep, scope: Scope, ref: StepRef) -> Ended:
        earlier = self.progress.ended.get(ref.id)
        if earlier is not None and not scope.fresh and not self.diverged:
            if earlier.reusable(node.definition):
                return self._reuse(ref, earlier, node)
            self.diverged = earlier.status in GOOD
        if scope.replaying:
            return _QUIET
        if not self.announce(node, ref):
            return self._end(ref, self._now(), Ended(status=Status.SKIPPED, summary="left out by hand"), "")
        if ref.id in self.progress.begun and not node.plugin.REPEATABLE and self.settle(node, ref) == "skip":
            done = Ended(status=Status.OK, summary="was interrupted; taken as done by hand")
            return self._end(ref, self._now(), done, node.definition)
        self._confirm(node, scope, ref)
        begun = self._now()
        ended, tries = self._tries(node, scope, ref, lambda timeout: self._attempt(node, scope, ref, timeout))
        return self._end(ref, begun, ended, node.definition, tries=tries)

    def _block(self, node: PlannedBlock, scope: Scope, ref: StepRef) -> Ended:
        earlier = self.progress.ended.get(ref.id)
        rescued_before = earlier is not None and earlier.status is Status.RESCUED
        inner = scope.inside(path=ref.id)
        inner.replaying = scope.replaying or rescued_before
        if not inner.replaying:
            self._confirm(node, scope, ref)
        begun = self._now()
        finished = earlier is not None and earlier.status in {Status.OK, Status.CHANGED}
        ended, tries = self._tries(
            node, scope, ref, lambda timeout: self._guarded(node, inner, timeout, finished=finished)
        )
        if rescued_before:
            ended = Ended(status=Status.RESCUED, summary=earlier.summary if earlier else "")
        return self._end(ref, begun, ended, node.definition, tries=tries)

    def _guarded(self, node: PlannedBlock, scope: Scope, timeout: float | None, *, finished: bool) -> Ended:
        """Run a block's body, its rescue when that failed, and its ``always`` whatever happened."""
        record_count = len(self.workshop.records)
        ended = self._timed_sequence(node.body, scope, timeout)
        first = ended.trouble
        if first is not None and first.stops is None and not ended.tolerated and node.rescue:
            rescue = self.sequence(node.rescue, scope.inside(names={"failure": _failure(first)}))
            if rescue.trouble is None:
                self._mark_rescued(record_count, first)
                summary = f"rescued from: {first.failure.message}"
                ended = Ended(status=Status.RESCUED, summary=HIDDEN if scope.silent else summary)
            else:
                ended = rescue
        elif scope.replaying and node.rescue:
            self.sequence(node.rescue, scope)
        if node.always:
            after = scope.inside(names={"failure": _failure(first) if first else None})
            after.fresh = scope.fresh or not finished
            stopping = self.workshop.stopper.why() is not None
            with self.workshop.stopper.shielded() if stopping else nullcontext():
                last = self.sequence(node.always, after)
            if ended.goes_on and last.trouble is not None:
                ended = last
        return ended

    def _mark_rescued(self, record_count: int, trouble: Trouble) -> None:
        """Let the recap say ``rescued`` and not ``failed`` of the step that the block was rescued from."""
        records = self.workshop.records
        for number in range(record_count, len(records)):
            if records[number].step_id == trouble.where and records[number].status == Status.FAILED:
                records[number] = replace(records[number], status=Status.RESCUED)
                self.counts[Status.FAILED] -= 1
                self.counts[Status.RESCUED] = self.counts.get(Status.RESCUED, 0) + 1

    def _call(self, node: PlannedCall, scope: Scope, ref: StepRef) -> Ended:
        builtin = {name: scope.names[name] for name in _INHERITED if name in scope.names}
        inner = scope.for_call({**builtin, "params": bind_call(node, scope.names)}, path=ref.id)
        inner.names["vars"] = bind_vars(node.vars, inner.names)
        self._confirm(node, scope, ref)
        begun = self._now()
        ended, tries = self._tries(node, scope, ref, lambda timeout: self._timed_sequence(node.body, inner, timeout))
        outputs: dict[str, object] = {}
        if ended.trouble is None:
            outputs = {name: evaluate(template, inner.names) for name, template in node.outputs.items()}
        value = registered(outputs, status=ended.status, changed=ended.status is Status.CHANGED, summary="")
        ended = Ended(status=ended.status, value=value, trouble=ended.trouble, tolerated=ended.tolerated)
        return self._end(ref, begun, ended, node.definition, tries=tries)

    # Tries.

    def _tries(
        self, node: PlannedNode, scope: Scope, ref: StepRef, once: Callable[[float | None], Ended]
    ) -> tuple[Ended, int]:
        """Run a node until it does not fail and ``until`` holds, or there are no tries left."""
        keywords = node.keywords
        real = self.workshop.settings.mode is not Mode.DRY_RUN
        wanted = real and (keywords.retries is not None or bool(keywords.until))
        retries = DEFAULT_RETRIES if wanted else 0
        if wanted and keywords.retries is not None:
            retries = evaluate_count(keywords.retries, scope.names)
        delay = DEFAULT_DELAY_S
        if wanted and keywords.delay is not None:
            delay = evaluate_seconds(keywords.delay, scope.names)
        timeout = evaluate_seconds(keywords.timeout, scope.names) if keywords.timeout is not None and real else None
        for number in range(1, retries + 2):
            self._start(node, ref, number)
            ended = once(timeout)
            if real and keywords.until:
                ended = self._until(node, scope, ref, ended)
            if ended.goes_on or number > retries or (ended.trouble is not None and ended.trouble.stops is not None):
                return ended, number
            reason = ended.trouble.failure.message if ended.trouble is not None else ""
            pause = min(delay * 2 ** (number - 1), max(delay, LONGEST_DELAY_S))
            self.workshop.stream.emit(StepRetried(step=ref, attempt=number, delay_s=pause, reason=reason))
            stopping = self._pause(pause)
            if stopping is not None:
                return Ended(status=Status.FAILED, summary=stopping, trouble=stopped(stopping, ref.id)), number
        raise AssertionError("a try always answers")

    def _until(self, node: PlannedNode, scope: Scope, ref: StepRef, ended: Ended) -> Ended:
        if not ended.goes_on:
            return ended
        try:
            if holds(node.keywords.until, {**scope.names, "result": ended.value}) is True:
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

    def _attempt(self, node: PlannedStep, scope: Scope, ref: StepRef, timeout: float | None) -> Ended:
        with self.workshop.stopper.deadline(timeout):
            return attempt(self.workshop, node, scope, ref)

    def _timed_sequence(self, nodes: tuple[PlannedNode, ...], scope: Scope, timeout: float | None) -> Ended:
        with self.workshop.stopper.deadline(timeout):
            return self.sequence(nodes, scope)

    def _pause(self, seconds: float) -> Reason | None:
        """Wait between two tries; return why the waiting is to stop, or ``None`` when it is over."""
        clock = self.workshop.settings.clock
        end = clock.monotonic() + seconds
        while (left := end - clock.monotonic()) > 0:
            reason = self.workshop.stopper.why()
            if reason is not None:
                return reason
            clock.sleep(min(left, 0.1))
        return self.workshop.stopper.why()

    # Saying what happens.

    def _ref(self, node: PlannedNode, scope: Scope, item: str | None, *, uses: str) -> StepRef:
        template = node.keywords.name
        if template is not None:
            outside = node.keywords.loop is not None and item is None  # its name may speak of the loop's item
            name = node.key if outside else evaluate_text(template, scope.names)
        else:
            name = (
                node.title if isinstance(node, PlannedCall) else node.step if isinstance(node, PlannedStep) else "block"
            )
        return StepRef(id=join_id(scope.path, node.key, item), name=name, uses=uses, depth=scope.depth, item=scope.item)

    def _start(self, node: PlannedNode, ref: StepRef, number: int) -> None:
        effects = node.plugin.EFFECTS if isinstance(node, PlannedStep) else "none"
        index = self.numbers.get(node.id, 0)
        self.workshop.stream.emit(StepStarted(step=ref, attempt=number, effects=effects, index=index))

    def _begin(self, ref: StepRef) -> float:
        self.workshop.stream.emit(StepStarted(step=ref))
        return self._now()

    def _now(self) -> float:
        return self.workshop.settings.clock.monotonic()

    def _end(self, ref: StepRef, begun: float, ended: Ended, definition: str, *, tries: int = 1) -> Ended:
        duration = self._now() - begun
        shown = {name: _shown(value) for name, value in ended.outputs.items()}
        secrets = self.workshop.secrets
        hidden = ended.summary == HIDDEN
        redacted = (hidden and bool(shown)) or (secrets.armed and masked(shown, secrets) != shown)
        self.workshop.stream.emit(
            StepEnded(
                step=ref,
                status=ended.status,
                summary=ended.summary,
                duration_s=round(duration, 6),
                attempt=tries,
                outputs={} if hidden else shown,
                changes=ended.changes,
                error=ended.trouble.failure if ended.trouble is not None else None,
                fingerprint=definition,
                redacted=redacted,
            )
        )
        if ref.uses not in _GROUPS:
            self._count(ref, ended, duration)
        return ended

    def _count(self, ref: StepRef, ended: Ended, duration: float) -> None:
        self.counts[ended.status] = self.counts.get(ended.status, 0) + 1
        self.workshop.records.append(
            StepRecord(
                step_id=ref.id,
                name=ref.name,
                status=ended.status,
                summary=ended.summary,
                duration_s=duration,
                uses=ref.uses,
            )
        )

    def _reuse(self, ref: StepRef, earlier: EarlierStep, node: PlannedStep) -> Ended:
        ended = Ended(status=Status.REUSED, summary=earlier.summary, outputs=earlier.outputs)
        self._end(ref, self._now(), ended, node.definition)
        status = Status.CHANGED if earlier.changed else Status.OK
        value = registered(earlier.outputs, status=status, changed=earlier.changed, summary=earlier.summary)
        return Ended(status=status, summary=earlier.summary, value=value)

    def _skip(self, node: PlannedNode, scope: Scope, why: str, item: str | None = None) -> Ended:
        if scope.replaying:
            return _QUIET
        ref = self._ref(node, scope, item, uses=_uses(node))
        return self._end(ref, self._now(), Ended(status=Status.SKIPPED, summary=why), "")

    def _unknown(self, node: PlannedNode, scope: Scope, item: str | None = None) -> Ended:
        ref = self._ref(node, scope, item, uses=_uses(node))
        return self._end(ref, self._now(), Ended(status=Status.MAYBE, summary=DEPENDS), "")

    def _broken(self, node: PlannedNode, scope: Scope, error: DcePlayError, item: str | None = None) -> Ended:
        """A keyword of the node could not be evaluated, or a question not be asked."""
        if scope.replaying:
            return _QUIET
        name = node.step if isinstance(node, PlannedStep) else node.key
        ref = StepRef(
            id=join_id(scope.path, node.key, item), name=name, uses=_uses(node), depth=scope.depth, item=scope.item
        )
        trouble = foreseen(error, ref.id)
        ended = Ended(status=Status.FAILED, summary=str(error), trouble=trouble)
        self._end(ref, self._now(), ended, node.definition)
        if node.keywords.on_error is OnError.CONTINUE:
            self.troubles.append(trouble)
            return Ended(status=Status.FAILED, summary=str(error), trouble=trouble, tolerated=True)
        return ended

    def _not_run(self, nodes: tuple[PlannedNode, ...], scope: Scope) -> None:
        """Tell of each step that the run did not come to."""
        if scope.replaying:
            return
        for node in nodes:
            if self.chosen is not None and node.id not in self.chosen:
                continue
            if isinstance(node, PlannedStep):
                ref = StepRef(id=join_id(scope.path, node.key), name=node.key, uses=node.step, depth=scope.depth)
                self._end(ref, self._now(), Ended(status=Status.NOT_RUN), "")
            else:
                self._not_run(children(node), scope.inside(path=join_id(scope.path, node.key)))

    def _confirm(self, node: PlannedNode, scope: Scope, ref: StepRef) -> None:
        question = node.keywords.confirm
        if question is None or self.workshop.settings.mode is Mode.DRY_RUN:
            return
        if not self.workshop.operator(ref).confirm(evaluate_text(question, scope.names)):
            raise StepFailed("the operator said no")


_INHERITED = ("targets", "channels", "archive_root", "run", "env")
_GROUPS = frozenset({"block", "loop", "role", "playbook"})


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _uses(node: PlannedNode) -> str:
    match node:
        case PlannedStep():
            return node.step
        case PlannedBlock():
            return "block"
        case PlannedCall():
            return node.kind


def _failure(trouble: Trouble) -> dict[str, object]:
    failure = trouble.failure
    return {"kind": failure.kind, "message": failure.message, "hint": failure.hint, "step": trouble.where}


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
