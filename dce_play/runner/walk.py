"""Walking a plan: sequences, blocks, loops, included files, and what a failure does to what comes after."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from dce_play.errors import DcePlayError
from dce_play.events import CONDITION_FALSE, Mode, Status, StepRef
from dce_play.playbook.evaluate.binding import (
    bind_call,
    bind_vars,
    evaluate,
    evaluate_list,
    evaluate_on_error,
    evaluate_text,
    holds,
)
from dce_play.playbook.language.model import OnError
from dce_play.playbook.plan.plan import PlannedBlock, PlannedCall, PlannedNode, PlannedStep, join_id
from dce_play.playbook.types.values import registered
from dce_play.plugin import StepFailed, Unknown
from dce_play.runner.attempt import attempt
from dce_play.runner.context import HIDDEN, RunServices
from dce_play.runner.event_emitter import EventEmitter
from dce_play.runner.fan_loop import FanLoop
from dce_play.runner.fan_out.order import ItemResult, bounded
from dce_play.runner.node_result import Failure, NodeResult, looped, settled, stopped
from dce_play.runner.record.progress import GOOD, EarlierStep, Progress
from dce_play.runner.scope import Scope, item_keys
from dce_play.runner.tries import try_until

_QUIET = NodeResult(status=Status.OK)


@dataclass(slots=True, kw_only=True)
class Walk:
    """One walk over a plan. Everything that must live as long as the run is here or in the workshop."""

    services: RunServices
    progress: Progress
    emitter: EventEmitter
    chosen: frozenset[str] | None
    """Ids of nodes to walk, what is around them included; ``None`` walks all."""
    settle: Callable[[PlannedStep, StepRef], str]
    """Decides about a step that was interrupted and may not be repeated: ``repeat``, ``skip`` or ``give-up``."""
    announce: Callable[[PlannedStep, StepRef], bool]
    """Called before a step runs; returns whether to run it (``--step`` asks)."""
    diverged: bool = False
    """Whether a step that ended well before has run again, having changed: nothing after it is reused."""
    failures: list[Failure] = field(default_factory=list)
    """Failures that nothing rescued, tolerated ones included."""
    fan_loop: FanLoop | None = None
    """Runs the items of loops with ``fan_out``; without it they are items as any."""

    def sequence(self, nodes: tuple[PlannedNode, ...], scope: Scope) -> NodeResult:
        """Run nodes in order, up to the first failure that is not tolerated."""
        changed = False
        for number, node in enumerate(nodes):
            if self.chosen is not None and node.id not in self.chosen:
                continue
            reason = self.services.stopper.why()
            if reason is not None and not scope.replaying:
                ended = NodeResult(status=Status.FAILED, failure=stopped(reason, join_id(scope.path, node.key)))
                rest = nodes[number:]
            else:
                ended = self.node(node, scope)
                rest = nodes[number + 1 :]
            changed = changed or ended.status is Status.CHANGED
            if not ended.goes_on:
                if not scope.replaying:
                    self.emitter.not_run(rest, scope, self.chosen)
                return ended
        return NodeResult(status=Status.CHANGED if changed else Status.OK)

    def node(self, node: PlannedNode, scope: Scope) -> NodeResult:
        """Run one node with all of its keywords."""
        keywords = node.keywords
        try:
            known = holds(keywords.when, scope.names) if keywords.when else True
            if known is False:
                ended = self._skip(node, scope, CONDITION_FALSE)
            elif known is not True:
                ended = self.emitter.unknown(node, scope)
            else:
                ended = self._once(node, scope, None) if keywords.loop is None else self._loop(node, scope)
        except DcePlayError as error:
            ended = self._broken(node, scope, None, error)
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
        return scope.inside(names=names, environment=environment, silent=keywords.no_log, asked=keywords.environment)

    def _loop(self, node: PlannedNode, scope: Scope) -> NodeResult:
        template = node.keywords.loop
        assert template is not None  # noqa: S101 - the caller asked
        items = evaluate_list(template, scope.names)
        if isinstance(items, Unknown):
            return self.emitter.unknown(node, scope)
        if not items:
            return self._skip(node, scope, "0 items")
        ref = replace(self.emitter.ref(node, scope, None), uses="loop")
        begun = self.emitter.now()
        self.emitter.start(node, ref)
        at_once = self.fan_loop is not None and node.keywords.fan_out and not scope.replaying
        go_through = self._at_once if at_once else self._in_turn
        ended = looped(go_through(node, scope, ref, items), len(items))
        return self.emitter.end(ref, begun, ended, definition=node.definition)

    def _in_turn(
        self, node: PlannedNode, scope: Scope, _ref: StepRef, items: list[object]
    ) -> Iterator[tuple[str, NodeResult]]:
        """Run one item after another, up to the first that says stop."""
        for key, item in zip(item_keys(items), items, strict=True):
            ended = self._item(node, scope.for_item(node.keywords.loop_name, item, key), key)
            yield key, ended
            if not ended.goes_on:
                return

    def _at_once(
        self, node: PlannedNode, scope: Scope, ref: StepRef, items: list[object]
    ) -> Iterator[tuple[str, NodeResult]]:
        """Run the items as runs of their own."""
        assert self.fan_loop is not None  # noqa: S101 - the caller asked
        fresh = scope.fresh or self.diverged or self.progress.cleared
        for key, result in self.fan_loop.run(node, scope, ref, item_keys(items), items, fresh=fresh):
            self.failures += result.failures
            self.diverged = self.diverged or result.diverged
            yield key, result.ended

    def own_item(self, node: PlannedNode, scope: Scope, key: str) -> ItemResult:
        """Run the one item that this run is of."""
        ended = self._item(node, scope, key)
        return ItemResult(ended=ended, failures=tuple(self.failures), diverged=self.diverged)

    def _item(self, node: PlannedNode, scope: Scope, key: str) -> NodeResult:
        try:
            reason = self.services.stopper.why()
            if reason is not None:
                return NodeResult(status=Status.FAILED, failure=stopped(reason, join_id(scope.path, node.key, key)))
            return self._once(node, scope, key)
        except DcePlayError as error:
            return self._broken(node, scope, key, error)

    # One node, one item.

    def _once(self, node: PlannedNode, around: Scope, item: str | None) -> NodeResult:
        scope = self._enter(node, around)
        ref = self.emitter.ref(node, scope, item)
        on_error = OnError.STOP if scope.replaying else evaluate_on_error(node.keywords.on_error, scope.names)
        match node:
            case PlannedStep():
                ended = self._step(node, scope, ref)
            case PlannedBlock():
                ended = self._block(node, scope, ref)
            case PlannedCall():
                ended = self._call(node, scope, ref)
        return self._tolerated(ended, on_error)

    def _tolerated(self, ended: NodeResult, on_error: OnError) -> NodeResult:
        """Return how it ended, made bearable where ``on_error: continue`` says so."""
        if ended.failure is None or ended.failure.stops is not None:
            return ended
        if on_error is OnError.CONTINUE and not ended.tolerated:
            self.failures.append(ended.failure)
            return replace(ended, tolerated=True)
        return ended

    def _skip(self, node: PlannedNode, scope: Scope, why: str) -> NodeResult:
        return _QUIET if scope.replaying else self.emitter.skipped(node, scope, why)

    def _broken(self, node: PlannedNode, scope: Scope, item: str | None, error: DcePlayError) -> NodeResult:
        if scope.replaying:
            return _QUIET
        try:
            on_error = evaluate_on_error(node.keywords.on_error, scope.names)
        except DcePlayError:  # perhaps what broke the node
            on_error = OnError.STOP
        return self._tolerated(self.emitter.broken(node, scope, item, error), on_error)

    def _step(self, node: PlannedStep, scope: Scope, ref: StepRef) -> NodeResult:
        earlier = self.progress.ended.get(ref.id)
        if earlier is not None and not scope.fresh and not self.diverged:
            if earlier.reusable(node.definition):
                self.emitter.reused(node, ref, earlier)
                return _as_before(earlier)
            self.diverged = earlier.status in GOOD
        if scope.replaying:
            return _QUIET
        begun = self.emitter.now()
        if not self.announce(node, ref):
            return self.emitter.end(ref, begun, NodeResult(status=Status.SKIPPED, summary="left out by hand"))
        if ref.id in self.progress.begun and not node.plugin.REPEATABLE:
            done = settled(self.settle(node, ref), ref.id)
            if done is not None:
                return self.emitter.end(ref, begun, done, definition=node.definition)
        self._confirm(node, scope, ref)

        def once(timeout_s: float | None) -> NodeResult:
            if timeout_s is None:
                return attempt(self.services, node, scope, ref)
            with self.services.stopper.deadline(timeout_s):
                return attempt(self.services, node, scope, ref)

        ended, tries = try_until(self.emitter, node, scope, ref, once=once)
        ended = bounded(ended, ref.id, self.services.item_id)
        return self.emitter.end(ref, begun, ended, definition=node.definition, tries=tries)

    def _block(self, node: PlannedBlock, scope: Scope, ref: StepRef) -> NodeResult:
        earlier = self.progress.ended.get(ref.id)
        rescued_before = earlier is not None and earlier.status is Status.RESCUED
        inner = scope.inside(path=ref.id)
        inner.replaying = scope.replaying or rescued_before
        if not inner.replaying:
            self._confirm(node, scope, ref)
        begun = self.emitter.now()
        finished = earlier is not None and earlier.status in {Status.OK, Status.CHANGED}
        ended, tries = try_until(
            self.emitter,
            node,
            scope,
            ref,
            once=lambda timeout_s: self._guarded(node, inner, timeout_s, finished=finished),
        )
        if rescued_before:
            ended = NodeResult(status=Status.RESCUED, summary=earlier.summary if earlier else "")
        return self.emitter.end(ref, begun, ended, definition=node.definition, tries=tries)

    def _guarded(self, node: PlannedBlock, scope: Scope, timeout_s: float | None, *, finished: bool) -> NodeResult:
        """Run a block's body, its rescue when that failed, and its ``always`` whatever happened."""
        record_count = len(self.services.records)
        ended = self._timed(node.body, scope, timeout_s)
        first = ended.failure
        if first is not None and first.stops is None and not ended.tolerated and node.rescue:
            rescue = self.sequence(node.rescue, scope.inside(names={"failure": _failure(first)}))
            if rescue.failure is None:
                self.emitter.mark_rescued(record_count, first)
                summary = f"rescued from: {first.facts.message}"
                ended = NodeResult(status=Status.RESCUED, summary=HIDDEN if scope.silent else summary)
            else:
                ended = rescue
        elif scope.replaying and node.rescue:
            self.sequence(node.rescue, scope)
        if node.always:
            after = scope.inside(names={"failure": _failure(first) if first else None})
            after.fresh = scope.fresh or not finished
            stopping = self.services.stopper.why() is not None
            with self.services.stopper.shielded() if stopping else nullcontext():
                last = self.sequence(node.always, after)
            if ended.goes_on and last.failure is not None:
                ended = last
        return ended

    def _timed(self, nodes: tuple[PlannedNode, ...], scope: Scope, timeout_s: float | None) -> NodeResult:
        with self.services.stopper.deadline(timeout_s):
            return self.sequence(nodes, scope)

    def _call(self, node: PlannedCall, scope: Scope, ref: StepRef) -> NodeResult:
        builtin = {name: scope.names[name] for name in _INHERITED if name in scope.names}
        inner = scope.for_call({**builtin, "params": bind_call(node, scope.names)}, path=ref.id)
        inner.names["vars"] = bind_vars(node.vars, inner.names)
        self._confirm(node, scope, ref)
        begun = self.emitter.now()
        ended, tries = try_until(
            self.emitter, node, scope, ref, once=lambda timeout_s: self._timed(node.body, inner, timeout_s)
        )
        outputs: dict[str, object] = {}
        if ended.failure is None:
            outputs = {name: evaluate(template, inner.names) for name, template in node.outputs.items()}
        value = registered(outputs, status=ended.status, changed=ended.status is Status.CHANGED, summary="")
        ended = bounded(replace(ended, value=value), ref.id, self.services.item_id)
        return self.emitter.end(ref, begun, ended, definition=node.definition, tries=tries)

    def _confirm(self, node: PlannedNode, scope: Scope, ref: StepRef) -> None:
        question = node.keywords.confirm
        if question is None or self.services.settings.mode is Mode.DRY_RUN:
            return
        if not self.services.operator(ref).confirm(evaluate_text(question, scope.names)):
            raise StepFailed("the operator said no")


_INHERITED = ("targets", "channels", "archive_root", "run", "env")


def _as_before(earlier: EarlierStep) -> NodeResult:
    status = Status.CHANGED if earlier.changed else Status.OK
    value = registered(earlier.outputs, status=status, changed=earlier.changed, summary=earlier.summary)
    return NodeResult(status=status, summary=earlier.summary, value=value)


def _failure(failure: Failure) -> dict[str, object]:
    facts = failure.facts
    return {"kind": facts.kind, "message": facts.message, "hint": facts.hint, "step": failure.where}
