"""``dce-play service``: our services put on a machine, as systemd units with their user, folders and configuration."""

import json
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from dce_play.cli.app.groups import Group
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.verb import format_option
from dce_play.discord.targets.usual_file import usual_targets_file
from dce_play.errors import ExitCode, UsageError
from dce_play.host.install.install import Installed, Options, install
from dce_play.host.install.request import CONFIG_NAMES, ETC, Request, Role
from dce_play.resources import examples_folder
from dce_play.source import InvalidDocument
from dce_play.system.clock import SystemClock
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from dce_play.system.toml.config import NoConfig

_FOLDER = click.Path(path_type=Path, file_okay=False)
_DRAIN_MIN_AGE_S = 600.0
_MARKS = {"created": "+", "updated": "~", "unchanged": "=", "kept": "="}


@click.group("service", cls=Group)
def command() -> None:
    """Put our services on this machine: shipper, receiver, a scheduled playbook, your orchestrator.

    \b
    Example:
      dce-play service install shipper --source . --dry-run --diff

    Exit codes differ by command: see the help of each.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was typed."""

    roles: tuple[str, ...]
    destdir: Path | None
    prefix: Path
    user: str
    source: Path | None
    unit_name: str
    playbook: str
    on_calendar: str
    folder: Path | None
    exec_line: str


@command.command("install")
@click.argument("roles", nargs=-1, required=True, type=click.Choice([role.value for role in Role]), metavar="ROLE...")
@click.option(
    "--destdir", type=click.Path(path_type=Path, file_okay=False), help="Write below this folder, not below /."
)
@click.option(
    "--prefix",
    type=click.Path(path_type=Path),
    default="/opt/dce-play",
    show_default=True,
    help="Where the program lives.",
)
@click.option("--user", default="dce-play", show_default=True, help="The user that all services run as.")
@click.option("--unit-name", default="", help="Another name for the unit; with one role only.")
@click.option(
    "--source", type=click.Path(path_type=Path, file_okay=False, exists=True), help="A checkout to copy to the prefix."
)
@click.option("--playbook", default="", help="What the role schedule runs; default: proof.")
@click.option("--on-calendar", default="daily", show_default=True, help="When it runs, as systemd writes times.")
@click.option("--folder", type=_FOLDER, help="Where it runs, with its targets file; default: /var/lib/dce-play.")
@click.option("--exec", "exec_line", default="", help="Command line of the role orchestrator.")
@click.option(
    "--systemctl",
    "systemctl",
    default="",
    help="The program that restarts units; with --destdir only this one is asked.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--diff", "show_diff", is_flag=True, help="Show how files differ.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 10 when something changed or would change.")
@click.option("--no-venv", is_flag=True, help="Build no environment below the prefix.")
@click.option("--no-drain", is_flag=True, help="Leave unstamped episodes where they are.")
@format_option
def install_command(
    *, systemctl: str, dry_run: bool, show_diff: bool, detailed_exitcode: bool, no_venv: bool, no_drain: bool,
    output_format: str, **asked: Any,
) -> int:  # fmt: skip
    """Install roles: shipper, receiver, schedule, orchestrator. A second run changes nothing.

    \b
    Examples:
      dce-play service install shipper --source . --dry-run --diff
      sudo dce-play service install receiver --source .
      sudo dce-play service install schedule --folder /srv/dce --playbook proof --on-calendar "Sun 03:15"

    Configuration that is there is never overwritten. Units that are enabled are restarted, whether or not their
    files changed: a process keeps the modules it was started with.

    Exit 0: installed. Exit 4: something is missing, all of it named, nothing changed. Exit 10: with
    --detailed-exitcode, something changed.
    """
    request = _request(_Asked(**asked))
    where = systemctl or (None if request.destdir else "systemctl")
    options = Options(dry_run=dry_run, venv=not no_venv, systemctl=where)
    done = install(
        request,
        options,
        templates=_templates(request),
        folders=_folders(request),
        environment=os.environ,
        executor=LocalExecutor(os.environ, Masker()),
        drain=lambda: None if no_drain else _drain(request),
    )
    _show(done, output_format=output_format, show_diff=show_diff, dry_run=dry_run)
    return ExitCode.CHANGES_PENDING if detailed_exitcode and done.changed else ExitCode.OK


