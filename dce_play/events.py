"""What a run says, in order, once. Every renderer, the journal and the report fold the same events.

An ``Event`` is an envelope (number, time, run) around one body; ``dce_play.event_json`` tells it as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol, TypeAlias, get_args

from dce_play.facts import ItemFacts, Reached
from dce_play.source import JsonValue

GROUPS = frozenset({"block", "loop", "role", "playbook"})
"""What ``StepRef.uses`` says of nodes that hold steps and are none."""
CONDITION_FALSE = "its condition does not hold"
"""The summary of a step that its ``when`` left out."""


class Mode(StrEnum):
    """What a run is."""

    RUN = "run"
    DRY_RUN = "dry-run"


class Status(StrEnum):
    """How a step ended."""

    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"
    RESCUED = "rescued"
    """It failed, and a rescue or ``on_error: continue`` dealt with it."""
    REUSED = "reused"
    """It ended well in the run that this one continues."""
    INTERRUPTED = "interrupted"
    """Of an item that is a run of its own: it was killed in the middle of a step that may not be repeated."""
    NOT_RUN = "not-run"
    """The run ended before its turn."""
    MAYBE = "maybe"
    """Of a dry run only: whether it would run depends on what only a real run can know."""


class Outcome(StrEnum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    """Killed, or the machine went down; written by whoever found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRef:
    """Which step an event is about."""

    id: str
    """Stable address in the plan, with the loop items: ``prove[guild-a]/scrape``."""
    name: str
    uses: str
    """The step plugin's name; ``block`` for a block, ``loop`` for a loop."""
    depth: int = 0
    item: str = ""
    """The loop item's key; empty outside a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts:
    """Why a step or a run failed."""

    kind: str
    """The error's class name."""
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTold:
    """One thing that a step would change, or did."""

    what: str
    path: str = ""
    diff: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """First event of a run. Holds what is needed to start the same run again, secrets as references."""

    TYPE: ClassVar[str] = "run.start"
    mode: Mode
    playbook: str
    name: str
    version: str
    folder: str
    summary: str = ""
    archive_root: str = ""
    targets: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    step_count: int = 0
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    """The command line's options that shape the run, for ``resume``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """The run goes on in the same folder, after an end that was not its own choice."""

    TYPE: ClassVar[str] = "run.resume"
    mode: Mode
    name: str
    version: str
    step_count: int
    reused_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWaiting:
    """Somebody else holds the archive root's lock."""

    TYPE: ClassVar[str] = "lock.wait"
    path: str
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTaken:
    """The archive root's lock is ours."""

    TYPE: ClassVar[str] = "lock.acquired"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReleased:
    """The archive root's lock is free again."""

    TYPE: ClassVar[str] = "lock.released"
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSeen:
    """What a dry run finds: it takes nothing."""

    TYPE: ClassVar[str] = "lock.state"
    path: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step, a block or a loop begins."""

    TYPE: ClassVar[str] = "step.start"
    step: StepRef
    attempt: int = 1
    effects: str = "none"
    index: int = 0
    """Its place among the steps of the plan, from 1; 0 for a block or a loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FannedOut:
    """The items of a loop are given to runs of their own; what they tell is in this stream too."""

    TYPE: ClassVar[str] = "loop.fan_out"
    step: StepRef
    runs: Mapping[str, str] = field(default_factory=dict)
    """The id of each item's run, by the item's key, in the order of the items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSaid:
    """One line for the operator."""

    TYPE: ClassVar[str] = "step.output"
    step: StepRef
    text: str
    detail: bool = False
    """Whether it is for the record: the log file, ``-v`` and ``jsonl`` have it, the page does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgressed:
    """How far a step is."""

    TYPE: ClassVar[str] = "step.progress"
    step: StepRef
    done: float
    total: float | None
    unit: str
    reached: Reached | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTold:
    """What became of one item (a channel, a file) of a long step."""

    TYPE: ClassVar[str] = "step.item"
    step: StepRef
    key: str
    status: str
    detail: str = ""
    facts: ItemFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetried:
    """A try was not enough; the next one follows after the delay."""

    TYPE: ClassVar[str] = "step.retry"
    step: StepRef
    attempt: int
    delay_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPut:
    """What a long step remembers across a crash."""

    TYPE: ClassVar[str] = "step.checkpoint"
    step: StepRef
    key: str
    value: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to the operator, and the answer."""

    TYPE: ClassVar[str] = "step.confirm"
    step: StepRef
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """A step, a block or a loop ended."""

    TYPE: ClassVar[str] = "step.end"
    step: StepRef
    status: Status
    summary: str
    duration_s: float
    attempt: int = 1
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    changes: tuple[ChangeTold, ...] = ()
    error: ErrorFacts | None = None
    fingerprint: str = ""
    """Digest of the step's definition and of the params it ran with."""
    redacted: bool = False
    """Whether a secret was masked in the outputs: they cannot be reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """Something that the operator should know, beside the steps."""

    TYPE: ClassVar[str] = "diagnostic"
    severity: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """Always the last event, and the run's return value."""

    TYPE: ClassVar[str] = "run.end"
    outcome: Outcome
    exit_code: int
    duration_s: float
    counts: Mapping[str, int] = field(default_factory=dict)
    """Steps by status; blocks and loops do not count."""
    error: ErrorFacts | None = None
    next_command: str = ""
    """What to type next; empty when there is nothing to do."""
    report: str = ""
    """Where ``report.json`` is, when it was written."""


_OfLock: TypeAlias = LockWaiting | LockTaken | LockReleased | LockSeen
_OfStep: TypeAlias = StepStarted | FannedOut | StepSaid | StepProgressed | ItemTold | StepRetried | CheckpointPut
Body: TypeAlias = RunStarted | RunResumed | _OfLock | _OfStep | Asked | StepEnded | Diagnosed | RunEnded

BODIES: tuple[type[Body], ...] = get_args(Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing a run says. ``seq`` counts from 1 without gaps."""

    seq: int
    ts: str
    """ISO 8601, UTC, microseconds, ``Z``."""
    run: str
    body: Body


class Sink(Protocol):
    """Whatever takes events. Called in order, from one thread at a time."""

    def accept(self, event: Event, /) -> None:
        """Take one event."""

    def close(self) -> None:
        """Nothing more will come."""
