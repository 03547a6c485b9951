"""Sealed records: one JSON object on a line and its sha256 on the next, so that a torn or altered one is known.

{"version": 1, "channel_id": "42", …}
9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dce_play.errors import DcePlayError


class SealBroken(DcePlayError):
    """The bytes are not what was sealed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def seal(facts: Mapping[str, Any], *, version: int) -> bytes:
    """Return the record's bytes. The version of its format goes in front of its facts."""
    line = json.dumps({"version": version} | dict(facts)).encode("ascii")
    return line + b"\n" + hashlib.sha256(line).hexdigest().encode("ascii") + b"\n"


def unseal(data: bytes, *, version: int) -> dict[str, Any]:
    """Return the facts of a sealed record, without its version.

    Raises: SealBroken.
    """
    line, _, digest = data.partition(b"\n")
    if digest.strip() != hashlib.sha256(line).hexdigest().encode("ascii"):
        raise SealBroken("its checksum does not fit")
    facts: dict[str, Any] = json.loads(line)
    found = facts.pop("version", None)
    if found != version:
        raise SealBroken(f"format {found} is not known to this version of dce-play")
    return facts