def _request(asked: _Asked) -> Request:
    roles = tuple(Role(role) for role in dict.fromkeys(asked.roles))
    if asked.unit_name and len(roles) > 1:
        raise UsageError("--unit-name names one unit, and there are several roles", hint="install them one by one")
    if Role.ORCHESTRATOR in roles and not asked.exec_line:
        raise UsageError(
            "the orchestrator is your own program: --exec says which",
            hint="dce-play service install orchestrator --exec '/opt/lab/run-episodes --forever'",
        )
    if not asked.prefix.is_absolute():
        raise UsageError(f"--prefix {asked.prefix} is not absolute", hint="--prefix /opt/dce-play")
    folder, archive_root = _schedules_folder(asked)
    return Request(
        roles=roles,
        destdir=asked.destdir.absolute() if asked.destdir else None,
        prefix=asked.prefix,
        user=asked.user,
        source=asked.source.absolute() if asked.source else None,
        unit_name=asked.unit_name,
        playbook=asked.playbook,
        on_calendar=asked.on_calendar,
        folder=folder,
        archive_root=archive_root,
        exec_argv=_exec_argv(asked.exec_line),
    )


def _schedules_folder(asked: _Asked) -> tuple[Path | None, Path | None]:
    """Return the folder that a scheduled playbook runs in, and the archive root that its targets file names.

    Raises: UsageError, for a folder without a targets file.
    """
    if asked.folder is None or Role.SCHEDULE not in asked.roles:
        return None, None
    folder = asked.folder.absolute()
    found = usual_targets_file(folder)
    if found is None or not found.is_file():
        raise UsageError(f"--folder {folder} has no targets file", hint=shlex.join(["dce-play", "init", str(folder)]))
    return folder, load_targets_file(found).archive_root


def _templates(request: Request) -> dict[Role, str]:
    names = {role: name for role, name in CONFIG_NAMES.items() if role in request.roles}
    return {role: (examples_folder() / name).read_text(encoding="utf-8") for role, name in names.items()}


def _exec_argv(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"--exec: {error}".lower(), hint="quote it as you would for a shell") from error
    if words and not words[0].startswith("/"):
        found = shutil.which(words[0])
        words[0] = found or words[0]
    return tuple(words)


def _config_of(request: Request, role: Role) -> Path:
    return request.below(ETC / CONFIG_NAMES[role])


def _folders(request: Request) -> dict[Role, tuple[Path, ...]]:
    """Return the folders that each role's configuration names: the installed one's, else our example's.

    Roles that are not asked for, but whose configuration is installed, are among them: all share one list of folders.
    """
    # Imported here: they bring the checks of whole files, which no other command of this group needs.
    from dce_play.transfer.receiving.config import read_config as load_receive
    from dce_play.transfer.sending.settings import load_config as load_ship

    found: dict[Role, tuple[Path, ...]] = {}
    for role in CONFIG_NAMES:
        installed = _config_of(request, role)
        if role not in request.roles and not installed.is_file():
            continue
        path = installed if installed.is_file() else examples_folder() / CONFIG_NAMES[role]
        try:
            if role is Role.SHIPPER:
                ship = load_ship(path)
                places = [ship.data_dir, ship.episodes_dir, ship.outbox_dir, ship.shipped_dir, ship.quarantine_dir]
                places += [ship.metrics_file.parent] if ship.metrics_file else []
            else:
                places = [load_receive(path).store_dir]
        except InvalidDocument:
            continue
        found[role] = tuple(dict.fromkeys(places))
    return found


def _drain(request: Request) -> dict[str, Any] | None:
    """Quarantine episodes without a commit, when the installed configuration is whole and its folders are there."""
    from dce_play.transfer.sending.episodes.drain import drain
    from dce_play.transfer.sending.episodes.folders import check_folders
    from dce_play.transfer.sending.episodes.spool import Spool
    from dce_play.transfer.sending.settings import load_config

    path = _config_of(request, Role.SHIPPER)
    try:
        config = load_config(path)
    except (InvalidDocument, NoConfig):
        return None
    inside = request.destdir is None or config.data_dir.is_relative_to(request.destdir)
    if not config.data_dir.is_dir() or not inside:
        return None
    spool = Spool(config)
    check_folders(config, spool)
    result = drain(spool, host_id=config.host_id, min_age_s=_DRAIN_MIN_AGE_S, dry_run=False, clock=SystemClock())
    drained: dict[str, Any] = msgspec.to_builtins(result)
    return drained


def _show(done: Installed, *, output_format: str, show_diff: bool, dry_run: bool) -> None:
    if output_format == "json":
        facts = {
            "files": [{"path": str(path), "action": action} for path, action in done.files],
            "restarted": done.restarted,
            "drained": done.drained,
            "next": done.next,
        }
        click.echo(json.dumps(facts))
    people = output_format == "json"
    for path, action in done.files:
        click.echo(f"{_MARKS[action]} {action:9} {path}", err=people)
    for diff in done.diffs if show_diff else ():
        click.echo(diff, err=people)
    for unit in done.restarted:
        click.echo(f"restarted {unit}", err=people)
    if done.drained is not None:
        click.echo(f"drained: {done.drained.get('quarantined', 0)} to quarantine", err=people)
    for each in () if dry_run else done.next:
        click.echo(f"next: {each}", err=people)
