"""From what the command line says to a finished run. ``run``, ``resume`` and ``--rehearse`` all come through here."""

import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from dce_play.cli.app.find_playbook import find_playbook
from dce_play.cli.app.playbook_params import as_texts
from dce_play.cli.app.step_table import is_shipped, reading_cache, step_table
from dce_play.cli.app.targets_file import find_targets_file, load_targets_file
from dce_play.cli.run.sinks import asker, leave_report, lost_outputs, open_sinks, tell_stillborn
from dce_play.discord.auth.known_secrets import known_secrets
from dce_play.discord.targets.model import TargetsFile
from dce_play.discord.targets.select import check_narrowing, select_targets
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.events import Mode, Sink
from dce_play.layout import state_folder
from dce_play.playbook.load.params import as_names, as_recorded, resolve_params
from dce_play.playbook.plan.plan import Plan
from dce_play.playbook.plan.planning import make_plan
from dce_play.playbook.plan.selection import choose_steps
from dce_play.plugin import Effects, Selection
from dce_play.runner.engine import run
from dce_play.runner.resume import EarlierRun, progress_for
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
    extra: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    guilds: tuple[str, ...] = ()
    config: Path | None = None
    dry_run: bool = False
    diff: bool = False
    detailed_exitcode: bool = False
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()
    start_at: str | None = None
    step_by_step: bool = False
    assume_yes: bool = False
    lock_wait_s: float = 0.0
    timeout_s: float | None = None
    output: str = "text"
    report: Path | None = None
    log_file: Path | None = None
    verbose: bool = False
    state_dir: Path | None = None
    plugins: bool = False
    strict: bool = False
    interrupted: str | None = None
    run_id: str = ""
    """Chosen when empty."""


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
            machine=request.output == "jsonl",
            environment=request.environment,
            verbose=request.verbose,
            diff=request.diff,
            log_file=request.log_file,
            report=request.report,
        )
        prepared = prepare(request, ask=asker(sinks))
        progress = None
        if earlier is not None:
            progress = progress_for(earlier, prepared.plan, prepared.settings, accept_changes=accept_changes)
        outcome = run(prepared.plan, prepared.settings, sinks, progress=progress)
    except DcePlayError as error:
        tell_stillborn(sinks, error, run_id=request.run_id)
        raise
    written = leave_report(outcome.run_folder, also=request.report)
    if (lost_outputs(sinks) or not written) and outcome.exit_code == ExitCode.OK:
        return replace(outcome, exit_code=ExitCode.FAILED)
    return outcome


def prepare(request: RunRequest, /, *, ask: Ask | None = None) -> Prepared:
    """Check everything that can be checked before a run.

    Raises: InvalidDocument, UsageError, NothingSelected, NoTargetsFile, PluginBroken.
    """
    path = find_playbook(request.playbook, request.folder)
    steps = step_table(plugins=request.plugins, folder=request.folder)
    plan = make_plan(
        path,
        steps,
        shipped=is_shipped(steps),
        cache=reading_cache(plugins=request.plugins, folder=request.folder, environment=request.environment),
    )
    params = resolve_params(
        plan.params, extra=request.extra, options=as_texts(request.given), environment=request.environment
    )
    chosen = choose_steps(plan, tags=request.tags, skip_tags=request.skip_tags, start_at=request.start_at)
    targets = _targets(request, plan)
    run_id = request.run_id or new_run_id()
    settings = RunSettings(
        run_id=run_id,
        run_folder=runs_folder(request.state_dir, request.environment) / run_id,
        folder=request.folder,
        environment=request.environment,
        mode=Mode.DRY_RUN if request.dry_run else Mode.RUN,
        params=as_names(params),
        recorded_params=as_recorded(params),
        archive_root=targets.archive_root if targets else None,
        targets=targets,
        selection=_selection(request, targets),
        steps=chosen,
        options=remembered(request),
        ask=ask,
        assume_yes=request.assume_yes,
        step_by_step=request.step_by_step,
        interrupted=request.interrupted,
        lock_wait_s=request.lock_wait_s,
        timeout_s=request.timeout_s,
        strict=request.strict,
        detailed_exitcode=request.detailed_exitcode,
        apply_command=_apply_command(request),
        seal=request.dry_run,
        known_secrets=known_secrets(request.environment, request.folder),
    )
    _check_place(settings)
    return Prepared(plan=plan, settings=settings)


def new_run_id() -> str:
    """Return an id that sorts by time: ``20261121T011507Z-4f2a91``."""
    return f"{file_stamp(datetime.now(UTC))}-{secrets.token_hex(3)}"


def runs_folder(state_dir: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the folder of all run folders: ``--state-dir``, else our state folder."""
    base = state_dir.absolute() if state_dir is not None else state_folder(environment)
    return base / "runs"


def _targets(request: RunRequest, plan: Plan) -> TargetsFile | None:
    path = find_targets_file(request.config, request.environment, request.folder)
    if path is not None:
        return load_targets_file(path)
    narrowed = request.targets or request.channels or request.guilds
    if "targets" in plan.names or Effects.ARCHIVE in plan.effects or narrowed:
        raise NoTargetsFile
    return None


def _selection(request: RunRequest, targets: TargetsFile | None) -> Selection:
    if targets is None:
        return Selection()
    chosen = select_targets(targets, request.targets)
    channels, guilds = check_narrowing(chosen, channels=request.channels, guilds=request.guilds)
    return Selection(targets=tuple(target.name for target in chosen), channels=channels, guilds=guilds)


def _check_place(settings: RunSettings) -> None:
    root = settings.archive_root
    if root is not None and settings.run_folder.is_relative_to(root):
        raise UsageError(
            f"the run folder {settings.run_folder} would be inside the archive root {root}",
            hint="choose another place with --state-dir",
        )


def remembered(request: RunRequest, /) -> dict[str, JsonValue]:
    """Return what ``resume`` must know to ask for the same again. No secret is in it: they are given as references."""
    return {
        "playbook": request.playbook,
        "folder": str(request.folder),
        "given": dict(request.given),
        "extra": list(request.extra),
        "targets": list(request.targets),
        "channels": list(request.channels),
        "guilds": list(request.guilds),
        "config": str(request.config) if request.config else None,
        "tags": list(request.tags),
        "skip_tags": list(request.skip_tags),
        "start_at": request.start_at,
        "plugins": request.plugins,
        "strict": request.strict,
    }


def _apply_command(request: RunRequest) -> str:
    words = ["dce-play", "run", request.playbook]
    for option, values in (
        ("--target", request.targets),
        ("--channel", request.channels),
        ("--guild", request.guilds),
        ("-e", request.extra),
        ("--tags", (",".join(request.tags),) if request.tags else ()),
        ("--skip-tags", (",".join(request.skip_tags),) if request.skip_tags else ()),
        ("--start-at", (request.start_at,) if request.start_at else ()),
        ("--config", (str(request.config),) if request.config else ()),
    ):
        for value in values:
            words += [option, value]
    for name, given in request.given.items():
        flag = name.replace("_", "-")
        if isinstance(given, bool):
            words.append(f"--{flag}" if given else f"--no-{flag}")
        else:
            for each in given if isinstance(given, list) else [given]:
                words += [f"--{flag}", str(each)]
    return shlex.join(words)
