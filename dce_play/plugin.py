"""What a step plugin is, what it is given, and how it answers.

A step is a module of ``dce_play.steps`` (or of a project's ``steps`` folder, or of an entry point) with the names
of ``CheckStep`` or ``ActionStep``. ``plan`` gets a ``View``, which cannot write; ``apply`` gets a ``Context``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, NewType, Protocol

from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.discord.targets.select import select_targets
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.facts import ItemFacts, Reached
from dce_play.snowflake import ChannelId, GuildId
from dce_play.source import JsonValue
from dce_play.system.clock import Clock
from dce_play.system.process.containers import NoteContainer, note_nowhere
from dce_play.system.process.executor import Executor

Duration = NewType("Duration", float)
"""Seconds; playbooks may also write ``90s``, ``10m``, ``12h``, ``2d``."""
Size = NewType("Size", int)
"""Bytes; playbooks may also write ``64MiB``, ``2GB``."""


class Effects(StrEnum):
    """The strongest thing a step may do. It drives the lock, the dry run, resume, retry and rehearsal."""

    NONE = "none"
    """Reads only: runs in a dry run too."""
    LOCAL = "local"
    """Writes outside the archive."""
    ARCHIVE = "archive"
    """May write below the archive root; needs the lock."""
    REMOTE = "remote"
    """Talks to other machines, writes nothing of ours."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # hashed as itself: an example may be a list
class Info:
    """What a field of ``Params`` or ``Outputs`` means; goes into ``typing.Annotated``."""

    help: str
    unit: str = ""
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    example: JsonValue = None


class Unknown:
    """An output that only a real run can know; shown as ``<known after apply>``."""

    def __repr__(self) -> str:
        return "<known after apply>"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a step would change, or did."""

    what: str
    """``append 12 messages to general``: verb first."""
    path: Path | None = None
    diff: str = ""
    """Unified diff for ``--diff``; empty when there is none worth reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """What a step would change now. No changes means that nothing would be done."""

    summary: str
    changes: tuple[Change, ...] = ()
    outputs: Mapping[str, JsonValue | Unknown] = field(default_factory=dict)
    """Outputs known already; a missing name counts as unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step did, when it could. There is one way to fail, and it is to raise."""

    changed: bool
    summary: str
    outputs: object = None
    """An instance of the step's ``Outputs``."""


class StepFailed(DcePlayError):
    """A step failed. Outputs that are known all the same travel with the failure."""

    def __init__(self, message: str, *, hint: str = "", outputs: object = None) -> None:
        super().__init__(message, hint=hint)
        self.outputs = outputs


class NotAccepted(StepFailed):
    """The other side (a receiver, a service) does not accept our token, certificate or password."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the operator chose on the command line."""

    targets: tuple[str, ...] = ()
    """Names of the targets of this run, in file order; already resolved, so never empty when targets exist."""
    channels: tuple[ChannelId, ...] = ()
    """The ``--channel`` list; empty means all."""
    guilds: tuple[GuildId, ...] = ()
    """The ``--guild`` list; empty means all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """How an earlier step of this run ended; ``report.summary`` and friends read these."""

    step_id: str
    name: str
    status: str
    summary: str
    duration_s: float
    uses: str = ""
    """The step plugin's name."""


class Reporter(Protocol):
    """How a running step speaks. Everything ends up in the one event stream, masked."""

    def say(self, text: str, /) -> None:
        """Tell the operator one line."""

    def note(self, text: str, /) -> None:
        """Tell one line for the record, such as a marker that scripts look for: the page leaves it out."""

    def progress(self, done: float, total: float | None, unit: str, reached: Reached | None = None, /) -> None:
        """Tell how far the step is; ``total`` is ``None`` when nobody knows. Some is passed over."""

    def item(self, key: str, status: str, detail: str = "", facts: ItemFacts | None = None, /) -> None:
        """Tell what became of one item (a channel, a file) of a long step."""


class Checkpoint(Protocol):
    """What a long step remembers across a crash, one JSON value an item, durable when ``put`` returns."""

    def get(self, key: str, /) -> JsonValue:
        """Return what an earlier try of this step put under the key, or ``None``."""

    def put(self, key: str, value: JsonValue, /) -> None:
        """Remember a value."""


class Secrets(Protocol):
    """The door to secrets: whatever is read through it is masked in everything we write from then on."""

    def resolve(self, reference: str, /) -> str:
        """Return the secret behind ``env:NAME``, ``file:PATH`` or ``keyring:NAME``."""

    def protect(self, secret: str, /) -> None:
        """Mask a secret that was found some other way."""


