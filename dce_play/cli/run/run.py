"""``dce-play run``: the options, among them the playbook's own params."""

import copy
import importlib
import os
from dataclasses import dataclass
from typing import Any

import click

from dce_play.cli.app import completers
from dce_play.cli.app.find_playbook import find_playbook
from dce_play.cli.app.playbook_params import given_params, param_options
from dce_play.cli.app.step_table import open_library
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.listing import list_playbooks, list_steps
from dce_play.cli.run.options import RunOptions, aliases, options_from, run_options
from dce_play.cli.run.running import RunRequest, execute, prepare
from dce_play.cli.run.sinks import tell_unread
from dce_play.cli.run.watching import run_watched, tell_unread_run
from dce_play.errors import DcePlayError
from dce_play.playbook.language.model import CallKind, Playbook
from dce_play.playbook.load.library import Library
from dce_play.playbook.load.params import option_name


@dataclass(frozen=True, slots=True)
class Typed:
    """The words behind ``run``, and which of them is the playbook."""

    arguments: tuple[str, ...]
    playbook: str | None

    def tell(self, error: click.UsageError) -> None:
        """Tell machines and monitors that they could not be read."""
        from dce_play.cli.app.misuse import misuse  # start-up time: most command lines are right

        message = misuse(error)[0]
        tell_unread(self.arguments, message, exit_code=error.exit_code)
        tell_unread_run(self.arguments, self.playbook, message, exit_code=error.exit_code)


class RunCommand(click.Command):
    """``run``, which gets more options as soon as the playbook is known."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the line; the playbook on it decides which options there are."""
        typed = Typed(arguments=tuple(args), playbook=self._playbook_among(args))
        command = self._for_playbook(args, typed)
        try:
            return click.Command.make_context(command, info_name, args, parent, **extra)
        except click.UsageError as error:
            typed.tell(error)
            raise

    def _for_playbook(self, args: list[str], typed: Typed) -> click.Command:
        name, plugins = typed.playbook, "--plugins" in args
        library, playbook = _read(name, plugins=plugins) if name is not None else (None, None)
        specs = playbook.params if playbook is not None else {}
        ours = [_without_aliases(param, {option_name(name) for name in specs}) for param in self.params]
        taken = {flag for param in ours for flag in (*param.opts, *param.secondary_opts)}
        made = _plain(self, ours, param_options(specs.values(), taken), typed)
        if playbook is not None:
            made.library, made.plugins = library, plugins
            made.help = f"{playbook.summary or playbook.name}\n\n\b\n{playbook.path}"
        return made

    def _playbook_among(self, args: list[str]) -> str | None:
        """Return the first word that is neither an option of ours nor an option's value."""
        valued = {
            flag
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag and not param.count
            for flag in param.opts
        }
        words = iter(args)
        for word in words:
            if word == "--":
                return next(words, None)
            if word in valued:
                next(words, None)
            elif not word.startswith("-"):
                return word
        return None


def _without_aliases(param: click.Parameter, claimed: set[str]) -> click.Parameter:
    """Return an option of ours without those of its aliases that are names of the playbook's own params."""
    given_up = claimed & aliases()
    if not given_up.intersection(param.opts):
        return param
    left = copy.copy(param)
    left.opts = [flag for flag in param.opts if flag not in given_up]
    return left


def _plain(
    command: click.Command, ours: list[click.Parameter], more: list[click.Option], typed: Typed
) -> "_WithParams":
    """Return the command with more options, and their section in ``--help``."""
    made = _WithParams(
        name=command.name,
        callback=command.callback,
        params=[*ours, *more],
        help=command.help,
        epilog=command.epilog,
    )
    made.own_params = [each.name for each in more]
    made.typed = typed
    return made


class _WithParams(click.Command):
    """A command whose help shows the playbook's params apart."""

    own_params: list[str]
    typed: Typed
    library: Library | None = None
    """What has read the playbook."""
    plugins: bool = False
    """Whether foreign steps were known to it."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run, or tell which options do not go together.

        Raises: click.UsageError.
        """
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            self.typed.tell(error)
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the playbook's params first: they are what one looks for."""
        ours: list[tuple[str, str]] = []
        theirs: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = None if isinstance(param, click.Argument) else param.get_help_record(ctx)
            if record is not None:
                (theirs if param.name in self.own_params else ours).append(record)
        if theirs:
            with formatter.section("Params of the playbook"):
                formatter.write_dl(theirs)
        with formatter.section("Options"):
            formatter.write_dl(ours)


def _read(name: str, *, plugins: bool) -> tuple[Library, Playbook] | tuple[None, None]:
    """Return the playbook as it is written, or nothing when it cannot be read: running it will tell why."""
    folder = working_folder()
    try:
        path = find_playbook(name, folder)
        library = open_library(plugins=plugins, folder=folder, environment=os.environ)
        return library, library.load(path, CallKind.PLAYBOOK).playbook
    except DcePlayError:
        return None, None


def _already_open(chosen: RunOptions) -> Library | None:
    command = click.get_current_context().command
    return command.library if isinstance(command, _WithParams) and command.plugins == chosen.plugins else None


@run_options
@click.command(
    "run",
    cls=RunCommand,
    epilog="""The playbook's own params are options too: dce-play run PLAYBOOK --help shows them.

    \b
    Examples:
      dce-play run proof --rehearse
      dce-play run scrape --target my-server --dry-run
      dce-play run schedule --interval weekly --at 03:15

    \b
    Exit codes:
      0  all well                         7  the other side refuses our token
      1  a step failed                    8  finished with skips (--strict)
      2  the command line is wrong       10  changes pending (--detailed-exitcode)
      3  a file is not valid             75  the archive is locked
      4  a preflight check failed        77  a question, and nobody to answer
      5  no such playbook, tag, target  124  --timeout
    """,
)
@click.argument("playbook", shell_complete=completers.playbooks, required=False)
def command(**options: Any) -> int:
    """Run a playbook.

    PLAYBOOK is a file, or the bare name of one in this folder, in ./playbooks, or of those that come with dce-play.
    Without it the playbooks are listed, and nothing is run (exit 2).
    """
    folder = working_folder()
    if options["playbook"] is None:
        return list_playbooks(folder)
    chosen = options_from(options, folder=folder)
    request = RunRequest(
        playbook=options["playbook"],
        folder=folder,
        environment=dict(os.environ),
        given=given_params(options),
        options=chosen,
        library=_already_open(chosen),
    )
    if chosen.list_steps:
        list_steps(prepare(request))
        return 0
    if chosen.rehearse:
        # By name, as only a rehearsal needs a web server, which takes 150 ms to import.
        code: int = importlib.import_module("dce_play.cli.run.rehearse").rehearse(request)
        return code
    return run_watched(request, execute)
