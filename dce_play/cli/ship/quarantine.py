"""``dce-play quarantine``: what the receiver refused for good, shown, sent again or dropped."""

from pathlib import Path
from typing import Any

import click
import msgspec

from dce_play.cli.app.verb import DURATION, format_option
from dce_play.cli.ship.options import CONFIG, config_from, is_terminal, show
from dce_play.errors import ExitCode, UsageError
from dce_play.plugin import NobodyToAsk
from dce_play.system.clock import SystemClock
from dce_play.system.counted import counted
from dce_play.system.quantities import show_duration
from dce_play.transfer.sending.episodes.quarantine import Item, choose, drop_all, list_items, requeue
from dce_play.transfer.sending.episodes.quarantine import show as look_at
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.own_commands import with_config

_REASON = click.option("--reason", metavar="CODE", help="Only what was refused for this reason.")
_OLDER = click.option("--older-than", type=DURATION, metavar="DURATION", help="Only what lies here longer: 2d, 12h.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.command("list")
@CONFIG
@format_option
@_REASON
@_OLDER
def list_verb(config: Path | None, output_format: str, reason: str | None, older_than: float | None) -> int:
    """List what is in quarantine, the oldest first.

    \b
    Example:
      dce-play quarantine list --older-than 7d

    Exit 0: told. Exit 3: ship.toml is not valid.
    """
    items = list_items(_spool(config), now=SystemClock().now(), reason=reason, older_than_s=older_than)
    show({"items": items}, output_format, [_line(item) for item in items] or ["quarantine is empty"])
    return ExitCode.OK


@click.command("show")
@CONFIG
@format_option
@click.argument("name")
def show_verb(config: Path | None, output_format: str, name: str) -> int:
    """Show why an episode was refused, the receiver's own words, and its files.

    \b
    Example:
      dce-play quarantine show EPISODE

    Exit 5: no such name.
    """
    spool = _spool(config)
    reason, files = look_at(spool, name)
    record: dict[str, Any] = msgspec.to_builtins(reason) if reason is not None else {"reason": None}
    record |= {"name": name, "files": files}
    lines = [f"{key}: {value}" for key, value in record.items() if key not in {"v", "problem", "files", "fix"}]
    lines += [f"fix: {line}" for line in with_config(record.get("fix", []), spool.option)]
    lines.append(f"{counted(len(files), 'file')}: {', '.join(files[:10])}{', …' if len(files) > 10 else ''}")
    show(record, output_format, lines)
    return ExitCode.OK


@click.command("requeue")
@CONFIG
@format_option
@_NAMES
@_REASON
@click.option("--all", "everything", is_flag=True, help="All that is in quarantine.")
@_DRY_RUN
def requeue_verb(
    config: Path | None,
    output_format: str,
    names: tuple[str, ...],
    reason: str | None,
    *,
    everything: bool,
    dry_run: bool,
) -> int:
    """Move episodes back to be sent again. One whose id is in episodes/ stays where it is.

    \b
    Example:
      dce-play quarantine requeue --reason commit_not_in_window --dry-run

    Exit 1: something was refused. Exit 5: no such name.
    """
    if not names and reason is None and not everything:
        raise UsageError("which ones?", hint="name some, or say --reason CODE or --all")
    spool = _spool(config)
    chosen = choose(spool, names, now=SystemClock().now(), reason=reason, everything=everything or not names)
    result = requeue(spool, chosen, dry_run=dry_run)
    word = "would go back" if dry_run else "went back"
    lines = [f"{name} {word}" for name in result.requeued]
    lines += [f"{each.name} stays: {each.why}" for each in result.refused]
    show(result, output_format, lines or ["nothing to move"])
    return ExitCode.FAILED if result.refused else ExitCode.OK


@click.command("drop")
@CONFIG
@format_option
@_NAMES
@_REASON
@_OLDER
@click.option("--yes", is_flag=True, help="Do not ask.")
@_DRY_RUN
def drop_verb(
    config: Path | None,
    output_format: str,
    names: tuple[str, ...],
    reason: str | None,
    older_than: float | None,
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Remove episodes from quarantine for good.

    \b
    Example:
      dce-play quarantine drop --older-than 30d --dry-run

    Exit 5: no such name. Exit 77: nobody to ask, and no --yes.
    """
    if not names and reason is None and older_than is None:
        raise UsageError("which ones?", hint="name some, or say --reason CODE or --older-than DURATION")
    spool = _spool(config)
    now = SystemClock().now()
    chosen = choose(spool, names, now=now, reason=reason, older_than_s=older_than, everything=not names)
    if chosen and not yes and not dry_run:
        _confirm(chosen)
    dropped = drop_all(spool, chosen, dry_run=dry_run)
    word = "would be removed" if dry_run else "is removed"
    show({"dropped": dropped}, output_format, [f"{name} {word}" for name in dropped] or ["nothing to remove"])
    return ExitCode.OK


def _confirm(names: list[str]) -> None:
    if not is_terminal():
        raise NobodyToAsk(f"may {counted(len(names), 'episode')} be removed for good?")
    shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    click.confirm(f"Remove {counted(len(names), 'episode')} for good ({shown})?", abort=True, err=True)


def _spool(config: Path | None) -> Spool:
    return Spool(config_from(config))


def _line(item: Item) -> str:
    age = "age unknown" if item.age_s is None else show_duration(item.age_s)
    size = counted(item.bytes, "byte", grouped=True)
    return f"{item.name}  {item.reason or 'no reason that can be read'}  {age}  {size}"
