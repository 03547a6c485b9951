"""``quarantine_reason.json``: why an episode was refused, kept beside its own files."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from dce_play.transfer.sending.episodes.episode import REASON

_LARGEST_PROBLEM = 64 << 10


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """The file's fields, in its order."""

    v: int = 1
    id: str
    reason: str
    """The problem's code, or one of ours: ``conflict``, ``http_NNN``, ``integrity``, ``unstamped``, …"""
    http: int | None = None
    detail: str = ""
    problem: dict[str, Any] | None = None
    fix: list[str] = []
    commit: str | None = None
    host_id: str | None = None
    attempts: int = 0
    manifest_digest: str | None = None
    theirs: str | None = None
    """The receiver's digest, on 409."""
    quarantined_at: str = ""


def encode_reason(reason: Reason) -> bytes:
    """Return the file's bytes. A problem that is very large is left out."""
    if reason.problem is not None and len(msgspec.json.encode(reason.problem)) > _LARGEST_PROBLEM:
        reason = msgspec.structs.replace(reason, problem=None)
    return msgspec.json.format(msgspec.json.encode(reason), indent=1) + b"\n"


def read_reason(folder: Path) -> Reason | None:
    """Return the reason in a quarantined folder, or ``None`` when there is none that can be read."""
    try:
        return msgspec.json.decode((folder / REASON).read_bytes(), type=Reason)
    except (OSError, msgspec.DecodeError):
        return None


def quarantined_at(reason: Reason | None) -> datetime | None:
    """Return the moment, aware, or ``None`` when it cannot be read."""
    if reason is None:
        return None
    try:
        moment = datetime.fromisoformat(reason.quarantined_at)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
