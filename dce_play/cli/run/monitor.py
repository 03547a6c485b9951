"""Telling monitors of a run: that it starts, how it ended, and what an earlier command could not tell.

Whatever goes wrong here is a warning. It never ends a run, and never changes an exit code.
"""

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from dce_play.cli.run.monitoring_file import project_monitoring, resolver, secrets_behind, variables_of
from dce_play.cli.run.running import RunRequest, new_run_id
from dce_play.errors import DcePlayError, ExitCode
from dce_play.host.monitoring.config import Monitoring, Service, State, bare_name
from dce_play.host.monitoring.note import Note
from dce_play.host.monitoring.owed import Debt, HeldDebt, owe, owed
from dce_play.host.monitoring.send import tell
from dce_play.layout import runs_folder
from dce_play.render.problems import render_problems
from dce_play.render.recap import recap_text, recap_title
from dce_play.render.report import fold_report, read_events
from dce_play.runner.settings import RunOutcome
from dce_play.source import InvalidDocument
from dce_play.system.counted import counted
from dce_play.system.redact import PROCESS

_FOLDER = "monitoring"


def monitor_for(request: RunRequest) -> "Monitor | None":
    """Return who tells of what a request asks for; ``None`` when nobody is to be told.

    A table that cannot be read is told as a warning.
    """
    try:
        monitoring = project_monitoring(request.folder)
    except InvalidDocument as error:
        _warn(f"nobody is told of this run:\n{render_problems(error.problems, error.texts, folder=request.folder)}")
        return None
    except DcePlayError as error:
        _warn(f"nobody is told of this run: {error}")
        return None
    return Monitor(monitoring, request) if monitoring is not None else None


