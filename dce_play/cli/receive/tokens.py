"""``dce-play receive token``: make, list and revoke."""

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dce_play.cli.receive.telling import settings_of, show
from dce_play.errors import ExitCode
from dce_play.transfer.receiving.backends import open_tokens
from dce_play.transfer.receiving.tokens import TokenRecord, Tokens, new_token


def added(host: str, config: Path | None, output_format: str, *, role: str, expires: str | None) -> int:
    """Make a token, keep its hash, and tell it."""
    tokens = _tokens(config)
    record, token = new_token(host, role=role, expires=expires, now=datetime.now(UTC))
    tokens.add(record)
    told = {"token_id": record.token_id, "host_id": record.host_id, "role": record.role, "token": token}
    show(told, lambda: f"{token}\n# token {record.token_id} of {host}; it cannot be told again", output_format)
    return ExitCode.OK


def listed(config: Path | None, output_format: str) -> int:
    """Tell all tokens without what would let anybody in."""
    settings = settings_of(config)
    records = open_tokens(settings, os.environ).all()
    show({"tokens": [_public(record) for record in records]}, lambda: _table(records, settings.option), output_format)
    return ExitCode.OK


def revoked(token_id: str, config: Path | None, output_format: str) -> int:
    """Forget a token."""
    _tokens(config).revoke(token_id)
    show({"revoked": token_id}, lambda: f"revoked {token_id}", output_format)
    return ExitCode.OK


def _tokens(config: Path | None) -> Tokens:
    return open_tokens(settings_of(config), os.environ)


def _public(record: TokenRecord) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(record)
    del facts["sha256"]
    return facts


def _table(records: tuple[TokenRecord, ...], option: str) -> str:
    if not records:
        return f"no tokens; make one: dce-play receive token add HOST {option}"
    now = datetime.now(UTC)
    return "\n".join(
        f"{record.token_id}  {record.role:<7}  {record.host_id}  since {record.created_at}"
        + (f"  until {record.expires_at}" if record.expires_at else "")
        + ("  EXPIRED" if record.expired(now) else "")
        for record in records
    )
