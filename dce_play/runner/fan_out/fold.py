"""The events of an item's run, made part of its parent's stream: each once, whoever told it and however often."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from dce_play.event_json import from_json
from dce_play.events import (
    GROUPS,
    Body,
    FannedOut,
    ItemTold,
    RunEnded,
    RunResumed,
    RunStarted,
    Status,
    StepEnded,
    StepStarted,
)
from dce_play.plugin import StepRecord
from dce_play.runner.record.progress import GOOD, EarlierStep
from dce_play.source import JsonValue

_OF_THE_RUN = (RunStarted, RunResumed, RunEnded, FannedOut)
_RESCUED_FROM = "rescued from: "


class ItemFold:
    """Takes what one item's run tells. ``records`` are the ends of its steps, as the recap counts them."""

    def __init__(
        self,
        emit: Callable[[Body], None],
        earlier: Mapping[str, EarlierStep],
        *,
        resuming: bool,
        update_step: Callable[[str], None] | None = None,
    ) -> None:
        """``earlier`` is what the parent's own journal says of an earlier part; ``resuming`` that there is one."""
        self._emit = emit
        self._earlier = earlier
        self._resuming = resuming
        self._update_step = update_step
        self._last_seq = 0
        self._records: dict[str, StepRecord] = {}
        self.skipped_items: list[str] = []

    @property
    def records(self) -> list[StepRecord]:
        """Return how the item's steps ended, in order; of one that ran twice, the last end."""
        return list(self._records.values())

    def take(self, line: Mapping[str, JsonValue], replayed: bool) -> None:
        """Hand one event on, unless it was handed on before, or is about the child run itself.

        Raises: JournalLost; ValueError, for what is no event.
        """
        seq = line.get("seq")
        if not isinstance(seq, int) or seq <= self._last_seq:
            return
        self._last_seq = seq
        body = from_json(line)
        if isinstance(body, _OF_THE_RUN) or (replayed and self._resuming and not _ended_well(body)):
            return
        known = self._records.get(body.step.id) if isinstance(body, StepEnded) else None
        if isinstance(body, StepEnded) and body.status is Status.REUSED and known is not None:
            return
        self._hand_on(self._as_reused(body))

    def _as_reused(self, body: Body) -> Body:
        """Return an end that the parent's journal has already as what it is by now."""
        if not isinstance(body, StepEnded) or body.step.uses in GROUPS or body.status not in GOOD:
            return body
        earlier = self._earlier.get(body.step.id)
        if earlier is None or not earlier.reusable(body.fingerprint):
            return body
        return replace(body, status=Status.REUSED)

    def _hand_on(self, body: Body) -> None:
        match body:
            case StepStarted(step=step, effects=effects) if effects != "none" and self._update_step is not None:
                self._update_step(step.id)
            case ItemTold(status="skipped", key=key):
                self.skipped_items.append(key)
            case StepEnded():
                self._keep(body)
        self._emit(body)

    def _keep(self, body: StepEnded) -> None:
        step = body.step
        if step.uses in GROUPS:
            if body.status is Status.RESCUED:
                self._rescue(f"{step.id}/", body.summary.removeprefix(_RESCUED_FROM))
            return
        self._records.pop(step.id, None)
        self._records[step.id] = StepRecord(
            step_id=step.id,
            name=step.name,
            status=body.status,
            summary=body.summary,
            duration_s=body.duration_s,
            uses=step.uses,
        )

    def _rescue(self, inside: str, message: str) -> None:
        """Let the recap say ``rescued`` of the step that the block was rescued from."""
        failed = [
            each for each in self._records.values() if each.step_id.startswith(inside) and each.status == Status.FAILED
        ]
        named = [each for each in failed if each.summary == message] or failed
        if named:
            self._records[named[0].step_id] = replace(named[0], status=Status.RESCUED)


def _ended_well(body: Body) -> bool:
    return isinstance(body, StepEnded) and body.status in GOOD
