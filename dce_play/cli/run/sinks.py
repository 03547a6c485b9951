"""What a run shows where: the sinks that a request asks for, and the end of a run that could not even begin."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

import click

from dce_play.errors import DcePlayError, UsageError
from dce_play.events import Diagnosed, ErrorFacts, Event, Outcome, RunEnded, Sink
from dce_play.render.jsonl import JsonLines
from dce_play.render.page.display import DisplayOptions
from dce_play.render.report import report_data
from dce_play.render.terminal import Pausable, SpareTerminal, machine_output, standard_output, terminal
from dce_play.runner.settings import Ask
from dce_play.source import InvalidDocument
from dce_play.system.clock import SystemClock
from dce_play.system.durable.named_outputs import OutputNotWritten, check_named, write_named
from dce_play.system.durable.whole_files import write_atomic

_REPORT = "the report"


@runtime_checkable
class MayLose(Protocol):
    """A sink that notes why it could not keep everything, and goes on: the log file."""

    lost: OutputNotWritten | None


class ReportPlaceUnusable(UsageError):
    """The report could not be written where it is asked for; told before the run, which has not begun."""

    def __init__(self, error: OutputNotWritten) -> None:
        super().__init__(str(error), hint=error.hint)
        self.path = error.path


def open_sinks(
    sinks: list[Sink],
    /,
    *,
    machine: bool,
    environment: Mapping[str, str],
    display: DisplayOptions,
    log_file: Path | None,
    report: Path | None,
) -> None:
    """Add the sinks one by one, so that those there are can tell when the next cannot be opened.

    ``machine`` puts events on standard output and people's text on standard error.

    Raises: LogFileUnusable; ReportPlaceUnusable, before a run whose report would be lost.
    """
    if machine:
        sinks.append(JsonLines(machine_output()))
        sinks.append(terminal(sys.stderr, environment, display))
    else:
        sinks.append(SpareTerminal(terminal(standard_output(), environment, display), sys.stderr, display))
    if log_file is not None:
        from dce_play.render.log_file import LogFile  # start-up time: few runs have one

        sinks.append(LogFile(log_file))
    if report is not None:
        with suppress(OSError):  # checked next, and told there
            report.parent.mkdir(parents=True, exist_ok=True)
        try:
            check_named(report, what=_REPORT)
        except OutputNotWritten as error:
            raise ReportPlaceUnusable(error) from error


def leave_report(run_folder: Path, /, *, also: Path | None) -> bool:
    """Write the report into the run folder, and where it was asked for; return whether that one is written.

    Without one in the run folder nothing is lost: it can be made from the journal at any time.
    """
    try:
        data = report_data(run_folder)
    except OSError as error:
        if also is None:
            return True
        _complain(OutputNotWritten(also, f"{error.filename}: {error.strerror}", what=_REPORT))
        return False
    with suppress(OSError):
        write_atomic(run_folder / "report.json", data)
    if also is None:
        return True
    try:
        write_named(also, data, what=_REPORT, make_folder=True)
    except OutputNotWritten as error:
        _complain(error)
        return False
    return True


def lost_outputs(sinks: Sequence[Sink], /) -> bool:
    """Tell of each log file that was asked for and could not be written to its end; return whether there is one."""
    lost = [sink.lost for sink in sinks if isinstance(sink, MayLose) and sink.lost is not None]
    for error in lost:
        _complain(error)
    return bool(lost)


def _complain(error: DcePlayError) -> None:
    with suppress(OSError):  # nothing is left to tell it to; the exit code does
        click.echo(f"error: {error}\n  hint: {error.hint}", err=True)


def asker(sinks: list[Sink]) -> Ask | None:
    """Return who answers questions: the person at the terminal, if one is there."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str, answers: tuple[str, ...]) -> str:
        for sink in sinks:
            if isinstance(sink, Pausable):
                sink.pause()
        answer: str = click.prompt(question, type=click.Choice(answers), err=True)
        return answer

    return ask


def tell_unread(arguments: Sequence[str], message: str, *, exit_code: int) -> None:
    """Give standard output its ``run.end`` when not even the command line could be read."""
    words = " ".join(arguments).replace("=", " ")
    if "--output jsonl" not in words:
        return
    body = RunEnded(
        outcome=Outcome.FAILED,
        exit_code=exit_code,
        duration_s=0.0,
        error=ErrorFacts(kind="UsageError", message=message),
    )
    JsonLines(standard_output()).accept(Event(seq=1, ts=now_stamp(), run="", body=body))


def now_stamp() -> str:
    """Return the time as events show it."""
    return SystemClock().now().isoformat(timespec="microseconds").replace("+00:00", "Z")


def tell_stillborn(sinks: Sequence[Sink], error: DcePlayError, *, run_id: str) -> None:
    """Give the machine-readable stream and the log file the end that the terminal gets as an error message."""
    bodies: list[Diagnosed | RunEnded] = []
    if isinstance(error, InvalidDocument):
        bodies += [
            Diagnosed(severity=each.severity, message=f"{each.span}: {each.message}", hint=each.hint)
            for each in error.problems
        ]
    bodies.append(
        RunEnded(
            outcome=Outcome.FAILED,
            exit_code=error.exit_code,
            duration_s=0.0,
            error=ErrorFacts(kind=type(error).__name__, message=str(error), hint=error.hint),
        )
    )
    for sink in sinks:
        with suppress(OSError):  # the error itself is told on standard error
            if isinstance(sink, JsonLines | MayLose):
                for seq, body in enumerate(bodies, start=1):
                    sink.accept(Event(seq=seq, ts=now_stamp(), run=run_id, body=body))
            sink.close()
