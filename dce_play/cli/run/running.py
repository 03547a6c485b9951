"""From what the command line says to a finished run. ``run``, ``resume`` and ``--rehearse`` all come through here."""

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from dce_play.cli.app.find_playbook import find_playbook
from dce_play.cli.app.playbook_params import as_texts
from dce_play.cli.app.project_file import kept_runs
from dce_play.cli.app.step_table import open_library
from dce_play.cli.app.steps_used import steps_used
from dce_play.cli.fan_out.places import fan_out_of
from dce_play.cli.run.flags import said
from dce_play.cli.run.forgetting import forget_old_runs
from dce_play.cli.run.options import RunOptions, command_line, resume_words, run_words, to_journal
from dce_play.cli.run.person import refuse_without_person
from dce_play.cli.run.sinks import asker, leave_report, lost_outputs, open_sinks, tell_stillborn
from dce_play.discord.auth.known_secrets import known_secrets
from dce_play.discord.targets.model import TargetsFile
from dce_play.discord.targets.select import check_narrowing, select_targets
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.events import Mode, Sink
from dce_play.layout import runs_folder
from dce_play.playbook.load.library import Library
from dce_play.playbook.load.params import as_names, as_recorded, option_name, resolve_params
from dce_play.playbook.plan.plan import Plan
from dce_play.playbook.plan.planning import plan_from
from dce_play.playbook.plan.selection import choose_steps
from dce_play.plugin import Effects, Selection
from dce_play.render.pace import progress_every_s
from dce_play.render.page.display import DisplayOptions
from dce_play.runner.engine import run
from dce_play.runner.record.progress import EarlierRun
from dce_play.runner.settings import Ask, RunOutcome, RunSettings
from dce_play.source import JsonValue
from dce_play.system.clock import file_stamp


