"""``dce-play ship run`` and ``ship once``: packing and sending episodes."""

import os
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from dce_play.cli.app.verb import format_option, silent_format_option
from dce_play.cli.ship.options import CONFIG, config_from, show
from dce_play.errors import ExitCode, UsageError
from dce_play.services.shipper import open_shipper
from dce_play.transfer.sending.bandwidth import parse_limit
from dce_play.transfer.sending.connection.verdict import Outcome
from dce_play.transfer.sending.settings import ShipConfig
from dce_play.transfer.sending.ship_pass import PassResult


@click.command()
@CONFIG
@silent_format_option
def run(config: Path | None) -> int:
    """Ship until SIGTERM or SIGINT, a pass every scan_interval_s. Made for systemd (Type=notify).

    \b
    Example:
      dce-play ship run --config /etc/dce-play/ship.toml

    Exit 0: told to stop. Exit 3: ship.toml is not valid. Exit 4: folders, certificates or token cannot be used.
    Exit 75: another shipper runs.
    """
    with open_shipper(config_from(config), environment=os.environ) as shipper:
        shipper.run()
    return ExitCode.OK


@click.command()
@CONFIG
@format_option
@click.option("--bandwidth-limit", help='Bytes a second, such as 512KiB, or a timetable "08:00,512KiB 19:00,off".')
def once(config: Path | None, output_format: str, bandwidth_limit: str | None) -> int:
    """Make one pass: send every episode that is ready, also those that wait for their next try.

    Exit 0: nothing is left behind but what is not ready. Exit 1: something was quarantined, is held, or is to be
    tried again. Exit 7: the receiver does not accept our token.

    Example: dce-play ship once --config ship.toml --format json | jq .counts
    """
    began = time.monotonic()
    settings = _limited(config_from(config), bandwidth_limit)
    with open_shipper(settings, environment=os.environ) as shipper:
        done = shipper.once()
    code = _exit_code(done)
    show(_record(done, code, time.monotonic() - began), output_format, _lines(done, settings.option))
    return code


def _limited(settings: ShipConfig, text: str | None) -> ShipConfig:
    if text is None:
        return settings
    try:
        return msgspec.structs.replace(settings, bandwidth_limit=parse_limit(text))
    except ValueError as error:
        raise UsageError(f"--bandwidth-limit: {error}") from error


def _exit_code(done: PassResult) -> ExitCode:
    if done.paused == "auth":
        return ExitCode.AUTHENTICATION
    left = {Outcome.QUARANTINED, Outcome.RETRY, Outcome.HELD}
    behind = done.paused is not None or any(result.verdict.outcome in left for result in done.results)
    return ExitCode.FAILED if behind else ExitCode.OK


def _record(done: PassResult, code: ExitCode, duration_s: float) -> dict[str, Any]:
    counts = {str(outcome): done.count(outcome) for outcome in Outcome}
    return {
        "ok": code is ExitCode.OK,
        "counts": {**counts, "waiting": done.waiting},
        "episodes": [
            {
                "id": result.id,
                "outcome": result.verdict.outcome,
                "http": result.verdict.http,
                "code": result.verdict.code,
                "detail": result.verdict.detail,
            }
            for result in done.results
        ],
        "paused": done.paused,
        "duration_s": round(duration_s, 3),
    }


def _lines(done: PassResult, option: str) -> list[str]:
    counts = [(str(outcome), done.count(outcome)) for outcome in Outcome] + [("waiting", done.waiting)]
    told = ", ".join(f"{count} {word}" for word, count in counts if count)
    lines = [told or "nothing to send"]
    if done.paused:
        lines.append(f"stopped: {done.paused}; next: dce-play ship ping {option}")
    elif done.count(Outcome.QUARANTINED):
        lines.append(f"next: dce-play quarantine list {option}")
    if done.bad_names:
        lines.append(f"left alone, no episode's name: {', '.join(done.bad_names[:5])}")
    return lines