class Monitor:
    """Tells of one command's run."""

    def __init__(self, monitoring: Monitoring, request: RunRequest) -> None:
        run_id = request.run_id or new_run_id()
        self._monitoring = monitoring
        self._runs = runs_folder(request.options.state_dir, request.environment)
        self._resolve = resolver(request.environment, request.folder)
        self._name = bare_name(request.playbook)
        self._watches = monitoring.watches(request.playbook)
        self._held: HeldDebt | None = None
        self.request = replace(
            request,
            run_id=run_id,
            environment={
                name: value for name, value in request.environment.items() if name not in variables_of(monitoring)
            },
            known_secrets=secrets_behind(monitoring, request.environment, request.folder),
        )
        """What was asked for, with the id of the run and without the monitors' own secrets."""

    def watch(self, run: Callable[[RunRequest], RunOutcome]) -> int:
        """Run it, tell of its start and end, and return its exit code.

        Raises: what ``run`` raises.
        """
        return self._watch(
            lambda: run(self.request).exit_code,
            of_end=lambda code: self._of_run(self.request.run_id, name=self._name, code=code),
            of_error=self._of_error,
        )

    def watch_verb(self, act: Callable[[frozenset[str]], int]) -> int:
        """Do what a command without a run does, tell of it as of a run, and return its exit code.

        ``act`` gets the names of the variables that hold the monitors' secrets.
        Raises: what ``act`` raises.
        """
        return self._watch(
            lambda: act(variables_of(self._monitoring)), of_end=self._of_verb, of_error=self._of_verbs_error
        )

    def _watch(
        self, act: Callable[[], int], *, of_end: Callable[[int], Note], of_error: Callable[[BaseException], Note]
    ) -> int:
        self.catch_up()
        if not self._watches:
            return act()
        try:
            self._start()
            code = act()
        except BaseException as error:
            self._end(of_error(error))
            raise
        self._end(of_end(code))
        return code

    def unread(self, message: str, exit_code: int) -> None:
        """Tell that not even the command line could be read."""
        if self._watches:
            self._owe()
            self._end(self._note(f"{self._name} was refused (exit {exit_code})", message, code=exit_code))

    def _owe(self) -> None:
        services = tuple(service.kind for service in self._monitoring.wanting(State.FINISH, State.FAIL))
        debt = Debt(run=self.request.run_id, folder=str(self.request.folder), playbook=self._name, services=services)
        try:
            self._held = owe(self._runs.parent / _FOLDER, debt)
        except (OSError, DcePlayError) as error:
            _warn(f"if this run is killed nobody will be told: {error}")

    def _start(self) -> None:
        self._owe()
        note = msgspec.structs.replace(self._note(f"{self._name} starts", "", code=None), state=State.START)
        self._tell([(service, note) for service in self._monitoring.wanting(State.START)])

    def _end(self, note: Note) -> None:
        services = self._monitoring.wanting(note.state)
        try:
            untold = self._tell([(service, note) for service in services])
        except KeyboardInterrupt:
            _warn("the monitors were not waited for")
            untold = frozenset(service.kind for service in services)
        if self._held is None:
            return
        left = tuple(kind for kind in self._held.debt.services if kind in untold) if note.state is State.FAIL else ()
        _settle(self._held, left, note)

    # What earlier commands could not tell.

    def catch_up(self) -> tuple[int, int]:
        """Tell of this project's runs that were killed, and of failures that a monitor did not take.

        Returns how many runs everybody knows of now, and how many stay for the next command.
        """
        held = list(owed(self._runs.parent / _FOLDER, project=self.request.folder))
        notes = [each.debt.note or self._of_run(each.debt.run, name=each.debt.playbook, code=None) for each in held]
        messages: list[tuple[Service, Note]] = []
        for service in self._monitoring.services:
            due = [
                note
                for each, note in zip(held, notes, strict=True)
                if service.kind in each.debt.services and note.state in service.states
            ]
            if due:
                messages.append((service, due[0] if len(due) == 1 else _together(due)))
        untold = self._tell(messages)
        left_count = 0
        for each, note in zip(held, notes, strict=True):
            wanting = {service.kind for service in self._monitoring.wanting(note.state)}
            left = tuple(kind for kind in each.debt.services if kind in untold & wanting)
            _settle(each, left, note)
            left_count += bool(left)
        return len(held) - left_count, left_count

    # Notes.

    def _note(self, title: str, text: str, *, code: int | None, run: str = "", name: str = "") -> Note:
        host = platform.node()
        return Note(
            state=State.FINISH if code == ExitCode.OK else State.FAIL,
            title=PROCESS.mask(f"{title} on {host}"),
            text=PROCESS.mask(text),
            playbook=name or self._name,
            run=run or self.request.run_id,
            exit_code=code,
            host=host,
        )

    def _of_run(self, run_id: str, *, name: str, code: int | None) -> Note:
        """Return the note of a run that has ended, by its journal; without ``code`` the journal tells that too."""
        try:
            report = fold_report(read_events(self._runs / run_id))
        except (OSError, ValueError):
            report = {"outcome": "lost"}
        outcome = str(report["outcome"])
        if code is None and outcome != "lost":
            code = _code(report.get("exit_code"))
        return self._note(recap_title(name, outcome, code), recap_text(report), code=code, run=run_id, name=name)

    def _of_error(self, error: BaseException) -> Note:
        code, text = _told_of(error, self.request.folder)
        return self._note(f"{self._name} did not run (exit {code})", text, code=code)

    def _of_verb(self, code: int, text: str = "") -> Note:
        outcome = "ok" if code == ExitCode.OK else "failed"
        return self._note(recap_title(self._name, outcome, code), text, code=code)

    def _of_verbs_error(self, error: BaseException) -> Note:
        return self._of_verb(*_told_of(error, self.request.folder))

    def _tell(self, messages: list[tuple[Service, Note]]) -> frozenset[str]:
        """Return the kinds of those that were not told."""
        untold = tell(messages, timeout_s=self._monitoring.timeout_s, resolve=self._resolve) if messages else ()
        for each in untold:
            _warn(f"monitor {each.service} was not told: {each.reason}")
        return frozenset(each.service for each in untold)


def _together(notes: list[Note]) -> Note:
    """Return one note for several: a monitor that was away for a week hears of it once."""
    names = ", ".join(dict.fromkeys(note.playbook for note in notes))
    return Note(
        state=State.FAIL,
        title=f"{counted(len(notes), 'run')} did not end well: {names} on {notes[-1].host}",
        text="\n\n".join(f"{note.title}\n{note.text}".strip() for note in reversed(notes)),
        playbook=notes[-1].playbook,
        host=notes[-1].host,
    )


def _told_of(error: BaseException, folder: Path) -> tuple[int, str]:
    """Return exit code and words of what a run could not even begin for."""
    match error:
        case InvalidDocument():
            return error.exit_code, render_problems(error.problems, error.texts, folder=folder)
        case DcePlayError():
            return error.exit_code, f"{error}\n  {error.hint}".rstrip()
        case click.ClickException():
            return error.exit_code, error.format_message()
        case KeyboardInterrupt() | click.Abort():
            return ExitCode.INTERRUPTED, "interrupted"
        case OSError():
            return ExitCode.FAILED, (error.strerror or type(error).__name__).lower()
        case _:
            return ExitCode.BUG, f"dce-play has a bug: {type(error).__name__}"


def _code(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _settle(held: HeldDebt, left: tuple[str, ...], note: Note) -> None:
    with suppress(OSError):  # then it is told once more
        held.settle(tuple(kind for kind in held.debt.services if kind in left), note)
    held.close()


def _warn(line: str) -> None:
    with suppress(OSError):  # nobody is left to tell it to
        click.echo(f"warning: {line}", err=True)
