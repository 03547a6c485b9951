"""What a journal says about a run so far: which steps ended how, what they gave, what was under way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dce_play.events import CheckpointPut, Status, StepEnded, StepStarted
from dce_play.source import JsonValue

_HALF_DONE = frozenset(
    {"Interrupted", "Terminated", "RunTimeout", "Timeout", "InterruptedStep", "LeftByHand", "SchedulerLost"}
)
"""Failures that are no end of the step's own: stopped from outside, or nobody decided what to do with it."""

HOME_KEY = "home"
"""The checkpoint of an item that is given to another host: its run is kept there, and nowhere else."""

GOOD = frozenset({Status.OK, Status.CHANGED, Status.REUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierStep:
    """How a step, block or loop ended before."""

    status: Status
    summary: str
    outputs: Mapping[str, JsonValue]
    fingerprint: str
    redacted: bool
    changed: bool
    uses: str = ""

    def reusable(self, fingerprint: str) -> bool:
        """Return whether the step need not run again."""
        return self.status in GOOD and not self.redacted and self.fingerprint == fingerprint


@dataclass(frozen=True, slots=True)
class Home:
    """Where the run of an item is kept."""

    host: str = ""
    folder: str = ""
    """The state folder, by machine and path; empty for an item that nobody was given yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A journal, folded by runtime id."""

    ended: Mapping[str, EarlierStep] = field(default_factory=dict)
    begun: frozenset[str] = frozenset()
    """Steps that started and did not come to an end of their own."""
    checkpoints: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    homes: Mapping[str, Home] = field(default_factory=dict)
    """Of items that were given to other hosts, by the ids of their runs."""
    last_seq: int = 0
    cleared: bool = False
    """Whether nothing that ended before counts, as what the run is made from changed."""

    @property
    def done_count(self) -> int:
        """Return how many steps ended well; blocks, loops and included files are not steps."""
        return sum(1 for each in self.ended.values() if each.status in GOOD and "." in each.uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A run that can go on."""

    run_id: str
    folder: Path
    progress: Progress
    definition: Mapping[str, JsonValue]


def fold_progress(events: Iterable[Mapping[str, JsonValue]], /) -> Progress:
    """Return what the events of one journal, in order, amount to."""
    ended: dict[str, EarlierStep] = {}
    begun: set[str] = set()
    checkpoints: dict[str, dict[str, JsonValue]] = {}
    homes: dict[str, Home] = {}
    last_seq = 0
    for event in events:
        seq = event.get("seq")
        last_seq = seq if isinstance(seq, int) else last_seq
        step = event.get("step")
        identifier = step.get("id") if isinstance(step, dict) else None
        if not isinstance(identifier, str):
            continue
        match event.get("type"):
            case StepStarted.TYPE:
                if "." in str(step.get("uses")) if isinstance(step, dict) else True:
                    begun.add(identifier)
                    ended.pop(identifier, None)
            case StepEnded.TYPE:
                if not _leaves_open(event):
                    begun.discard(identifier)
                earlier = ended.get(identifier)
                ended[identifier] = _earlier(event, earlier)
            case CheckpointPut.TYPE:
                if event.get("key") == HOME_KEY:
                    homes |= _home(event.get("value"))
                checkpoints.setdefault(identifier, {})[str(event.get("key"))] = event.get("value")
    return Progress(ended=ended, begun=frozenset(begun), checkpoints=checkpoints, homes=homes, last_seq=last_seq)


def _home(told: JsonValue) -> dict[str, Home]:
    if not isinstance(told, dict):
        return {}  # a step's own checkpoint
    return {str(told.get("run")): Home(str(told.get("host")), str(told.get("folder")))}


def _leaves_open(event: Mapping[str, JsonValue]) -> bool:
    """Return whether a step that had begun is still half done after this end."""
    error = event.get("error")
    kind = error.get("kind") if isinstance(error, dict) else None
    return event.get("status") == Status.NOT_RUN or kind in _HALF_DONE


def _earlier(event: Mapping[str, JsonValue], before: EarlierStep | None) -> EarlierStep:
    status = Status(str(event.get("status")))
    outputs, step = event.get("outputs"), event.get("step")
    changed = status is Status.CHANGED or (status is Status.REUSED and before is not None and before.changed)
    return EarlierStep(
        status=status,
        summary=str(event.get("summary", "")),
        outputs=outputs if isinstance(outputs, dict) else {},
        fingerprint=str(event.get("fingerprint", "")),
        redacted=event.get("redacted") is True,
        changed=changed,
        uses=str(step.get("uses", "")) if isinstance(step, dict) else "",
    )
