"""``dce-play doctor``: what is wrong on this machine, one line a problem, with the command that cures it."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import msgspec

from dce_play.cli.app.tables import reader_may_leave
from dce_play.cli.app.targets_file import load_targets_file
from dce_play.cli.app.verb import DURATION, format_option
from dce_play.discord.targets.usual_file import find_targets_file
from dce_play.doctor.checkup import DEFAULT_UNIT, Subject, checkup, nothing_to_look_at
from dce_play.doctor.rows import Level, Row, all_green
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.clock import SystemClock
from dce_play.system.process.executor import LocalExecutor
from dce_play.system.redact import Masker
from dce_play.transfer.receiving import config as receiving
from dce_play.transfer.sending import settings as sending

_FILE = click.Path(path_type=Path)
_MARKS = {Level.RED: "✗", Level.YELLOW: "!", Level.GREEN: "✓"}
_COLOURS = {Level.RED: "red", Level.YELLOW: "yellow", Level.GREEN: "green"}


@click.command("doctor")
@click.option("--config", type=_FILE, help="The ship.toml; default: DCE_SHIP_CONFIG, else the system's.")
@click.option("--receive-config", type=_FILE, help="The receive.toml; default: DCE_RECEIVE_CONFIG, else the system's.")
@click.option("--unit", default=DEFAULT_UNIT, show_default=True, metavar="NAME", help="The unit whose journal is read.")
@click.option("--since", type=DURATION, default="10m", show_default=True, help="How far back the journal is read.")
@click.option("--journal-json", type=_FILE, metavar="FILE", help="Read these journalctl -o json lines instead.")
@click.option("--no-ping", is_flag=True, help="Do not ask the receiver.")
@format_option
def command(
    *,
    config: Path | None,
    receive_config: Path | None,
    unit: str,
    since: float,
    journal_json: Path | None,
    no_ping: bool,
    output_format: str,
) -> int:
    """Look at the journal, disks, certificates, clock, locks, receiver, tokens and archives of this machine.

    \b
    Examples:
      dce-play doctor
      dce-play doctor --since 1h --format json
      journalctl -u dce-play-shipper -o json > lines && dce-play doctor --journal-json lines --no-ping

    Exit 0: all is green. Exit 1: something is not, and its line says what to type. Exit 3: a configuration is not
    valid.
    """
    subject = Subject(
        ship=_ship(config),
        receive=_receive(receive_config),
        targets=_targets(),
        unit=unit if "." in unit else f"{unit}.service",
        journal_file=journal_json,
    )
    clock = SystemClock()
    asked: list[Row] = []
    if subject.ship is not None and not no_ping:
        # Here because it brings the HTTP client, which takes 60 ms, and only this asks anybody.
        from dce_play.doctor.receiver import receiver_rows

        asked = receiver_rows(subject.ship, environment=os.environ)
    rows = checkup(
        subject,
        since=timedelta(seconds=since),
        now=clock.now(),
        environment=os.environ,
        executor=LocalExecutor(os.environ, Masker()),
        asked=asked,
    )
    rows = rows or [nothing_to_look_at()]
    with reader_may_leave():
        _show(rows, output_format)
    return ExitCode.OK if all_green(rows) else ExitCode.FAILED


def _ship(given: Path | None) -> sending.ShipConfig | None:
    path = sending.find_config(given, os.environ)
    if given is None and sending.VARIABLE not in os.environ and not path.exists():
        return None
    return sending.load_config(path)


def _receive(given: Path | None) -> receiving.ReceiveConfig | None:
    path = receiving.find_config(given, os.environ)
    if given is None and receiving.CONFIG_VARIABLE not in os.environ and not path.exists():
        return None
    return receiving.read_config(path)


def _targets() -> Any:
    """Return the targets file of this folder, or ``None``: a doctor also looks at machines without one."""
    try:
        found = find_targets_file(None, os.environ, Path.cwd())
        return None if found is None else load_targets_file(found)
    except DcePlayError:
        return None


def _show(rows: list[Row], output_format: str) -> None:
    if output_format == "json":
        facts = [
            {"level": row.level, "code": row.code, "what": row.what, "count": row.count, "fix": row.fix} for row in rows
        ]
        click.echo(msgspec.json.encode({"ok": all_green(rows), "rows": facts}).decode())
    people = output_format == "json"
    for row in rows:
        mark = click.style(_MARKS[row.level], fg=_COLOURS[row.level])
        click.echo(f"{mark} {row.code:16} {row.what}", err=people)
        for line in row.fix if row.level is not Level.GREEN else ():
            click.echo(f"{'':19}{line}", err=people)
