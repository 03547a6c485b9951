"""``dce-play lock``: who holds the archive root's lock, and tidying up after a run that died.

Exit codes as the operators' scripts know them: 0 when a run may start, 1 when the lock is held, 2 for a wrong call.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from dce_play.cli.app.groups import Group
from dce_play.cli.app.tables import reader_may_leave
from dce_play.cli.app.verb import format_option
from dce_play.cli.app.working_folder import working_folder
from dce_play.discord.lock.places import SCRAPE_WORDS, guarding_root, lock_path
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.lock.held import LockHeld
from dce_play.system.lock.note import meta_path
from dce_play.system.lock.reclaim import reclaim
from dce_play.system.lock.status import LockStatus, Verdict, lock_status

_TITLE = "Scrape lock status"
_ROOT = click.option("--root", type=click.Path(path_type=Path), help="The archive root; default: the targets file's.")
_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="The targets file that names the root.")


@click.group("lock", cls=Group)
def command() -> None:
    """Look at the archive root's lock, and tidy up after a run that died.

    The kernel holds the lock for as long as the run, or a program that it started, lives. No lock file is ever to
    be removed.

    \b
    Example:
      dce-play lock status

    Exit codes differ by command: see the help of each.
    """


@command.command()
@_ROOT
@_CONFIG
@format_option
@click.option("--reclaim-stale", is_flag=True, help="Remove the note that a dead run left.")
def status(root: Path | None, config: Path | None, output_format: str, *, reclaim_stale: bool) -> int:
    """Tell whether the lock is held, by whom and since when. Locks nothing, creates nothing.

    \b
    Example:
      dce-play lock status && dce-play run proof

    Exit 0: a run may start. Exit 1: held. Exit 2: wrong call.
    """

    def show() -> int:
        config_path, path = _place(root, config)
        return _show(
            lock_status(path, words=SCRAPE_WORDS), config_path, output_format=output_format, reclaim_stale=reclaim_stale
        )

    return _told(show)


@command.command("reclaim")
@_ROOT
@_CONFIG
def reclaim_command(root: Path | None, config: Path | None) -> int:
    """Remove the note that a dead run left beside the lock. The next run does so by itself.

    \b
    Example:
      dce-play lock reclaim --root /srv/archives

    Exit 0: nothing is left. Exit 1: held. Exit 2: its writer may be running.
    """

    def remove() -> int:
        _, path = _place(root, config)
        removed = reclaim(path, words=SCRAPE_WORDS)
        click.echo(f"removed stale lock meta: {meta_path(path)}" if removed else "nothing to reclaim")
        return ExitCode.OK

    return _told(remove)


@command.command("force-unlock")
@_ROOT
@_CONFIG
@click.option("--yes", is_flag=True, help="Do not ask.")
def force_unlock(root: Path | None, config: Path | None, *, yes: bool) -> int:
    """Remove a note whose writer may be running, when you know that it is not. A lock that is held stays.

    \b
    Example:
      dce-play lock force-unlock --root /srv/archives

    Exit 0: no note is left. Exit 1: held, or not confirmed. Exit 77: nobody to ask.
    """

    def remove() -> int:
        _, path = _place(root, config)
        return _force(path, yes=yes)

    return _told(remove)


def _place(root: Path | None, config: Path | None) -> tuple[Path | None, Path]:
    """Return the targets file, if one was needed, and the lock file."""
    folder = working_folder()
    if root is not None:
        return None, lock_path(folder / root, os.environ)
    # Inside the function for start-up time: who names the root needs no targets file.
    from dce_play.cli.app.targets_file import load_targets_file

    found = find_targets_file(config, os.environ, folder)
    if found is None:
        return None, lock_path(guarding_root(folder), os.environ)
    return found, lock_path(load_targets_file(found).archive_root, os.environ)


def _told(act: Callable[[], int]) -> int:
    """Tell a failure as the operators' script does: its exit codes are 0, 1 and 2, whatever went wrong."""
    try:
        return act()
    except LockHeld as error:
        _complain(error)
        return ExitCode.FAILED
    except DcePlayError as error:
        _complain(error)
        return ExitCode.USAGE