class NoTargetsFile(UsageError):
    """The playbook needs a targets file, and there is none."""

    exit_code = ExitCode.INVALID

    def __init__(self) -> None:
        super().__init__(
            "this playbook needs a targets file, and there is none here",
            hint="name one with --config or DCE_CONFIG_FILE, or make one: dce-play init",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """All that somebody asked for. ``--rehearse`` replaces environment, config, state folder and run id."""

    playbook: str
    folder: Path
    """The working folder; absolute."""
    environment: Mapping[str, str]
    given: Mapping[str, JsonValue] = field(default_factory=dict)
    """The playbook's own options, as typed."""
    options: RunOptions = field(default_factory=RunOptions)
    library: Library | None = None
    """What the command line was read with: its options are the playbook's, so that it has read that already."""
    interrupted: str | None = None
    run_id: str = ""
    """Chosen when empty."""
    staged: bool = False
    """Whether it runs in a throw-away place, so that no command is told that would need it."""
    brief: bool = False
    """Whether its last line is enough, when it goes well."""
    next_command: str | None = None
    """What to type after it, however it ends; ``None`` for what follows from the rest."""
    known_secrets: frozenset[str] = field(default_factory=frozenset, repr=False)
    """To be masked besides those that stand in places we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that can be run."""

    plan: Plan
    settings: RunSettings


def execute(request: RunRequest, /, *, earlier: EarlierRun | None = None, accept_changes: bool = False) -> RunOutcome:
    """Run what was asked for and return how it ended; the terminal, the log file and the report have it too.

    With ``earlier`` the run goes on where that one ended.

    A run that went well and whose report or log file could not be written has exit code 1; both are told.

    Raises: DcePlayError, when it could not even begin. With ``output: jsonl`` the stream ends with ``run.end`` then
    as well.
    """
    sinks: list[Sink] = []
    try:
        open_sinks(
            sinks,
            machine=request.options.output == "jsonl",
            environment=request.environment,
            display=_display(request),
            log_file=request.options.log_file,
            report=request.options.report_file,
        )
        keep = None if request.options.dry_run else kept_runs(request.folder)
        prepared = prepare(request, ask=asker(sinks))
        progress = None
        if earlier is not None:
            from dce_play.runner.resume import progress_for  # start-up time: a first run has nothing to compare with

            progress = progress_for(earlier, prepared.plan, prepared.settings, accept_changes=accept_changes)
        with fan_out_of(
            prepared.plan,
            prepared.settings,
            jobs=request.options.jobs,
            cluster=request.options.cluster,
            plugins=request.options.plugins,
        ) as fan_out:
            outcome = run(prepared.plan, prepared.settings, sinks, progress=progress, fan_out=fan_out)
    except DcePlayError as error:
        tell_stillborn(sinks, error, run_id=request.run_id)
        raise
    if keep is not None:
        forget_old_runs(prepared.settings, keep=keep)
    written = leave_report(outcome.run_folder, also=request.options.report_file)
    if (lost_outputs(sinks) or not written) and outcome.exit_code == ExitCode.OK:
        return replace(outcome, exit_code=ExitCode.FAILED)
    return outcome


def _display(request: RunRequest) -> DisplayOptions:
    options = request.options
    again = shlex.join(["", *said("--state-dir", str(options.state_dir))]) if options.state_dir is not None else ""
    return DisplayOptions(
        verbosity=options.verbose,
        quiet=options.quiet,
        colour=not options.no_color,
        diff=options.diff,
        progress_every_s=progress_every_s(request.environment),
        folder=str(request.folder),
        again=again.removeprefix("''"),
        staged=request.staged,
        brief=request.brief,
    )


def prepare(request: RunRequest, /, *, ask: Ask | None = None) -> Prepared:
    """Check everything that can be checked before a run.

    Raises: InvalidDocument, UsageError, NothingSelected, NoTargetsFile, PluginBroken.
    """
    options = request.options
    path = find_playbook(request.playbook, request.folder)
    library = request.library or open_library(
        plugins=options.plugins, folder=request.folder, environment=request.environment
    )
    plan = plan_from(library, path)
    params = resolve_params(
        plan.params, extra=options.extra, options=as_texts(request.given), environment=request.environment
    )
    chosen = choose_steps(plan, tags=options.tags, skip_tags=options.skip_tags, start_at=options.start_at)
    refuse_without_person(
        plan,
        request.environment,
        allow_unattended=options.allow_unattended,
        looks_only=options.dry_run or options.list_steps,
    )
    targets = _targets(request, plan)
    run_id = request.run_id or new_run_id()
    again = request.next_command
    if again is None:
        again = command_line("resume", run_id, resume_words(options))
    settings = RunSettings(
        run_id=run_id,
        run_folder=runs_folder(options.state_dir, request.environment) / run_id,
        folder=request.folder,
        environment=request.environment,
        mode=Mode.DRY_RUN if options.dry_run else Mode.RUN,
        params=as_names(params),
        recorded_params=as_recorded(params),
        archive_root=targets.archive_root if targets else None,
        targets=targets,
        selection=_selection(request, targets),
        steps=chosen,
        options=_remembered(request, again),
        ask=ask,
        assume_yes=options.assume_yes,
        step_by_step=options.step_by_step,
        interrupted=request.interrupted,
        lock_wait_s=options.lock_wait_s,
        timeout_s=options.timeout_s,
        allow_unattended=options.allow_unattended,
        steps_of=steps_used(request.folder, library.steps, shipped=library.shipped),
        strict=options.strict,
        detailed_exitcode=options.detailed_exitcode,
        apply_command=apply_command(request) if request.next_command is None else request.next_command,
        resume_command=again,
        seal=options.dry_run,
        report_folders=() if options.report_file is None else (options.report_file.resolve().parent,),
        known_secrets=known_secrets(request.environment, request.folder) | request.known_secrets,
    )
    _check_place(settings)
    return Prepared(plan=plan, settings=settings)


def new_run_id() -> str:
    """Return an id that sorts by time: ``20261121T011507Z-4f2a91``."""
    return f"{file_stamp(datetime.now(UTC))}-{secrets.token_hex(3)}"


def _targets(request: RunRequest, plan: Plan) -> TargetsFile | None:
    path = find_targets_file(request.options.config, request.environment, request.folder)
    if path is not None:
        from dce_play.cli.app.targets_file import load_targets_file  # start-up time: not every folder has one

        return load_targets_file(path)
    narrowed = request.options.targets or request.options.channels or request.options.guilds
    if "targets" in plan.names or Effects.ARCHIVE in plan.effects or narrowed:
        raise NoTargetsFile
    return None


def _selection(request: RunRequest, targets: TargetsFile | None) -> Selection:
    if targets is None:
        return Selection()
    chosen = select_targets(targets, request.options.targets)
    channels, guilds = check_narrowing(chosen, channels=request.options.channels, guilds=request.options.guilds)
    return Selection(targets=tuple(target.name for target in chosen), channels=channels, guilds=guilds)


def _check_place(settings: RunSettings) -> None:
    root = settings.archive_root
    if root is not None and settings.run_folder.is_relative_to(root):
        raise UsageError(
            f"the run folder {settings.run_folder} would be inside the archive root {root}",
            hint="choose another place with --state-dir",
        )


def _remembered(request: RunRequest, resume_command: str) -> dict[str, JsonValue]:
    return {
        "playbook": request.playbook,
        "folder": str(request.folder),
        "given": dict(request.given),
        **to_journal(request.options),
        "resume_command": resume_command,
    }


def apply_command(request: RunRequest, /) -> str:
    """Return the command that does for real what a dry run of this request shows, to be typed in its folder."""
    words = run_words(request.options)
    for name, given in request.given.items():
        flag = option_name(name)
        if isinstance(given, bool):
            words.append(flag if given else f"--no-{flag.removeprefix('--')}")
        else:
            for each in given if isinstance(given, list) else [given]:
                words += said(flag, str(each))
    return command_line("run", request.playbook, words)