class NobodyToAsk(DcePlayError):
    """A question came up, and nobody is there to answer it."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNATTENDED

    def __init__(self, question: str) -> None:
        super().__init__(f"nobody is there to answer: {question}", hint="run it at a terminal, or answer with --yes")
        self.question = question


class Operator(Protocol):
    """The person at the terminal."""

    def confirm(self, question: str, /) -> bool:
        """Ask a yes-or-no question; ``--yes`` answers yes.

        Raises: NobodyToAsk.
        """


class NoOperator:
    """Nobody is there."""

    def confirm(self, question: str, /) -> bool:
        """Refuse.

        Raises: NobodyToAsk.
        """
        raise NobodyToAsk(question)


def no_steps(_playbook: str, /) -> frozenset[str]:
    """Know of no playbook."""
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that a step may look at. Holds nothing that can write."""

    clock: Clock
    environment: Mapping[str, str]
    """The run's environment; a rehearsal's is not the process's."""
    run_id: str
    folder: Path
    """The working folder: relative paths in params are below it. Absolute."""
    archive_root: Path | None = None
    targets: TargetsFile | None = None
    selection: Selection = field(default_factory=Selection)
    records: Sequence[StepRecord] = ()
    """How the steps before this one ended, the oldest first."""
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    """The playbook's own params, secrets left out."""
    allow_unattended: bool = False
    """Whether the command line itself allows what needs a person where nobody is; nothing else can."""
    steps_of: Callable[[str], frozenset[str]] = no_steps
    """Tells which step plugins a playbook uses, by its path or bare name; none of one that cannot be read."""

    @property
    def targets_file(self) -> TargetsFile:
        """Return the targets file.

        Raises: UsageError, when the run has none.
        """
        if self.targets is None:
            raise UsageError(
                "there is no targets file", hint="name it with --config, or make one: dce-play targets add"
            )
        return self.targets

    def chosen_targets(self, *names: str) -> tuple[Target, ...]:
        """Return the targets of these names, or those of the run; in file order.

        Raises: NothingSelected, for an unknown name; UsageError, when the run has no targets file.
        """
        return select_targets(self.targets_file, names or self.selection.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(View):
    """All that a step may work with."""

    executor: Executor
    reporter: Reporter
    checkpoint: Checkpoint
    secrets: Secrets
    scratch: Path
    """A folder of this step's own, below the run folder; it exists."""
    run_folder: Path
    lock_fds: tuple[int, ...] = ()
    """To be inherited by programs that write the archive, so that the lock outlives us while they write."""
    note_container: NoteContainer = note_nowhere
    """Entered with its ``engine:id`` around a container that writes the archive, as it inherits no lock."""
    operator: Operator = field(default_factory=NoOperator)

    def cancelled(self) -> bool:
        """Return whether the run is being stopped; a long step asks between items."""
        return self.cancellation.is_set()

    cancellation: "Cancellation" = field(kw_only=True)


class Cancellation(Protocol):
    """Whether somebody wants the run to stop, or the step's deadline has passed."""

    def is_set(self) -> bool:
        """Return whether to stop."""


class StepInfo(Protocol):
    """The names that every step module has. Its docstring's first line is the step's summary.

    A step that starts programs in a dry run too, to look at something, names them: ``PROGRAMS``, a frozenset of bare
    names. Any other program is refused there.
    """

    NAME: str
    """``noun.verb``: always with a dot."""
    EFFECTS: Effects
    REPEATABLE: bool
    """Whether a second ``apply`` with the same params is harmless; decides how a killed run resumes."""
    REHEARSABLE: bool
    """Whether it may run in a rehearsal: it stays inside the archive root and loopback."""

    @property
    def Params(self) -> type[Any]: ...  # noqa: N802 - a class of the module

    @property
    def Outputs(self) -> type[Any]: ...  # noqa: N802 - a class of the module


def programs_of(step: StepInfo, /) -> frozenset[str]:
    """Return the programs that a step starts in a dry run too."""
    return getattr(step, "PROGRAMS", frozenset())


class CheckStep(StepInfo, Protocol):
    """A step without effects: one function that runs in both modes."""

    def apply(self, params: Any, ctx: Context, /) -> StepResult: ...


class ActionStep(CheckStep, Protocol):
    """A step with effects: what it would do, and doing it."""

    def plan(self, params: Any, view: View, /) -> StepPlan: ...
