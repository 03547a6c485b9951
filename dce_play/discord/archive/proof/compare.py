"""One channel file against what it was: did it only grow?"""

import time
from bisect import bisect_left
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.proof.fingerprint import (
    Fingerprint,
    MessageIndex,
    OnBytes,
    cut_of,
    extend_fingerprint,
    first_changed_block,
    ids_digest,
    tail_digest,
    take_fingerprint,
)
from dce_play.discord.archive.proof.fingerprint_store import FingerprintStore, wait_until_settled
from dce_play.discord.archive.proof.snapshot import FileSnapshot
from dce_play.discord.archive.records.reader_safe import open_consistent
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.spans import Spans, read_head, read_spans
from dce_play.discord.archive.scan.tail import NotCanonical, read_tail
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.counted import counted
from dce_play.system.durable.disk import FileFacts, facts_from


class FileState(StrEnum):
    """What became of a channel file."""

    UNCHANGED = "unchanged"
    GREW = "grew"
    """New messages after the old cut, and not one byte before it changed."""
    REWRITTEN = "rewritten"
    """A new file, in which every old message is byte for byte what it was, or an edit that was asked for."""
    NEW = "new"
    DISAPPEARED = "disappeared"
    SHRANK = "shrank"
    INVALID = "invalid"
    WRONG_CHANNEL = "channel-changed"
    IDS_LOST = "ids-lost"
    CONTENT_CHANGED = "content-changed"
    BYTES_CHANGED = "bytes-changed"
    """Bytes before the old cut changed, and nothing is left to compare the messages with."""
    DUPLICATE_IDS = "duplicate-ids"
    UNEXPECTED = "unexpected"


