"""``dce-play ship drain``: episodes that no receiver with a gate will take, moved out of the way."""

from pathlib import Path

import click

from dce_play.cli.app.verb import DURATION, format_option
from dce_play.cli.ship.options import CONFIG, config_from, show
from dce_play.errors import ExitCode
from dce_play.system.clock import SystemClock
from dce_play.transfer.sending.episodes.drain import drain
from dce_play.transfer.sending.episodes.folders import check_folders
from dce_play.transfer.sending.episodes.spool import Spool


@click.command("drain")
@CONFIG
@format_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be moved.")
@click.option(
    "--min-age",
    type=DURATION,
    default="10m",
    show_default=True,
    help="How long nothing may have changed in a folder whose meta.json is missing or broken.",
)
def drain_verb(config: Path | None, output_format: str, min_age: float, *, dry_run: bool) -> int:
    """Move every episode without a commit to quarantine. Safe beside a running shipper, and when run again.

    \b
    Example:
      dce-play ship drain --min-age 1h --dry-run

    Exit 0: done.
    """
    settings = config_from(config)
    spool = Spool(settings)
    if not dry_run:
        check_folders(settings, spool)
    result = drain(spool, host_id=settings.host_id, min_age_s=min_age, dry_run=dry_run, clock=SystemClock())
    word = "would go" if dry_run else "went"
    lines = [f"{each.id} {word} to {each.to}: {each.detail}" for each in result.episodes]
    lines.append(f"{result.quarantined} {word} to quarantine, {result.kept} kept")
    show(result, output_format, lines)
    return ExitCode.OK