def _complain(error: DcePlayError) -> None:
    click.echo(f"ERROR: {error}", err=True)
    for line in error.hint.splitlines():
        click.echo(f"  {line}", err=True)


def _show(seen: LockStatus, config: Path | None, *, output_format: str, reclaim_stale: bool) -> int:
    removed = False
    failure: DcePlayError | None = None
    if reclaim_stale and seen.verdict is not Verdict.HELD:
        try:
            removed = reclaim(seen.path, words=SCRAPE_WORDS) is not None
        except LockHeld as error:
            seen = error.status
        except DcePlayError as error:
            failure = error
    code = ExitCode.FAILED if seen.verdict is Verdict.HELD else ExitCode.OK
    with reader_may_leave():
        if output_format == "json":
            click.echo(json.dumps(_facts(seen, config, removed=removed)))
        else:
            _print(seen, config)
            if reclaim_stale and failure is None and code is ExitCode.OK:
                _print_reclaimed(seen, removed=removed)
    if failure is not None:
        raise failure
    return code


def _facts(seen: LockStatus, config: Path | None, *, removed: bool) -> dict[str, object]:
    return {
        "lock": str(seen.path),
        "config": str(config) if config else None,
        "verdict": seen.verdict,
        "state": seen.state,
        "held": seen.verdict is Verdict.HELD,
        "holders": [asdict(holder) for holder in seen.holders],
        "meta": asdict(seen.meta) if seen.meta else None,
        "reclaimable": seen.reclaimable and not removed,
        "reclaimed": removed,
    }


def _print(seen: LockStatus, config: Path | None) -> None:
    click.echo(f"{_TITLE}\n{'-' * len(_TITLE)}")
    if config is not None:
        click.echo(f"config: {config}")
    click.echo(f"lock: {seen.path}\nstate: {seen.state}")
    meta = seen.meta
    if meta is not None:
        running = "running" if seen.holder_runs else "not running"
        click.echo(f"holder: pid {meta.pid} ({running}, started {meta.started})\ncmd: {meta.cmd}")
        facts = {"host": meta.host, "user": meta.user, "run": meta.run_id, "step": meta.step}
        for name, value in (facts | {"last progress": meta.progress}).items():
            if value:
                click.echo(f"{name}: {value}")
    for holder in seen.holders:
        if meta is None or holder.pid != meta.pid:
            click.echo(f"held by: pid {holder.pid}, {holder.command}")


def _print_reclaimed(seen: LockStatus, *, removed: bool) -> None:
    if removed:
        click.echo(f"removed stale lock meta: {meta_path(seen.path)}\nstate: free (stale lock reclaimed)")
    elif seen.path.exists():
        click.echo(f"kept lock file: {seen.path} (a lock file is never removed)\nstate: free (orphan lock reclaimed)")


def _force(path: Path, *, yes: bool) -> int:
    seen = lock_status(path, words=SCRAPE_WORDS)
    if seen.verdict is Verdict.HELD:
        _print(seen, None)
        pids = " ".join(str(holder.pid) for holder in seen.holders)
        click.echo(
            "The kernel holds this lock for living processes; removing files would let a second run in beside them.\n"
            f"To end it, end them: kill {pids}"
        )
        return ExitCode.FAILED
    if not meta_path(path).exists():
        click.echo("nothing to force: the lock is free and there is no note")
        return ExitCode.OK
    _print(seen, None)
    click.echo("Nobody holds the lock; a new run can start now. Only the note would be removed.")
    if not yes:
        if not sys.stdin.isatty():
            click.echo("ERROR: nobody to ask; say --yes", err=True)
            return ExitCode.UNATTENDED
        if not click.confirm("Remove the note?"):
            return ExitCode.FAILED
    reclaim(path, force=True, words=SCRAPE_WORDS)
    click.echo(f"removed lock meta: {meta_path(path)}")
    return ExitCode.OK
