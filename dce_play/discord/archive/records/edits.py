"""Messages that a later export shows otherwise than the stored copy: the edits sidecar of a channel.

Each line of ``.dce-meta/edits/<channel id>.jsonl`` is one newer copy, in its own spelling, with the run that saw it.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from dce_play.discord.archive.records.records import read_appends
from dce_play.discord.archive.scan.dates import NEVER, moment_of
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import Disk
from dce_play.system.durable.json_lines import add_lines, read_lines

_LAYOUT = re.compile(rb"\r?\n[ \t]*")


class EditPolicy(StrEnum):
    """What becomes of a newer copy of a stored message."""

    IGNORE = "ignore"
    SIDECAR = "sidecar"
    """It goes into the edits sidecar; the stored copy stays."""
    REWRITE = "rewrite"
    """It takes the stored copy's place, at the price of rewriting the file; the older copy goes into the sidecar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One copy of a message that is not the one in the channel file."""

    message_id: MessageId
    message: bytes
    exported_at: str | None


def same_message(stored: bytes, other: bytes) -> bool:
    """Return whether two copies mean the same, however they are spelled and laid out."""
    return stored == other or _value(stored) == _value(other)


def _value(message: bytes) -> object:
    return json.loads(message, parse_int=str, parse_float=str)  # a number of thousands of digits is no number to Python


def add_edits(
    layout: TargetLayout, channel_id: ChannelId, edits: Sequence[Edit], *, run_id: str, time: str, disk: Disk
) -> None:
    """Make the edits durable. One that this run has written, or that is the newest of its message, is not repeated."""
    if not edits:
        return
    path = layout.edits(channel_id)
    newest: dict[str, str] = {}
    written = set()
    for line in read_lines(path):
        newest[line["id"]] = line["digest"]
        written.add((line["run_id"], line["id"], line["digest"]))
    lines = []
    for edit in edits:
        message = _LAYOUT.sub(b"", edit.message)
        digest = _digest_of_meaning(message)
        if newest.get(edit.message_id) == digest or (run_id, edit.message_id, digest) in written:
            continue
        facts = {"id": edit.message_id, "run_id": run_id, "time": time, "exported_at": edit.exported_at}
        head = json.dumps(facts | {"digest": digest}).encode("ascii")
        lines.append(head[:-1] + b', "message": ' + message + b"}")
    if lines:
        add_lines(path, lines, disk=disk)


def _digest_of_meaning(message: bytes) -> str:
    return hashlib.sha256(json.dumps(_value(message), sort_keys=True).encode("ascii")).hexdigest()


class StoredTimes:
    """When the stored copy of a message was exported, by the lines of ``appends.jsonl``, read when first asked."""

    def __init__(self, layout: TargetLayout, channel_id: ChannelId, head_exported_at: str | None) -> None:
        self._layout = layout
        self._channel_id = channel_id
        self._head = head_exported_at

    def is_older(self, exported_at: str | None, identifier: int) -> bool:
        """Return whether a copy exported then is older than the stored one; where a time is unknown, it is not."""
        stored = [moment for first, last, moment in self._ranges if first <= identifier <= last]
        if not stored and self._head is not None:
            stored = [moment_of(self._head)]
        return exported_at is not None and bool(stored) and NEVER < moment_of(exported_at) < max(stored)

    @cached_property
    def _ranges(self) -> list[tuple[int, int, datetime]]:
        return [
            (int(line.first_id), int(line.last_id), moment_of(line.exported_at))
            for line in read_appends(self._layout, self._channel_id)
            if line.first_id is not None and line.last_id is not None and line.exported_at is not None
        ]
