"""What must hold for any bytes at all, for a fuzzer to try to break.

``check(data)`` scans the bytes with every engine and at several chunk sizes, audits and salvages them. It raises
``AssertionError`` where a promise is broken; any other exception is a crash, which is a broken promise too.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dce_play.discord.archive.audit.audit import audit_file
from dce_play.discord.archive.salvage.repair import NothingToRecover, find_boundary
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.engine import ENGINES
from dce_play.discord.archive.scan.scanner import Scanner
from dce_play.layout import TargetLayout

CHUNKS = (48, 400, 1 << 18)
MAX_BRACKETS = 900
"""Readers differ in how deep they follow: 1,000 or 1,024 levels."""
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def check(data: bytes) -> None:
    """Raise where a promise does not hold for these bytes."""
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, data)
        path = Path(f"/proc/self/fd/{descriptor}")
        source = ChannelBytes(path, descriptor, len(data))
        verdicts = [_scan(source, engine, chunk_bytes) for engine in ENGINES for chunk_bytes in CHUNKS]
        _check_verdicts(data, verdicts)
        audit = audit_file(path, now=NOW, layout=TargetLayout(Path("/nonexistent")))
        assert not audit.ok or verdicts[0] is not None, "audited as sound, refused by the scanner"
        _check_boundary(data, path, verdicts[0])
    finally:
        os.close(descriptor)


def _scan(source: ChannelBytes, engine: Any, chunk_bytes: int) -> list[str] | None:
    """Return the ids, or ``None`` for a file that is refused."""
    ids: list[str] = []
    try:
        for block in Scanner(source, engine=engine(), chunk_bytes=chunk_bytes).blocks():
            assert len(block.places()) == len(block.ids), "places and ids differ"
            ids += block.ids
    except DamagedFile as error:
        if not 0 <= error.offset <= source.size_bytes:
            raise AssertionError("damage outside the file") from error
        return None
    return ids


def _check_verdicts(data: bytes, verdicts: list[list[str] | None]) -> None:
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        return
    assert all((verdict is None) == (verdicts[0] is None) for verdict in verdicts), "engines or chunk sizes disagree"
    if verdicts[0] is None:
        return
    value = json.loads(data.decode("utf-8-sig"), parse_int=str, parse_float=str)
    if not _repeats_a_key(data):
        for verdict in verdicts:
            assert verdict == [entry["id"] for entry in value["messages"]], "other ids than Python's own reader"


def _repeats_a_key(data: bytes) -> bool:
    """Return whether an object has a key twice: which of them counts is not agreed on, inside a message."""
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found = found or len(dict(pairs)) < len(pairs)
        return dict(pairs)

    json.loads(data.decode("utf-8-sig"), object_pairs_hook=look, parse_int=str, parse_float=str)
    return found


def _check_boundary(data: bytes, path: Path, ids: list[str] | None) -> None:
    try:
        boundary = find_boundary(path)
    except NothingToRecover:
        return
    start, cut = boundary.head.start, boundary.cut
    assert start <= cut <= len(data)
    whole = boundary.envelope.header + data[start:cut] + boundary.envelope.trailer
    value = json.loads(whole.decode("utf-8-sig"), parse_float=str, parse_int=str)
    assert len(value["messages"]) == boundary.message_count
    assert ids is None or boundary.message_count == len(ids), "salvage loses messages of a sound file"
    assert not boundary.complete or ids is not None, "complete, but refused by the scanner"
