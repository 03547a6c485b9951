"""Running a plan: ``run(plan, settings, sinks)`` does it and tells how it ended; it raises nothing that it can tell."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from dce_play import __version__
from dce_play.discord.lock.archive_lock import SkippedLock
from dce_play.errors import DcePlayError, ExitCode
from dce_play.events import (
    Mode,
    Outcome,
    RunEnded,
    RunResumed,
    RunStarted,
    Sink,
)
from dce_play.playbook.evaluate.binding import bind_vars, evaluate
from dce_play.playbook.evaluate.reach import reachable_steps
from dce_play.playbook.plan.plan import Plan, all_steps, walk
from dce_play.playbook.plan.selection import with_parents
from dce_play.plugin import programs_of
from dce_play.runner.cancel import Reason, Stopper
from dce_play.runner.context import RunServices
from dce_play.runner.definition import define, save_definition
from dce_play.runner.event_emitter import EventEmitter
from dce_play.runner.fan_loop import FanLoop
from dce_play.runner.fan_out.executor import FanOut, Inherited, ItemWork
from dce_play.runner.fan_out.order import ItemOrder, ItemResult
from dce_play.runner.locking import archive_locked, lent
from dce_play.runner.node_result import Failure, crashed, decisive, foreseen, stopped
from dce_play.runner.record.journal import open_journal
from dce_play.runner.record.progress import Progress
from dce_play.runner.record.stream import EventStream, masked
from dce_play.runner.scope import Scope, first_names, item_scope
from dce_play.runner.secrets import RunSecrets
from dce_play.runner.settings import RunOutcome, RunSettings
from dce_play.runner.stop_hooks import StopHooks
from dce_play.runner.supervise import Gate
from dce_play.runner.walk import Walk
from dce_play.system.lock.held_lock import HeldLock
from dce_play.system.process.exempt import exempt_starter


def run(
    plan: Plan,
    settings: RunSettings,
    sinks: Sequence[Sink],
    /,
    *,
    progress: Progress | None = None,
    fan_out: FanOut | None = None,
    item: ItemWork | None = None,
) -> RunOutcome:
    """Run the plan and return how it ended. The last event says the same.

    With ``progress``, what a journal says about an earlier part of the same run, the run goes on from there. With
    ``fan_out``, the items of loops that say so are runs of their own; with ``item``, this is one of these.

    Raises: RunFolderUnusable; RunStillGoing.
    """
    progress_now = progress or Progress()
    inherited = item.inherited if item is not None else None
    secrets = (inherited.secrets if inherited is not None else None) or RunSecrets(
        environment=settings.environment, folder=settings.folder, known=settings.known_secrets
    )
    journal = open_journal(settings.run_folder)
    stream = EventStream(
        run_id=settings.run_id,
        clock=settings.clock,
        mask=secrets,
        sinks=[journal, *sinks],
        first_seq=progress_now.last_seq + 1,
    )
    running = _Running(plan, settings, stream, secrets, progress_now, resuming=progress is not None, item=item)
    running.fan_out = fan_out
    try:
        return running.go()
    finally:
        stream.close()


class _Running:
    """One run, from its first event to its last."""

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings,
        stream: EventStream,
        secrets: RunSecrets,
        progress: Progress,
        *,
        resuming: bool,
        item: ItemWork | None,
    ) -> None:
        self.fan_out: FanOut | None = None
        self._item = item
        self._inherited = item.inherited if item is not None else None
        self._result: ItemResult | None = None
        self._plan = plan
        self._settings = settings
        self._stream = stream
        self._secrets = secrets
        self._progress = progress
        self._resuming = resuming
        self._began = settings.clock.monotonic()
        given = self._inherited.stopper if self._inherited is not None else None
        self._stopper = given or Stopper(
            clock=settings.clock, hooks=StopHooks(stream, settings, self._began), grace_s=settings.grace_s
        )
        self._listening = given is None
        self._workshop = RunServices(
            settings=settings,
            stream=stream,
            stopper=self._stopper,
            secrets=secrets,
            shown_params=settings.recorded_params,
            records=[],
            skipped_items=[],
            checkpoints={key: dict(values) for key, values in progress.checkpoints.items()},
            item=item,
        )
        self._walk: Walk | None = None
        self._outputs: dict[str, object] = {}

    def go(self) -> RunOutcome:
        """Run, and tell how it ended in the last event."""
        failure: Failure | None
        try:
            with ExitStack() as stack:
                if self._listening:
                    stack.enter_context(self._stopper.installed())
                    stack.enter_context(self._stopper.deadline(self._settings.timeout_s, Reason.RUN_TIMEOUT))
                if self._item is not None and self._item.stops is not None:
                    self._item.stops.attach(self._stopper)
                failure = self._guarded()
                return self._finish(failure)
        except Exception as error:  # noqa: BLE001 - our own bug: the run still ends with its last event
            failure = crashed(error, "", ours=True, folder=self._settings.run_folder, mask=self._secrets)
            return self._finish(failure)

    def _guarded(self) -> Failure | None:
        try:
            self._start()
            with ExitStack() as stack:
                self._take_lock(stack)
                self._guard(stack)
                return self._steps()
        except DcePlayError as error:
            reason = self._stopper.why()
            return foreseen(error, "") if reason is None else stopped(reason, "")

    def _take_lock(self, stack: ExitStack) -> None:
        """Hold the archive's lock until the stack is left, or go on under the parent's."""
        held: Inherited | HeldLock | SkippedLock | None = self._inherited
        if held is None:
            held = stack.enter_context(
                archive_locked(
                    self._plan,
                    self._settings,
                    names=first_names(self._settings),
                    stream=self._stream,
                    stopper=self._stopper,
                    item=self._item.order if self._item is not None else None,
                )
            )
        if held is not None:
            self._workshop = replace(self._workshop, lock=held)
        if isinstance(held, HeldLock):
            lend = partial(lent, held, self._settings, stream=self._stream, stopper=self._stopper)
            self._workshop = replace(self._workshop, lend_lock=lend)

    def _start(self) -> None:
        settings = self._settings
        if self._resuming:
            self._stream.emit(
                RunResumed(
                    mode=settings.mode,
                    name=self._plan.name,
                    version=__version__,
                    step_count=sum(1 for _ in all_steps(self._plan)),
                    reused_count=self._progress.done_count,
                )
            )
        else:
            self._stream.emit(self._started())
        if self._item is None:  # of an item nothing is remembered that its parent does not
            save_definition(settings.run_folder, define(self._plan, settings))

    def _started(self) -> RunStarted:
        settings = self._settings
        return RunStarted(
            mode=settings.mode,
            playbook=str(self._plan.path),
            name=self._plan.name,
            summary=self._plan.summary,
            version=__version__,
            folder=str(settings.run_folder),
            archive_root=str(settings.archive_root or ""),
            targets=settings.selection.targets,
            channels=tuple(settings.selection.channels),
            params=settings.recorded_params,
            step_count=sum(1 for _ in all_steps(self._plan)),
            options=settings.options,
        )

    def _guard(self, stack: ExitStack) -> None:
        if self._settings.mode is Mode.DRY_RUN:
            from dce_play.runner.dry_run.guard import dry_run, seal_process  # start-up time: sockets, ctypes, logging

            allowed = (self._settings.run_folder,)
            steps = reachable_steps(self._plan, first_names(self._settings))
            programs = frozenset[str]().union(*(programs_of(step.plugin) for step in steps))
            if programs and self._settings.executor is None:  # a container engine that only looks opens its database
                starter = stack.enter_context(exempt_starter(programs, self._settings.environment, self._secrets))
                self._workshop = replace(self._workshop, starter=starter)
                programs = frozenset()
            if self._settings.seal:
                seal_process((*allowed, *self._settings.report_folders))
            stack.enter_context(dry_run(allowed_writable=allowed, allowed_programs=programs))

    # The steps.

    def _steps(self) -> Failure | None:
        plan, settings = self._plan, self._settings
        gate = Gate(self._workshop)
        self._walk = walk_now = Walk(
            services=self._workshop,
            progress=self._progress,
            emitter=EventEmitter(
                services=self._workshop,
                numbers={node.id: number for number, node in enumerate(all_steps(plan), start=1)},
            ),
            chosen=with_parents(plan, settings.steps),
            settle=gate.settle,
            announce=gate.announce,
        )
        if self._item is not None:
            return self._own_item(walk_now, self._item.order)
        if self.fan_out is not None:
            walk_now.fan_loop = FanLoop(
                plan=plan,
                fan_out=self.fan_out,
                services=self._workshop,
                emitter=walk_now.emitter,
                progress=self._progress,
            )
        scope = Scope(names=first_names(self._settings), environment=settings.environment)
        scope.names["vars"] = bind_vars(plan.vars, scope.names)
        first = replace(scope, fresh=True)
        ended = walk_now.sequence(plan.preflight, first)
        if not ended.goes_on and ended.failure is not None:
            return ended.failure if ended.failure.stops else replace(ended.failure, exit_code=ExitCode.PREFLIGHT)
        ended = walk_now.sequence(plan.steps, scope)
        if ended.goes_on:
            self._outputs = {name: evaluate(template, scope.names) for name, template in plan.outputs.items()}
        return decisive(ended, walk_now.failures)

    def _own_item(self, walk_now: Walk, order: ItemOrder) -> Failure | None:
        """Run the item that this run is of."""
        plan, settings = self._plan, self._settings
        node = next(each for each in walk(plan.preflight + plan.steps) if each.id == order.node)
        scope = item_scope(settings, order, loop_name=node.keywords.loop_name)
        result: ItemResult = walk_now.own_item(node, scope, order.key)
        self._result = masked(result, self._secrets) if self._secrets.armed else result
        return decisive(self._result.ended, walk_now.failures)

    # The end.

    def _finish(self, failure: Failure | None) -> RunOutcome:
        settings = self._settings
        counts = dict(self._walk.emitter.counts) if self._walk is not None else {}
        code = self._exit_code(failure, counts)
        outcome = Outcome.OK if failure is None else Outcome.FAILED
        if failure is not None and failure.stops is not None:
            outcome = Outcome.INTERRUPTED
        self._stream.finish(
            RunEnded(
                outcome=outcome,
                exit_code=code,
                duration_s=round(settings.clock.monotonic() - self._began, 6),
                counts=counts,
                error=failure.facts if failure is not None else None,
                next_command=self._next_command(failure),
                report=str(settings.run_folder / "report.json"),
            )
        )
        return RunOutcome(
            run_id=settings.run_id,
            run_folder=settings.run_folder,
            outcome=outcome,
            exit_code=code,
            records=tuple(self._workshop.records),
            counts=counts,
            outputs=self._outputs,
            error=failure.facts if failure is not None else None,
            item=self._result,
        )

    def _exit_code(self, failure: Failure | None, counts: Mapping[str, int]) -> ExitCode:
        settings = self._settings
        if failure is not None:
            return failure.exit_code
        if (
            settings.mode is Mode.DRY_RUN
            and settings.detailed_exitcode
            and (counts.get("changed") or counts.get("maybe"))
        ):
            return ExitCode.CHANGES_PENDING
        if settings.strict and self._workshop.skipped_items:
            return ExitCode.SKIPS
        return ExitCode.OK

    def _next_command(self, failure: Failure | None) -> str:
        if self._settings.mode is Mode.DRY_RUN:
            return self._settings.apply_command if failure is None else ""
        began = self._walk is not None and failure is not None and failure.exit_code is not ExitCode.PREFLIGHT
        return self._settings.resume_command if began else ""
