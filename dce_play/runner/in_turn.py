"""Items as runs of their own in this process, one after another: what a loop with ``fan_out`` is without options."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dce_play.errors import DcePlayError
from dce_play.playbook.plan.plan import Plan
from dce_play.runner.cancel import Reason
from dce_play.runner.fan_out.executor import Inherited, ItemExecutor, ItemWork, Listen
from dce_play.runner.fan_out.order import ItemOrder, ItemResult
from dce_play.runner.item_run import item_settings, run_item
from dce_play.runner.settings import RunSettings


@dataclass(frozen=True, slots=True)
class InTurn:
    """Runs an item while ``submit`` is called. Stopping, secrets and the lock are the parent's."""

    plan: Plan
    settings: RunSettings
    leave_report: Callable[[Path], object]
    """Writes the report of an item's run into its folder."""
    locks_itself = False

    def host_of(self, _item: object, /) -> str:
        """Return that any host will do: there is this one."""
        return ""

    @contextmanager
    def executor(self, inherited: Inherited, /) -> Iterator[ItemExecutor]:
        """Return it; there is nothing to let go."""
        yield _InTurnExecutor(self, inherited)


@dataclass(frozen=True, slots=True)
class _InTurnExecutor:
    place: InTurn
    inherited: Inherited

    def placed(self, order: ItemOrder, /) -> ItemOrder:
        """Return it as it is: whoever asks has waited for the item before."""
        return order

    def submit(self, order: ItemOrder, listen: Listen, /) -> "Future[ItemResult]":
        """Run the item to its end. What this process cannot do is raised."""
        place = self.place
        settings = item_settings(place.settings, order, runs=place.settings.run_folder.parent)
        work = ItemWork(order=order, inherited=self.inherited)
        future: Future[ItemResult] = Future()
        try:
            future.set_result(run_item(place.plan, settings, work, listen, leave_report=place.leave_report))
        except DcePlayError as error:
            future.set_exception(error)
        return future

    def stop(self, reason: Reason, /) -> None:
        """Do nothing: the parent's own stopper is the item's."""
