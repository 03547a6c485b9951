"""``dce-play ship ping`` and ``ship status``: looking, without writing anything."""

import os
from pathlib import Path

import click

from dce_play.cli.app.verb import format_option
from dce_play.cli.ship.options import CONFIG, config_from, show
from dce_play.errors import ExitCode
from dce_play.system.clock import SystemClock
from dce_play.system.quantities import show_duration

_REFUSED = frozenset({"auth", "tls_client_refused"})


@click.command("ping")
@CONFIG
@format_option
def ping_verb(config: Path | None, output_format: str) -> int:
    """Prove network, TLS, token and version gate to the receiver. Writes nothing, here or there.

    \b
    Example:
      dce-play ship ping --format json

    Exit 0: all is well. Exit 1: not. Exit 7: our token or certificate is not accepted.
    """
    from dce_play.system.redact import Masker  # what follows asks the network: 60 ms that status does not need
    from dce_play.transfer.sending.connection.client import Client
    from dce_play.transfer.sending.connection.ping import ping
    from dce_play.transfer.sending.episodes.spool import Spool
    from dce_play.transfer.sending.ship_pass import newest_commit

    settings = config_from(config)
    client = Client(settings, environment=os.environ, masker=(masker := Masker()))
    try:
        result = ping(client, settings, newest_commit(Spool(settings)), clock=SystemClock())
    finally:
        client.close()
    problem = result.problem
    if problem is None:
        receiver = result.receiver or {}
        lines = [f"ok: {receiver.get('receiver', settings.url)} answered in {result.rtt_ms:g} ms"]
    else:
        lines = [
            masker.mask(f"{problem.code}: {problem.what}"),
            *(masker.mask(f"  fix: {line}") for line in problem.fix),
        ]
    show(result, output_format, lines)
    if problem is None:
        return ExitCode.OK
    return ExitCode.AUTHENTICATION if problem.code in _REFUSED else ExitCode.FAILED


@click.command()
@CONFIG
@format_option
def status(config: Path | None, output_format: str) -> int:
    """Count where every episode is, from the folders themselves. Writes nothing.

    \b
    Example:
      dce-play ship status --format json

    Exit 0: told.
    """
    from dce_play.system.lock.file_lock import is_locked
    from dce_play.transfer.sending.episodes.spool import Spool
    from dce_play.transfer.sending.status import STATES, ship_status

    settings = config_from(config)
    spool = Spool(settings)
    seen = ship_status(settings, spool, running=is_locked(spool.private / "lock"), clock=SystemClock())
    lines = [f"{seen.host_id}: the shipper {'runs' if seen.running else 'does not run'}; data in {seen.data_dir}"]
    lines += [f"  {state:<12}{seen.counts[state]:>8}  {seen.bytes[state]:>15,} bytes" for state in STATES]
    if seen.oldest_s is not None:
        lines.append(f"  the oldest has waited {show_duration(seen.oldest_s)}")
    if seen.paused:
        lines.append(f"  sends nothing now: {seen.paused}; next: dce-play ship ping {settings.option}")
    if seen.bad_names:
        lines.append(f"  left alone, no episode's name: {', '.join(seen.bad_names[:5])}")
    show(seen, output_format, lines)
    return ExitCode.OK
