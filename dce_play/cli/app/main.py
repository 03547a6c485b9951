"""The top of the command line: the only place that turns errors into words and exit codes."""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from dce_play import __version__
from dce_play.cli.app.working_folder import WorkingFolderGone, is_gone, working_folder
from dce_play.errors import DcePlayError, ExitCode
from dce_play.layout import state_folder
from dce_play.render.problems import render_problems
from dce_play.source import InvalidDocument, did_you_mean
from dce_play.system.clock import file_stamp
from dce_play.system.masked_output import STANDARD_OUTPUT, painted
from dce_play.system.redact import PROCESS


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """Where a command is defined (``module:attribute``), and its line in ``--help``, told without importing it."""

    place: str
    help: str


COMMANDS = {
    "run": CommandEntry("dce_play.cli.run.run:command", "Run a playbook"),
    "resume": CommandEntry("dce_play.cli.run.resume:command", "Continue a run that failed or was killed"),
    "runs": CommandEntry("dce_play.cli.run.runs:command", "List, show and prune earlier runs"),
    "lint": CommandEntry("dce_play.cli.author.lint:command", "Check playbooks, roles and targets files"),
    "plan": CommandEntry("dce_play.cli.author.plan:command", "Show what a playbook will run, in order"),
    "steps": CommandEntry("dce_play.cli.author.steps:command", "List the step plugins and describe one"),
    "schema": CommandEntry("dce_play.cli.author.schema:command", "Print a JSON Schema"),
    "init": CommandEntry("dce_play.cli.author.init:command", "Start a folder of your own with playbooks and targets"),
    "targets": CommandEntry("dce_play.cli.targets.group:command", "Look at the targets file"),
    "archive": CommandEntry("dce_play.cli.archive.group:command", "Audit, merge, salvage and read channel files"),
    "media": CommandEntry("dce_play.cli.media.group:command", "Keep the bytes behind URLs that expire"),
    "backup": CommandEntry("dce_play.cli.backup.group:command", "Take, verify, drill and restore backups of modules"),
    "export": CommandEntry("dce_play.cli.archive.export:command", "Export one channel into a file"),
    "monitoring": CommandEntry("dce_play.cli.host.monitoring:command", "Look at who is told of runs, and try it"),
    "lock": CommandEntry("dce_play.cli.host.lock:command", "Look at the archive root's lock"),
    "auth": CommandEntry("dce_play.cli.host.auth:command", "Find and check the Discord token"),
    "ship": CommandEntry("dce_play.cli.ship.group:command", "Ship episodes from this lab host to the receiver"),
    "quarantine": CommandEntry("dce_play.cli.ship.group:quarantine_command", "Look at what the receiver refused"),
    "summary": CommandEntry("dce_play.cli.run.summary:command", "Show what scrapes did, from summary files or a log"),
    "receive": CommandEntry(
        "dce_play.cli.receive.group:command", "Receive episodes from lab hosts, and look after them"
    ),
    "doctor": CommandEntry("dce_play.cli.host.doctor:command", "Tell what is wrong on this machine, and the cure"),
    "service": CommandEntry("dce_play.cli.host.service:command", "Put our services on a machine, as systemd units"),
    "simulate": CommandEntry("dce_play.cli.host.simulate:command", "Serve a Discord on loopback"),
    "completion": CommandEntry("dce_play.cli.app.completion:command", "Print the shell completion script"),
    "version": CommandEntry("dce_play.cli.app.version:command", "Tell versions, for a bug report"),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, so that ``--help`` stays quick."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [name for name, entry in COMMANDS.items() if _module_exists(entry)]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None or not _module_exists(entry):
            return None
        module, _, attribute = entry.place.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.place} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            hint = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f'no command "{name}"; {hint}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, COMMANDS[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _module_exists(entry: CommandEntry) -> bool:
    return importlib.util.find_spec(entry.place.partition(":")[0]) is not None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="dce-play %(version)s")
def root() -> None:
    """Run playbooks that keep archives growing.

    Try "dce-play run proof --rehearse": the main job against a simulated Discord, in a throw-away folder.
    """


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Tells every error on standard error; raises nothing."""
    open_missing_streams()
    try:
        code = _run(arguments)
    except Exception as error:  # noqa: BLE001 - whatever nobody foresaw ends here, once, with a traceback in a file
        code = _tell_bug(error)
    return _flushed(code)


def open_missing_streams() -> None:
    """Let a program that was started with closed descriptors (``<&- >&-``) read and write nothing.

    The numbers 0 to 2 are taken before any file is opened, or one of ours would become somebody's standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end of the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - likewise


def _flushed(code: int) -> int:
    """Return the exit code: what was said and cannot be written any more makes a good one a failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has what it wanted, as in ``| head``
        _forget_standard_output()
    except OSError as error:
        _forget_standard_output()
        _tell(f"error: standard output: {(error.strerror or str(error)).lower()}")
        return code or ExitCode.FAILED
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        code = root.main(args=list(arguments), prog_name="dce-play", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit:  # how click itself answers a reader that has gone away, as in ``| head``
        _forget_standard_output()
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return ExitCode.INTERRUPTED
    except InvalidDocument as error:
        _tell_problems(error)
        return error.exit_code
    except DcePlayError as error:
        return _tell_error(error)
    except OSError as error:
        return _tell_machine_error(error)
    return code if isinstance(code, int) else ExitCode.OK


def _tell_error(error: DcePlayError) -> int:
    _tell(f"error: {error}", error.hint)
    return error.exit_code


def _tell_machine_error(error: OSError) -> int:
    """Tell what the machine refuses, if it says of what; all else is a bug."""
    if error.filename is None:
        if isinstance(error, FileNotFoundError) and is_gone():
            return _tell_error(WorkingFolderGone())
        raise error
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    if name == STANDARD_OUTPUT:
        _forget_standard_output()
    _tell(f"error: {name}: {(error.strerror or str(error)).lower()}")
    return ExitCode.FAILED


def _tell(line: str, hint: str = "") -> None:
    with suppress(OSError):  # nobody is left to tell it to; the exit code says it
        click.echo(line, err=True)
        if hint:
            click.echo("  hint: " + hint.replace("\n", "\n        "), err=True)


def _tell_problems(error: InvalidDocument) -> None:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    text = render_problems(error.problems, error.texts, folder=working_folder(), colour=colour)
    with suppress(OSError):
        click.echo(text, file=painted(sys.stderr))


def _forget_standard_output() -> None:
    """Let the interpreter flush standard output into nothing at its end: nobody reads it any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _tell_bug(error: Exception) -> int:
    text = PROCESS.mask("".join(traceback.format_exception(error)))
    folder = state_folder(os.environ) / "crashes"
    path = folder / f"{file_stamp(datetime.now(UTC))}-{os.getpid()}.txt"
    words = " ".join(sys.argv[:2])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        data = f"dce-play {__version__}\n{words}\n\n{text}"
        path.write_text(data, encoding="utf-8", errors="backslashreplace")
        place = str(path)
    except OSError:
        place = ""
    _tell(f"dce-play has a bug: {type(error).__name__}: {error}", f"the traceback is in {place}" if place else text)
    return ExitCode.BUG
