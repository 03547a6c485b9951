"""The top of the command line: the only place that turns errors into words and exit codes."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import click

from dce_play import __version__
from dce_play.cli.app.commands import TopGroup
from dce_play.cli.app.working_folder import WorkingFolderGone, is_gone, working_folder
from dce_play.errors import DcePlayError, ExitCode
from dce_play.layout import state_folder
from dce_play.system.clock import file_stamp
from dce_play.system.masked_output import STANDARD_OUTPUT, forget_descriptor, painted
from dce_play.system.redact import PROCESS

_CIRCLE = "Symlink loop from "
"""How Path.resolve begins to tell of a circle of links, up to Python 3.12."""


@click.group(cls=TopGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="dce-play %(version)s")
def root() -> None:
    """Run playbooks that keep archives growing.

    \b
    Examples:
      dce-play run proof --rehearse    the main job against a simulated Discord, in a throw-away folder
      dce-play run                     which playbooks there are

    Exit 0: all well. Every other code is a failure; the help of each command tells which.
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
        forget_descriptor(1)
    except OSError as error:
        forget_descriptor(1)
        _tell(f"error: standard output: {(error.strerror or str(error)).lower()}")
        code = code or ExitCode.FAILED
    try:
        sys.stderr.flush()
    except OSError:  # left as it is the interpreter would fail to write it once more, and end with 120
        forget_descriptor(2)
        return code or ExitCode.FAILED
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        code = root.main(args=list(arguments), prog_name="dce-play", standalone_mode=False)
    except click.ClickException as error:
        _tell_misuse(error, arguments)
        return error.exit_code
    except SystemExit:  # how click itself answers a reader that has gone away, as in ``| head``
        forget_descriptor(1)
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        _tell("interrupted")
        return ExitCode.INTERRUPTED
    except DcePlayError as error:
        return _tell_error(error)
    except OSError as error:
        return _tell_machine_error(error)
    except RuntimeError as error:
        if not str(error).startswith(_CIRCLE):
            raise
        _tell(f"error: {str(error).removeprefix(_CIRCLE)}: too many levels of symbolic links")
        return ExitCode.FAILED
    return code if isinstance(code, int) else ExitCode.OK


def _tell_misuse(error: click.ClickException, arguments: Sequence[str]) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # a group without a command, which is its help
        error.show()
        return
    # Inside the function for start-up time: most command lines are right.
    from dce_play.cli.app.misuse import misuse

    message, hint = misuse(error, asked=_command_among(arguments).command_path)
    _tell(f"error: {message}", hint)


def _command_among(arguments: Sequence[str]) -> click.Context:
    """Return a context of the command that the words call, as far as they name one."""
    context = click.Context(root, info_name="dce-play")
    for word in arguments:
        group = context.command
        found = group.get_command(context, word) if isinstance(group, click.Group) else None
        if found is None:
            return context
        context = click.Context(found, info_name=word, parent=context)
    return context


def _tell_error(error: DcePlayError) -> int:
    from dce_play.source import InvalidDocument  # start-up time: whoever raises one has it

    if isinstance(error, InvalidDocument):
        from dce_play.render.problems import render_problems

        colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        text = render_problems(error.problems, error.texts, folder=working_folder(), colour=colour)
        with suppress(OSError):
            click.echo(text, file=painted(sys.stderr))
    else:
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
        forget_descriptor(1)
    _tell(f"error: {name}: {(error.strerror or str(error)).lower()}")
    return ExitCode.FAILED


def _tell(line: str, hint: str = "") -> None:
    with suppress(OSError):  # nobody is left to tell it to; the exit code says it
        click.echo(line, err=True)
        if hint:
            click.echo("  hint: " + hint.replace("\n", "\n        "), err=True)


def _tell_bug(error: Exception) -> int:
    import traceback  # start-up time: hardly ever needed

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
