"""One loop whose items are runs of their own: given out as places get free, heard as they go, counted in order."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace

from dce_play.errors import DcePlayError
from dce_play.events import CheckpointPut, Diagnosed, FannedOut, StepRef
from dce_play.playbook.check.names import INHERITED_NAMES
from dce_play.playbook.evaluate.binding import evaluate_on_error
from dce_play.playbook.language.model import OnError
from dce_play.playbook.plan.plan import Plan, PlannedNode
from dce_play.runner.cancel import Reason
from dce_play.runner.context import RunServices
from dce_play.runner.event_emitter import EventEmitter
from dce_play.runner.fan_out.executor import FanOut, Inherited, ItemExecutor, ItemNotRun
from dce_play.runner.fan_out.fold import ItemFold
from dce_play.runner.fan_out.order import ItemOrder, ItemResult, failed_item
from dce_play.runner.fan_out.travel import from_wire, refuse_secrets, to_wire
from dce_play.runner.locking import writes_archive
from dce_play.runner.node_result import foreseen, stopped
from dce_play.runner.record.child_id import child_id
from dce_play.runner.record.progress import HOME_KEY, Home, Progress
from dce_play.runner.record.stream import JournalLost
from dce_play.runner.scope import Scope
from dce_play.source import JsonValue

_TICK_S = 0.1
"""How often a run that waits for items looks whether it is to stop."""


@dataclass(slots=True, kw_only=True)
class FanLoop:
    """Runs the items of loops for one walk."""

    plan: Plan
    fan_out: FanOut
    services: RunServices
    emitter: EventEmitter
    progress: Progress
    _numbers: dict[str, int] = field(default_factory=dict)
    """How often each loop was run, by runtime id."""

    def run(
        self,
        node: PlannedNode,
        scope: Scope,
        ref: StepRef,
        keys: Sequence[str],
        items: Sequence[object],
        *,
        fresh: bool,
    ) -> Iterator[tuple[str, ItemResult]]:
        """Run the items and yield how each that was begun has ended, in the order of the items.

        Raises: SecretWouldTravel; JournalLost; what the places themselves raise before anything runs.
        """
        number = self._numbers[ref.id] = self._numbers.get(ref.id, 0) + 1
        first = self._order(node, scope, fresh=fresh, number=number)
        parent, homes = self.services.settings.run_id, self.progress.homes
        orders = [
            replace(
                first,
                key=key,
                item=self._wired(node, item),
                host=homes.get(child, Home()).host or self.fan_out.host_of(item),
                home=homes.get(child, Home()).folder,
                run_id=child,
            )
            for key, item in zip(keys, items, strict=True)
            for child in [child_id(parent, ref.id, key, number=number)]
        ]
        self.services.stream.emit(FannedOut(step=ref, runs={order.key: order.run_id for order in orders}))
        loop = _Loop(self, node, scope, orders)
        inherited = self._inherited()
        lends = self.fan_out.locks_itself and writes_archive(self.plan, node.id)
        lent = self.services.lend_lock() if lends else nullcontext()
        with lent, self.fan_out.executor(inherited) as executor:
            loop.go(executor)
        yield from loop.results()

    def _inherited(self) -> Inherited:
        services = self.services
        return Inherited(
            stopper=services.stopper,
            secrets=services.secrets,
            fds=services.lock_fds,
            update_step=services.update_step,
            note_container=services.note_container,
            warn=self._warn,
        )

    def _warn(self, message: str, hint: str) -> None:
        with suppress(JournalLost):  # the run's own next event meets that too
            self.services.stream.emit(Diagnosed(severity="warning", message=message, hint=hint))

    def _order(self, node: PlannedNode, scope: Scope, *, fresh: bool, number: int) -> ItemOrder:
        """Return what the orders of all items have in common."""
        mask, settings = self.services.secrets, self.services.settings
        names: dict[str, JsonValue] = {}
        for name, value in scope.names.items():
            if name not in INHERITED_NAMES:
                names[name] = to_wire(value)
                refuse_secrets(name, names[name], mask)
        environment = {
            name: value for name, value in scope.environment.items() if settings.environment.get(name) != value
        }
        for name, value in environment.items():
            refuse_secrets(name, value, mask)
        return ItemOrder(
            run_id="",
            session=f"{self.progress.last_seq}",
            resuming=self.progress.last_seq > 0,
            fresh=fresh or number > 1,
            node=node.id,
            path=scope.path,
            depth=scope.depth,
            key="",
            item=None,
            names=names,
            environment=environment,
            asked=tuple(sorted(scope.asked)),
            silent=scope.silent,
        )

    def _wired(self, node: PlannedNode, item: object) -> JsonValue:
        wired = to_wire(item)
        refuse_secrets(node.keywords.loop_name, wired, self.services.secrets)
        return wired


class _Loop:
    """One running of one loop."""

    def __init__(self, around: FanLoop, node: PlannedNode, scope: Scope, orders: list[ItemOrder]) -> None:
        self._around = around
        self._node = node
        self._scope = scope
        self._orders = orders
        self._pending: dict[str, deque[ItemOrder]] = {}
        for order in orders:
            self._pending.setdefault(order.host, deque()).append(order)
        self._folds: dict[str, ItemFold] = {}
        self._running: dict[Future[ItemResult], ItemOrder] = {}
        self._ended: dict[str, ItemResult] = {}
        self._stopped: Reason | None = None

    def go(self, executor: ItemExecutor) -> None:
        """Run until every item that was begun has ended."""
        while True:
            reason = self._around.services.stopper.why()
            if reason is not None and self._stopped is None:
                self._stopped = reason
                executor.stop(reason)
            if self._goes_on():
                self._give_out(executor)
            if not self._running:
                return
            done, _ = wait(self._running, timeout=_TICK_S, return_when=FIRST_COMPLETED)
            for future in done:
                order = self._running.pop(future)
                self._ended[order.key] = self._result(future, order)

    def _goes_on(self) -> bool:
        """Return whether further items may be begun: the run is not stopped, and no item says stop."""
        return self._stopped is None and all(each.ended.goes_on for each in self._ended.values())

    def _give_out(self, executor: ItemExecutor) -> None:
        for waiting in self._pending.values():
            while waiting and (order := executor.placed(waiting[0])) is not None:
                if waiting.popleft().home != order.home:
                    self._note_home(order)
                future = executor.submit(order, self._fold(order).take)
                self._running[future] = order
                if future.done():
                    return  # a place that runs items at once: look how it ended before the next

    def _note_home(self, order: ItemOrder) -> None:
        """Write down who gets an item before that host hears of it: a later start sends it nowhere else."""
        around = self._around
        ref = replace(around.emitter.ref(self._node, self._scope, None), id=order.id, item=order.key)
        home: dict[str, JsonValue] = {"run": order.run_id, "host": order.host, "folder": order.home}
        around.services.stream.emit(CheckpointPut(step=ref, key=HOME_KEY, value=home))

    def _left_out(self) -> ItemOrder | None:
        """Return the first item that was not begun only because the run stops: without it the loop would look done."""
        if self._stopped is None or not all(each.ended.goes_on for each in self._ended.values()):
            return None
        return next((order for order in self._orders if order.key not in self._ended), None)

    def _fold(self, order: ItemOrder) -> ItemFold:
        services = self._around.services
        fold = self._folds[order.key] = ItemFold(
            services.stream.emit,
            {} if order.fresh else self._around.progress.ended,
            resuming=order.resuming,
            update_step=services.update_step,
        )
        return fold

    def _result(self, future: "Future[ItemResult]", order: ItemOrder) -> ItemResult:
        """Return how an item ended; one that nothing came back of has failed, and that is told in its place."""
        try:
            return future.result()
        except DcePlayError as error:
            around = self._around
            ref = replace(around.emitter.ref(self._node, self._scope, None), id=order.id, item=order.key)
            result = failed_item(error.failure if isinstance(error, ItemNotRun) else foreseen(error, ref.id))
            around.emitter.end(ref, around.emitter.now(), result.ended, definition=self._node.definition)
            return self._tolerated(result, order)

    def _tolerated(self, result: ItemResult, order: ItemOrder) -> ItemResult:
        """Return the result of an item that did not come to say what its failure does, made so by its ``on_error``."""
        keywords, failure = self._node.keywords, result.ended.failure
        names = {**self._scope.names, keywords.loop_name: from_wire(order.item)}
        try:
            goes_on = evaluate_on_error(keywords.on_error, names) is OnError.CONTINUE
        except DcePlayError:
            return result
        if failure is None or failure.stops is not None or not goes_on:
            return result
        return replace(result, ended=replace(result.ended, tolerated=True), failures=(failure,))

    def results(self) -> Iterator[tuple[str, ItemResult]]:
        """Yield how each item ended, in order, and count its steps; of a stopped run, the first that did not begin."""
        around = self._around
        left_out = self._left_out()
        for order in self._orders:
            result = self._ended.get(order.key)
            if order is left_out and self._stopped is not None:
                yield order.key, failed_item(stopped(self._stopped, order.id))
            if result is None:
                continue
            fold = self._folds[order.key]
            for record in fold.records:
                around.emitter.count(record)
            around.services.skipped_items.extend(fold.skipped_items)
            yield order.key, result
