"""``dce-play run``: the options, among them the playbook's own params."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from dce_play.cli.app.find_playbook import find_playbook, playbook_names
from dce_play.cli.app.playbook_params import given_params, param_options
from dce_play.cli.app.step_table import is_shipped, reading_cache, step_table
from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.run.listing import list_steps
from dce_play.cli.run.running import RunRequest, execute, prepare
from dce_play.cli.run.sinks import tell_unread
from dce_play.errors import DcePlayError
from dce_play.playbook.language.model import CallKind, ParamSpec
from dce_play.playbook.load.library import Library
from dce_play.system.quantities import parse_duration


class DurationType(click.ParamType[float]):
    """``90s``, ``10m``, ``12h``, ``2d`` or a number of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PlaybookType(click.ParamType[str]):
    """A playbook's path or bare name; completes both."""

    name = "playbook"

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the bare names; and let the shell complete files."""
        names = [name for name in playbook_names(working_folder()) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]


class RunCommand(click.Command):
    """``run``, which gets more options as soon as the playbook is known."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the line; the playbook on it decides which options there are."""
        arguments = list(args)
        command = self._for_playbook(arguments)
        try:
            return click.Command.make_context(command, info_name, args, parent, **extra)
        except click.UsageError as error:
            tell_unread(arguments, error.format_message(), exit_code=error.exit_code)
            raise

    def _for_playbook(self, args: list[str]) -> click.Command:
        name = self._playbook_among(args)
        specs = _declared(name, plugins="--plugins" in args) if name is not None else {}
        taken = {flag for param in self.params for flag in (*param.opts, *param.secondary_opts)}
        return _plain(self, param_options(specs.values(), taken))

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


def _plain(command: click.Command, more: list[click.Option]) -> click.Command:
    """Return the command with more options, and their section in ``--help``."""
    made = _WithParams(
        name=command.name,
        callback=command.callback,
        params=[*command.params, *more],
        help=command.help,
        epilog=command.epilog,
        no_args_is_help=command.no_args_is_help,
    )
    made.own_params = [each.name for each in more]
    return made


class _WithParams(click.Command):
    """A command whose help shows the playbook's params apart."""

    own_params: list[str]

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


def _declared(name: str, *, plugins: bool) -> Mapping[str, ParamSpec]:
    """Return the params that the playbook declares; none when it cannot be read: running it will tell why."""
    folder = working_folder()
    try:
        path = find_playbook(name, folder)
        cache = reading_cache(plugins=plugins, folder=folder, environment=os.environ)
        steps = step_table(plugins=plugins, folder=folder)
        library = Library(steps, shipped=is_shipped(steps), cache=cache)
        return library.load(path, CallKind.PLAYBOOK).playbook.params
    except DcePlayError:
        return {}


@click.command(
    "run",
    cls=RunCommand,
    no_args_is_help=True,
    epilog="The playbook's own params are options too: dce-play run PLAYBOOK --help shows them.",
)
@click.argument("playbook", type=PlaybookType())
@click.option("-e", "--extra", multiple=True, metavar="NAME=VALUE|@FILE", help="Set a param, or many from a YAML file.")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this target; repeatable.")
@click.option("--channel", "channels", multiple=True, metavar="ID", help="Only this channel of one target; repeatable.")
@click.option("--guild", "guilds", multiple=True, metavar="ID", help="Only this guild of one target; repeatable.")
@click.option("--config", type=click.Path(path_type=Path), help="The targets file.  [env: DCE_CONFIG_FILE]")
@click.option("--dry-run", "--check", is_flag=True, help="Show what would change; change nothing.")
@click.option("--diff", is_flag=True, help="Show changes as diffs.")
@click.option("--detailed-exitcode", is_flag=True, help="With --dry-run: exit 10 when something would change.")
@click.option("--tags", multiple=True, metavar="TAG,…", help="Only steps with one of these tags.")
@click.option("--skip-tags", multiple=True, metavar="TAG,…", help="No steps with one of these tags.")
@click.option("--start-at", metavar="STEP", help="Leave out the steps before this one.")
@click.option("--list-steps", is_flag=True, help="Show the steps that would run, and stop.")
@click.option("--step", "step_by_step", is_flag=True, help="Ask before every step.")
@click.option("--yes", "-y", "assume_yes", is_flag=True, help="Answer every question of the playbook with yes.")
@click.option("--lock-wait", type=DurationType(), default=0.0, metavar="DURATION", help="Wait for the archive's lock.")
@click.option("--timeout", type=DurationType(), metavar="DURATION", help="Stop the whole run after this; exit 124.")
@click.option("--strict", is_flag=True, help="Exit 8 when a step skipped something.")
@click.option(
    "--output", type=click.Choice(["text", "jsonl"]), default="text", show_default=True, help="Form of stdout."
)
@click.option("--report", metavar="json=FILE", help="Write the report there too.")
@click.option("--log-file", type=click.Path(path_type=Path), help="Append everything to this file.")
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where run folders go.  [env: DCE_PLAY_STATE_DIR]")
@click.option("--plugins", is_flag=True, help="Load step plugins of this folder and of installed packages.")
@click.option("--rehearse", is_flag=True, help="Run it against a simulated Discord in a throw-away archive root.")
def command(**options: Any) -> int:
    """Run a playbook.

    PLAYBOOK is a file, or the bare name of one in this folder, in ./playbooks, or of those that come with dce-play.
    """
    request = request_from(options, folder=working_folder(), environment=dict(os.environ))
    if options["list_steps"]:
        list_steps(prepare(request))
        return 0
    if options["rehearse"]:
        # By name, as only a rehearsal needs a web server, which takes 150 ms to import.
        code: int = importlib.import_module("dce_play.cli.run.rehearse").rehearse(request)
        return code
    return execute(request).exit_code


def request_from(options: Mapping[str, Any], *, folder: Path, environment: Mapping[str, str]) -> RunRequest:
    """Return the request that parsed options stand for."""
    if options["detailed_exitcode"] and not options["dry_run"]:
        raise click.UsageError("--detailed-exitcode goes with --dry-run")
    return RunRequest(
        playbook=options["playbook"],
        folder=folder,
        environment=environment,
        given=given_params(options),
        extra=tuple(_absolute(each, folder) for each in options["extra"]),
        targets=options["targets"],
        channels=options["channels"],
        guilds=options["guilds"],
        config=options["config"],
        dry_run=options["dry_run"],
        diff=options["diff"],
        detailed_exitcode=options["detailed_exitcode"],
        tags=_split(options["tags"]),
        skip_tags=_split(options["skip_tags"]),
        start_at=options["start_at"],
        step_by_step=options["step_by_step"],
        assume_yes=options["assume_yes"],
        lock_wait_s=options["lock_wait"],
        timeout_s=options["timeout"],
        output=options["output"],
        report=read_report_option(options["report"], folder),
        log_file=folder / options["log_file"] if options["log_file"] else None,
        verbose=options["verbose"],
        state_dir=options["state_dir"],
        plugins=options["plugins"],
        strict=options["strict"],
    )


def _absolute(extra: str, folder: Path) -> str:
    """Return ``@file`` with its whole path, so that a resume from elsewhere finds it."""
    return f"@{folder / extra[1:]}" if extra.startswith("@") else extra


def _split(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def read_report_option(value: str | None, folder: Path) -> Path | None:
    """Return the file of ``--report json=FILE``."""
    if value is None:
        return None
    kind, _, path = value.partition("=")
    if kind != "json" or not path:
        raise click.UsageError("--report takes json=FILE")
    return folder / path
