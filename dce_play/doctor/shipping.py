"""Rows about a lab host that ships: its folders, its room, its certificates, what lies in quarantine."""

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dce_play.doctor.machine import certificate_row, folders_row, room_row, secret_file_row
from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.system.counted import counted
from dce_play.system.lock.file_lock import is_locked
from dce_play.system.secret_reference import NoSecret, read_reference
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import ShipConfig

_MOST_NAMES = 3


def shipping_rows(config: ShipConfig, *, unit: str, environment: Mapping[str, str], now: datetime) -> list[Row]:
    """Return what can be seen without asking the receiver."""
    spool = Spool(config)
    rows = [
        room_row(config.data_dir, min_free=config.min_free),
        folders_row(spool.folders, user=_owner(config.data_dir)),
    ]
    if spool.episodes.is_dir():
        rows.append(_bad_names_row(spool))
    if spool.quarantine.is_dir():
        rows.append(_quarantine_row(spool))
    if config.cert is not None:
        rows.append(certificate_row("cert.client", config.cert, now=now, key=config.key))
    if config.ca is not None:
        rows.append(certificate_row("cert.ca", config.ca, now=now))
    rows.append(_lock_row(config, unit=unit, waiting=waiting_count(config)))
    rows.append(_token_row(config, environment))
    return rows


def waiting_count(config: ShipConfig) -> int:
    """Return how many episodes have a ``meta.json`` and wait here."""
    spool = Spool(config)
    try:
        found, _ = spool.list_episodes()
    except OSError:
        return 0
    return sum(1 for each in found if (spool.episode(each) / "meta.json").is_file())


def _bad_names_row(spool: Spool) -> Row:
    _, bad = spool.list_episodes()
    if not bad:
        return green("bad_names", "every name in episodes/ is an episode's")
    shown = ", ".join(bad[:_MOST_NAMES]) + (", …" if len(bad) > _MOST_NAMES else "")
    what = f"{counted(len(bad), 'name')} in {spool.episodes} that can be no episode, and will never be sent: {shown}"
    return yellow("bad_names", what, f"ls -lb {shlex.quote(str(spool.episodes))}", count=len(bad))


def _quarantine_row(spool: Spool) -> Row:
    with os.scandir(spool.quarantine) as entries:
        count = sum(1 for entry in entries if not entry.name.startswith("."))
    if not count:
        return green("quarantine", "nothing is in quarantine")
    return yellow(
        "quarantine",
        f"{counted(count, 'episode')} in quarantine",
        f"dce-play quarantine list {spool.option}",
        count=count,
    )


def _lock_row(config: ShipConfig, *, unit: str, waiting: int) -> Row:
    if is_locked(config.private_dir / "lock"):
        return green("lock", f"a shipper runs on {config.data_dir}")
    if waiting:
        what = f"no shipper runs, and {counted(waiting, 'episode')} wait"
        return yellow("lock", what, f"sudo systemctl start {unit}", count=waiting)
    return green("lock", "no shipper runs, and no episode waits")


def _token_row(config: ShipConfig, environment: Mapping[str, str]) -> Row:
    kind, _, name = config.token.partition(":")
    if kind == "file":
        return secret_file_row(config.path.parent / name)
    try:
        read_reference(config.token, environment=environment, folder=config.path.parent)
    except NoSecret as error:
        return red("token", f"the token cannot be read: {error}", _token_fix(kind, name), count=1)
    return green("token", "the token can be read")


def _token_fix(kind: str, name: str) -> str:
    if kind == "env":
        return f"export {name}=$(cat TOKEN_FILE)"
    return f"keyring set dce-play {shlex.quote(name)}"


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except (OSError, KeyError):
        return "dce-play"


def default_remediation(root: str = "/opt/dce-play", user: str = "dce-play") -> Sequence[str]:
    """Return what cures a host whose code is too old, when the receiver told nothing."""
    return (
        f"cd {root} && sudo -u {user} git pull origin main",
        f"sudo {root}/venv/bin/dce-play service install shipper --source {root}",
        "sudo systemctl restart dce-play-orchestrator",
    )
