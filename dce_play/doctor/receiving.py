"""Rows about a receiver's own machine: its store, its certificate, its tokens, whether it runs."""

import shlex
from datetime import datetime, timedelta
from pathlib import Path

from dce_play.doctor.machine import certificate_row, folders_row, room_row
from dce_play.doctor.rows import Row, green, red, yellow
from dce_play.system.counted import counted
from dce_play.system.lock.file_lock import is_locked
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.tokens import FileTokens, TokenRecord, UnreadableTokens

_SOON = timedelta(days=30)


def receiving_rows(config: ReceiveConfig, *, now: datetime) -> list[Row]:
    """Return what can be seen of a receiver without asking it."""
    rows = []
    if config.store.kind == "file":
        rows.append(room_row(config.store_dir, min_free=config.limits.min_free))
        rows.append(folders_row((config.store_dir,), user="dce-play"))
    if config.tls is not None:
        rows.append(certificate_row("cert.server", config.tls.cert, now=now, key=config.tls.key))
        rows.append(certificate_row("cert.ca", config.tls.client_ca, now=now))
    rows.append(_lock_row(config))
    if config.store.kind == "file":
        rows.append(_tokens_row(config, now))
    return rows


def _lock_row(config: ReceiveConfig) -> Row:
    if is_locked(config.store_dir / "lock"):
        return green("lock", f"a receiver runs on {config.store_dir}")
    return yellow("lock", "no receiver runs here", "sudo systemctl start dce-play-receiver.service", count=1)


def _tokens_row(config: ReceiveConfig, now: datetime) -> Row:
    path: Path = config.store_dir / "tokens.json"
    try:
        tokens = FileTokens(path).all()
    except UnreadableTokens as error:
        return red("token", str(error), f"ls -l {shlex.quote(str(path))}", count=1)
    if not tokens:
        return yellow("token", "no host has a token yet", f"dce-play receive token add HOST {config.option}", count=1)
    over = [token for token in tokens if token.expired(now)]
    soon = [token for token in tokens if not token.expired(now) and token.expired(now + _SOON)]
    if over or soon:
        what = f"{counted(len(over), 'token')} expired, {len(soon)} will within 30 days: {_hosts([*over, *soon])}"
        fix = f"dce-play receive token list {config.option}"
        return (red if over else yellow)("token", what, fix, count=len(over) + len(soon))
    return green("token", f"{counted(len(tokens), 'token')}, none about to expire")


def _hosts(tokens: list[TokenRecord]) -> str:
    return ", ".join(sorted({token.host_id for token in tokens}))