_GOOD = frozenset({FileState.UNCHANGED, FileState.GREW, FileState.REWRITTEN, FileState.NEW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of one channel file."""

    path: Path
    channel_id: ChannelId
    state: FileState
    before_count: int = 0
    after_count: int = 0
    appended: int = 0
    """Messages that were not there before."""
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.state in _GOOD

    def line(self) -> str:
        """Return the marker that scripts look for."""
        marker = _MARKERS[self.state].format(
            path=shown(self.path), before=self.before_count, after=self.after_count, appended=self.appended
        )
        return f"{marker}: {self.detail}" if self.detail else marker


_LONGEST_SEPARATOR_BYTES = 64
_MARKERS = {
    FileState.UNCHANGED: "OK: unchanged {path} ({after} messages)",
    FileState.GREW: "OK: appended {appended} messages in {path}",
    FileState.REWRITTEN: "OK: appended {appended} messages in {path} (rewritten)",
    FileState.NEW: "NEW: {path} ({after} messages)",
    FileState.DISAPPEARED: "FAIL: archive disappeared: {path}",
    FileState.SHRANK: "FAIL: message count shrank for {path} ({before} -> {after})",
    FileState.INVALID: "FAIL: archive is invalid now: {path}",
    FileState.WRONG_CHANNEL: "FAIL: channel id changed in {path}",
    FileState.IDS_LOST: "FAIL: message ids lost from {path}",
    FileState.CONTENT_CHANGED: "FAIL: content of old messages changed in {path}",
    FileState.BYTES_CHANGED: "FAIL: bytes before the old end changed in {path}",
    FileState.DUPLICATE_IDS: "FAIL: duplicate message ids in {path}",
    FileState.UNEXPECTED: "FAIL: unexpected new archive path (not pre-existing): {path}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """The old file, and how it is to be compared."""

    path: Path
    file: FileSnapshot
    accept_edits: bool
    store: FingerprintStore | None
    read_at_ns: int

    def found(self, state: FileState, *, after: int = 0, appended: int = 0, detail: str = "") -> Comparison:
        return Comparison(
            path=self.path,
            channel_id=self.file.channel_id,
            state=state,
            before_count=self.file.message_count,
            after_count=after,
            appended=appended,
            detail=detail,
        )


def compare_file(
    path: Path,
    file: FileSnapshot,
    *,
    layout: TargetLayout,
    accept_edits: bool = False,
    deep: bool = False,
    store: FingerprintStore | None = None,
    on_bytes: OnBytes = lambda _: None,
) -> Comparison:
    """Return what became of a file since its snapshot. Reads it when it changed, or when ``deep`` asks for it."""
    exists = path.is_file()
    if exists and store is not None:
        wait_until_settled(facts_from(path.stat()))
    before = _Before(path=path, file=file, accept_edits=accept_edits, store=store, read_at_ns=time.time_ns())
    if not exists:
        return before.found(FileState.DISAPPEARED)
    try:
        with open_consistent(path, layout=layout) as channel:
            facts = facts_from(path.stat())
            old = file.fingerprint
            if old is None:
                return _compare_counts(before, channel, facts)
            if not deep and old.is_of(facts) and tail_digest(channel, old.cut) == old.tail_sha256:
                return before.found(FileState.UNCHANGED, after=old.message_count)
            if read_head(channel).channel_id != old.channel_id:
                found = read_head(channel).channel_id
                return before.found(FileState.WRONG_CHANNEL, detail=f"{old.channel_id} -> {found}")
            if channel.size_bytes >= old.cut and first_changed_block(channel, old, on_bytes=on_bytes) is None:
                return _compare_grown(before, old, channel, facts)
            return _compare_rewritten(before, old, channel, facts)
    except (DcePlayError, OSError) as error:
        return before.found(FileState.INVALID, detail=str(error))


def _compare_counts(before: _Before, channel: ChannelBytes, facts: FileFacts) -> Comparison:
    """Compare with a snapshot that only counts."""
    now, _ = take_fingerprint(channel, facts)
    count, old_count = now.message_count, before.file.message_count
    if now.channel_id != before.file.channel_id:
        return before.found(FileState.WRONG_CHANNEL, detail=f"{before.file.channel_id} -> {now.channel_id}")
    if count < old_count:
        return before.found(FileState.SHRANK, after=count)
    if now.duplicates:
        return before.found(FileState.DUPLICATE_IDS, after=count, detail=f"{now.duplicates} of {count}")
    state = FileState.GREW if count > old_count else FileState.UNCHANGED
    return before.found(state, after=count, appended=count - old_count)


def _compare_grown(before: _Before, old: Fingerprint, channel: ChannelBytes, facts: FileFacts) -> Comparison:
    """Compare a file whose bytes before the old cut are what they were."""
    cut = cut_of(channel)
    spans = _new_spans(channel, old, cut)
    after = old.message_count + len(spans)
    newest = -1 if old.last_id is None else int(old.last_id)
    if spans.ids and (spans.ids[0] <= newest or not spans.ordered()):
        detail = "the new messages do not go on after the old ones"
        return before.found(FileState.DUPLICATE_IDS, after=after, detail=detail)
    stated = _stated_count(channel)
    if stated not in {None, after}:
        return before.found(FileState.INVALID, after=after, detail=f"messageCount says {stated}, there are {after}")
    _keep_grown(before, old, channel=channel, facts=facts, spans=spans, cut=cut)
    state = FileState.GREW if spans.ids else FileState.UNCHANGED
    return before.found(state, after=after, appended=len(spans))


def _keep_grown(
    before: _Before, old: Fingerprint, *, channel: ChannelBytes, facts: FileFacts, spans: Spans, cut: int
) -> None:
    """Carry the kept fingerprint on, so that the next snapshot need not read the file."""
    index = before.store.index(old) if before.store else None
    if before.store is not None and index is not None:
        fingerprint, grown = extend_fingerprint(old, index, channel=channel, facts=facts, spans=spans, cut=cut)
        before.store.put(fingerprint, grown, read_at_ns=before.read_at_ns)


def _compare_rewritten(before: _Before, old: Fingerprint, channel: ChannelBytes, facts: FileFacts) -> Comparison:
    """Compare message by message."""
    now, new_index = take_fingerprint(channel, facts)
    count = now.message_count
    if now.duplicates:
        return before.found(FileState.DUPLICATE_IDS, after=count, detail=f"{now.duplicates} of {count}")
    old_index = before.store.index(old) if before.store else None
    if old_index is None:
        return _compare_digests(before, old, now, new_index)
    lost, changed, added = _difference(old_index, new_index)
    if before.store is not None:
        before.store.put(now, new_index, read_at_ns=before.read_at_ns)
    if lost:
        state = FileState.SHRANK if count < old.message_count else FileState.IDS_LOST
        return before.found(state, after=count, detail=f"{len(lost)} lost, such as {lost[0]}")
    if changed and not before.accept_edits:
        detail = f"{counted(len(changed), 'message')}, such as {changed[0]}"
        return before.found(FileState.CONTENT_CHANGED, after=count, detail=detail)
    edits = f", {counted(len(changed), 'edit')} taken" if changed else ""
    return before.found(FileState.REWRITTEN, after=count, appended=added, detail=f"every old message is there{edits}")


def _compare_digests(before: _Before, old: Fingerprint, now: Fingerprint, index: MessageIndex) -> Comparison:
    """Say as much as can be said of a rewritten file without the old messages' checksums."""
    newest = -1 if old.last_id is None else int(old.last_id)
    kept = index.ids[: sum(identifier <= newest for identifier in index.ids)]
    if now.message_count < old.message_count:
        return before.found(FileState.SHRANK, after=now.message_count)
    detail = "every old id is there" if ids_digest(kept) == old.ids_sha256 else "and ids among the old ones"
    return before.found(FileState.BYTES_CHANGED, after=now.message_count, detail=detail)


def _difference(old: MessageIndex, new: MessageIndex) -> tuple[list[int], list[int], int]:
    """Return the ids that are gone, those whose bytes changed, and how many came in. The new ids are all different."""
    lost, changed = [], []
    old_count = at = 0
    for identifier, pairs in groupby(old.pairs(), key=itemgetter(0)):
        old_count += 1
        at = bisect_left(new.ids, identifier, at)
        if at == len(new.ids) or new.ids[at] != identifier:
            lost.append(identifier)
        elif new.checksums[at] not in {checksum for _, checksum in pairs}:
            changed.append(identifier)
    return lost, changed, len(new.ids) - (old_count - len(lost))


def _new_spans(channel: ChannelBytes, old: Fingerprint, cut: int) -> Spans:
    """Return the messages after the old cut."""
    if cut == old.cut:
        return Spans()
    start = old.cut
    if old.message_count:
        start += channel.read_at(_LONGEST_SEPARATOR_BYTES + 1, old.cut).find(b",") + 1
        if start == old.cut:
            raise DamagedFile(channel.path, offset=old.cut, reason="no comma follows the old messages")
    return read_spans(channel, start, cut)


def _stated_count(channel: ChannelBytes) -> int | None:
    try:
        return read_tail(channel).stated_count
    except NotCanonical:
        return None
