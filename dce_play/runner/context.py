"""What one step is handed: its reporter, its checkpoint, its view or context."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.lock.archive_lock import SkippedLock
from dce_play.events import Asked, CheckpointPut, ItemTold, StepProgressed, StepRef, StepSaid
from dce_play.facts import ItemFacts, Reached
from dce_play.plugin import Context, NobodyToAsk, StepRecord, View
from dce_play.runner.cancel import Stopper
from dce_play.runner.fan_out.executor import Inherited, ItemWork
from dce_play.runner.record.so_far import SoFar
from dce_play.runner.record.stream import EventStream
from dce_play.runner.secrets import RunSecrets
from dce_play.runner.settings import Ask, RunSettings
from dce_play.source import JsonValue
from dce_play.system.clock import Clock
from dce_play.system.lock.held_lock import HeldLock
from dce_play.system.process.containers import NoteContainer, note_nowhere
from dce_play.system.process.executor import Command, Executor, Finished, LocalExecutor
from dce_play.system.process.exempt import ExemptStarter

HIDDEN = "hidden (no_log)"
_NOTE_EVERY_S = 5.0
_PROGRESS_EVERY_S = 0.5


@dataclass(slots=True)
class Pace:
    """Says when it is time again: at first, and then so many seconds after the last time."""

    every_s: float
    clock: Clock
    _last: float | None = None

    def due(self) -> bool:
        """Return whether it is time; if so, that was the last time."""
        now = self.clock.monotonic()
        if self._last is not None and now - self._last < self.every_s:
            return False
        self._last = now
        return True


@dataclass(frozen=True, slots=True)
class StepReporter:
    """Speaks for one step. With ``no_log`` the texts stay hidden, the progress does not.

    What a step tells of its progress is an event only now and then, and when all is done: each goes into the journal,
    and from an item's run to its parent's.
    """

    stream: EventStream
    step: StepRef
    skipped_items: list[str]
    progress_pace: Pace
    silent: bool = False
    lock_note: "LockNote | None" = None

    def say(self, text: str, /) -> None:
        """Tell one line."""
        if not self.silent:
            self.stream.emit(StepSaid(step=self.step, text=text))

    def note(self, text: str, /) -> None:
        """Tell one line for the record."""
        if not self.silent:
            self.stream.emit(StepSaid(step=self.step, text=text, detail=True))

    def progress(self, done: float, total: float | None, unit: str, reached: Reached | None = None, /) -> None:
        """Tell how far the step is."""
        if not self.progress_pace.due() and done != total:
            return
        if self.silent:
            reached = None
        self.stream.emit(StepProgressed(step=self.step, done=done, total=total, unit=unit, reached=reached))
        if self.lock_note is not None and reached is not None:
            self.lock_note.tell(f"{self.step.id}: {reached.text()}")

    def item(self, key: str, status: str, detail: str = "", facts: ItemFacts | None = None, /) -> None:
        """Tell what became of one item."""
        if status == "skipped":
            self.skipped_items.append(key)
        if self.silent:
            detail, facts = HIDDEN, None
        self.stream.emit(ItemTold(step=self.step, key=key, status=status, detail=detail, facts=facts))


@dataclass(frozen=True, slots=True)
class LockNote:
    """Notes beside the archive's lock how far a step is, at most once in five seconds."""

    update: Callable[[str], None]
    pace: Pace

    def tell(self, text: str, /) -> None:
        """Note it, unless something was noted just now."""
        if self.pace.due():
            self.update(text)


@dataclass(frozen=True, slots=True)
class JournalCheckpoint:
    """Remembers in the journal, which is durable for checkpoints when ``emit`` returns."""

    stream: EventStream
    step: StepRef
    values: dict[str, JsonValue]

    def get(self, key: str, /) -> JsonValue:
        """Return what this step put under the key, in this run or in the part of it before a resume."""
        return self.values.get(key)

    def put(self, key: str, value: JsonValue, /) -> None:
        """Remember a value."""
        self.values[key] = value
        self.stream.emit(CheckpointPut(step=self.step, key=key, value=value))


@dataclass(frozen=True, slots=True)
class RunOperator:
    """Asks for one step, and tells the stream what was asked and answered."""

    stream: EventStream
    step: StepRef
    ask: Ask | None
    assume_yes: bool

    def confirm(self, question: str, /) -> bool:
        """Ask a yes-or-no question.

        Raises: NobodyToAsk.
        """
        return self.choose(question, ("yes", "no"), assumed="yes") == "yes"

    def choose(self, question: str, answers: tuple[str, ...], *, assumed: str | None = None) -> str:
        """Ask for one of the answers; ``assumed`` is what ``--yes`` stands for.

        Raises: NobodyToAsk.
        """
        if assumed is not None and self.assume_yes:
            answer = assumed
        elif self.ask is None:
            raise NobodyToAsk(question)
        else:
            answer = self.ask(question, answers)
        self.stream.emit(Asked(step=self.step, question=question, answer=answer))
        return answer


