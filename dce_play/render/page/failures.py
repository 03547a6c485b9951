"""What ``-q`` tells: nothing of a run that goes well; of any other what failed, and the command that mends it."""

from collections.abc import Iterator

from dce_play.events import (
    GROUPS,
    Diagnosed,
    Event,
    ItemTold,
    Mode,
    RunEnded,
    RunStarted,
    Status,
    StepEnded,
    StepRetried,
    StepSaid,
)
from dce_play.render.lines import Line
from dce_play.render.page.display import DisplayOptions
from dce_play.render.page.fitting import Fitting
from dce_play.render.page.items import facts_of, failure
from dce_play.render.page.last_lines import Tally, ended_well, recap
from dce_play.render.page.step_lines import failure_of, hint, is_command, step_line
from dce_play.system.foreign_text import clean

_ENDED_BADLY = frozenset({Status.FAILED, Status.INTERRUPTED})


class Failures:
    """Holds what failed until the run is over. One belongs to one output."""

    def __init__(self, display: DisplayOptions) -> None:
        self._display = display
        self._fit = Fitting(display)
        self._tally = Tally()
        self._said: dict[str, list[str]] = {}
        self._items: dict[str, list[ItemTold]] = {}
        self._held: list[tuple[str, list[Line]]] = []
        """The address of each step that failed, and what is told of it."""
        self._told: set[str] = set()
        self._mended = False
        """Whether a command that mends something is among it."""
        self._run_id = ""
        self._dry = False

    def lines(self, event: Event, /) -> Iterator[Line]:
        """Yield nothing, or at the end of a run that failed all that is to be told."""
        match event.body:
            case RunStarted(archive_root=root, mode=mode):
                self._run_id, self._dry = event.run, mode is Mode.DRY_RUN
                self._fit.root = f"{root.rstrip('/')}/" if root else ""
            case Diagnosed(severity="error") as body:
                self._hold("", [*self._fit.wrapped(("error: ", "failed"), body.message), *self._hint(body.hint)])
            case StepSaid(detail=False, step=step, text=text):
                self._said.setdefault(step.id, []).extend(clean(text).split("\n"))
            case StepRetried(step=step):
                self._forget(step.id)
            case ItemTold() as body:
                self._tally.add(body)
                if body.status == "failed":
                    self._items.setdefault(body.step.id, []).append(body)
            case StepEnded() as body:
                self._ended(body)
            case RunEnded() as body if not ended_well(body):
                yield from self._end(body)
            case _:
                pass

    def _ended(self, body: StepEnded) -> None:
        address = body.step.id
        if body.status is Status.RESCUED:
            self._held = [held for held in self._held if not f"{held[0]}/".startswith(f"{address}/")]
        if body.status in _ENDED_BADLY and body.step.uses not in GROUPS:
            self._told.add(failure_of(body))
            self._hold(address, list(self._items_of(address)) or list(self._step(body)))
        self._forget(address)

    def _items_of(self, address: str) -> Iterator[Line]:
        for each in self._items.get(address, ()):
            facts = facts_of(each)
            self._mended = self._mended or bool(facts.fix)
            yield from failure(each, self._fit, "", whose=facts.group)

    def _step(self, body: StepEnded) -> Iterator[Line]:
        for line in self._said.get(body.step.id, ()):
            yield from self._fit.said((f"{self._fit.signs.said} ", "dim"), line)
        if body.error is not None:
            self._mended = self._mended or is_command(body.error.hint)
        yield from step_line(body, self._fit, "")

    def _hint(self, text: str) -> Iterator[Line]:
        self._mended = self._mended or is_command(text)
        return hint(text, self._fit, "    ")

    def _hold(self, address: str, lines: list[Line]) -> None:
        self._held.append((address, lines))

    def _forget(self, address: str) -> None:
        self._said.pop(address, None)
        self._items.pop(address, None)

    def _end(self, body: RunEnded) -> Iterator[Line]:
        fit = self._fit
        for _, lines in self._held:
            yield from lines
        if body.error is not None and body.error.message not in self._told:
            yield from fit.wrapped((f"{fit.signs.failed} ", "failed"), body.error.message)
            yield from self._hint(body.error.hint)
        yield from recap(body, self._tally, fit, dry=self._dry)
        if self._mended or self._display.staged:
            return
        if body.next_command:
            yield from fit.command(("next: ", "dim"), body.next_command)
        elif self._run_id and body.report:
            yield from fit.command(("report  ", "dim"), f"dce-play runs show {self._run_id[-6:]}{self._display.again}")