@dataclass(frozen=True, slots=True)
class DryExecutor:
    """Has declared programs started by an exempt child; all others meet the guard, which refuses them."""

    starter: ExemptStarter
    local: LocalExecutor
    stopped: Callable[[], bool]

    def run(
        self,
        command: Command,
        /,
        *,
        on_line: Callable[[str, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Finished:
        """Run the program to its end."""
        if not self.starter.starts(command.argv[0]):
            return self.local.run(command, on_line=on_line, cancelled=cancelled)
        asked = cancelled or (lambda: False)
        return self.starter.run(command, on_line=on_line, cancelled=lambda: self.stopped() or asked())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """Makes views and contexts; everything in it is the same for all steps of a run."""

    settings: RunSettings
    stream: EventStream
    stopper: Stopper
    secrets: RunSecrets
    shown_params: Mapping[str, JsonValue]
    records: list[StepRecord]
    checkpoints: dict[str, dict[str, JsonValue]]
    skipped_items: list[str]
    """Keys of the items that steps passed over; ``--strict`` asks for them."""
    lock: HeldLock | SkippedLock | Inherited | None = None
    """What holds the archive's lock; ``None`` where the run has none."""
    lend_lock: Callable[[], AbstractContextManager[None]] = nullcontext
    """Lets go of the lock while the block runs, for items that take it themselves."""
    item: ItemWork | None = None
    """What one item of a parent's loop this run is of; ``None`` for a run of a whole playbook."""
    starter: ExemptStarter | None = None
    """In a dry run: what starts the programs that steps have declared."""

    @property
    def lock_fds(self) -> tuple[int, ...]:
        """Return what programs that write the archive must inherit."""
        return self.lock.fds if self.lock is not None else ()

    @property
    def update_step(self) -> Callable[[str], None] | None:
        """Return what notes beside the archive's lock which step is running."""
        return self.lock.update_step if self.lock is not None else None

    @property
    def note_container(self) -> NoteContainer:
        """Return what notes there, while it is entered, a container that inherits no lock."""
        return self.lock.note_container if self.lock is not None else note_nowhere

    @property
    def item_id(self) -> str | None:
        """Return the runtime id of the item that this run is of."""
        return None if self.item is None else self.item.order.id

    def operator(self, step: StepRef) -> RunOperator:
        """Return who answers this step's questions."""
        return RunOperator(self.stream, step, self.settings.ask, self.settings.assume_yes)

    def view(self, environment: Mapping[str, str]) -> View:
        """Return what ``plan`` may look at."""
        settings = self.settings
        return View(
            clock=settings.clock,
            environment=environment,
            run_id=settings.run_id,
            folder=settings.folder,
            archive_root=settings.archive_root,
            targets=settings.targets,
            selection=settings.selection,
            records=SoFar(self.records),
            params=self.shown_params,
            allow_unattended=settings.allow_unattended,
            steps_of=settings.steps_of,
        )

    def _lock_note(self) -> LockNote | None:
        return (
            None if self.update_step is None else LockNote(self.update_step, Pace(_NOTE_EVERY_S, self.settings.clock))
        )

    def context(
        self,
        step: StepRef,
        environment: Mapping[str, str],
        *,
        scratch: Path,
        silent: bool,
        handed_on: frozenset[str] = frozenset(),
    ) -> Context:
        """Return what ``apply`` may work with. Its programs get secrets of the environment only by these names."""
        settings = self.settings
        local = LocalExecutor(environment, self.secrets, self.stopper.is_set, handed_on=handed_on)
        executor: Executor = settings.executor or local
        if self.starter is not None:
            executor = DryExecutor(self.starter, local, self.stopper.is_set)
        return Context(
            clock=settings.clock,
            environment=environment,
            run_id=settings.run_id,
            folder=settings.folder,
            archive_root=settings.archive_root,
            targets=settings.targets,
            selection=settings.selection,
            records=SoFar(self.records),
            params=self.shown_params,
            allow_unattended=settings.allow_unattended,
            steps_of=settings.steps_of,
            executor=executor,
            reporter=StepReporter(
                self.stream,
                step,
                self.skipped_items,
                Pace(_PROGRESS_EVERY_S, settings.clock),
                silent=silent,
                lock_note=self._lock_note(),
            ),
            checkpoint=JournalCheckpoint(self.stream, step, self.checkpoints.setdefault(step.id, {})),
            secrets=self.secrets,
            scratch=scratch,
            run_folder=settings.run_folder,
            lock_fds=self.lock_fds,
            note_container=self.note_container,
            operator=self.operator(step),
            cancellation=self.stopper,
        )
