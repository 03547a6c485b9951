"""The proof that an archive only grew: every old file there, the bytes before its old cut as they were, new ids after.

A file that was written anew, to fill a hole or to take edits, is compared message by message instead, with the index
that the fingerprint store keeps.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.folder.seeds import Seed
from dce_play.discord.archive.proof.compare import Comparison, FileState, compare_file
from dce_play.discord.archive.proof.fingerprint_store import FingerprintStore
from dce_play.discord.archive.proof.ledgers import ledger_failures
from dce_play.discord.archive.proof.snapshot import (
    FileSnapshot,
    Progress,
    Snapshot,
    current_fingerprint,
    no_progress,
    target_seeds,
)
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId


class Verdict(StrEnum):
    """What a proof comes to."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """Nothing is violated, but nothing was exported either, so there is nothing that a proof could rest on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRules:
    """What a proof looks at, and what it puts up with."""

    channels: Collection[ChannelId] = ()
    """Only these channels are looked at; empty for all."""
    exported: Sequence[ChannelId] | None = None
    """The channels that the run exported; ``None`` when there was no run to speak of."""
    new_channels: Collection[ChannelId] | None = ()
    """Channels that may have got their first file; ``None`` for any."""
    accept_edits: bool = False
    """Whether old messages may have been replaced by newer copies."""
    deep: bool = False
    """Whether files that look unchanged are read too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A verdict, and what it rests on."""

    verdict: Verdict
    files: tuple[Comparison, ...]

    @property
    def grown(self) -> int:
        return sum(file.ok and file.appended > 0 for file in self.files)

    @property
    def unchanged(self) -> int:
        return sum(file.ok and file.appended == 0 for file in self.files)

    @property
    def appended(self) -> int:
        """How many messages came in, over all files."""
        return sum(file.appended for file in self.files)

    @property
    def failures(self) -> tuple[Comparison, ...]:
        return tuple(file for file in self.files if not file.ok)

    def lines(self) -> list[str]:
        """Return the markers: one a file, then the count of failures if there are any."""
        failures = len(self.failures)
        ending = [f"{failures} archive integrity check(s) failed."] if failures else []
        return [file.line() for file in self.files] + ending


def prove_append(
    snapshot: Snapshot,
    root: Path,
    *,
    folders: Sequence[Path] = (),
    rules: ProofRules | None = None,
    store: FingerprintStore | None = None,
    on_progress: Progress = no_progress,
) -> Proof:
    """Return whether the archive under the root only grew since the snapshot.

    ``folders`` are the targets' folders to look at, absolute; without them the root is the one target's folder.
    Reads the files that changed, and the others only when the rules say ``deep``.
    """
    rules = rules or ProofRules()
    wanted = {*snapshot.channels} & {*rules.channels} if snapshot.channels and rules.channels else None
    channels = wanted if wanted is not None else {*snapshot.channels, *rules.channels}
    files: list[Comparison] = []
    for folder in folders or (root,):
        old = {
            path: file
            for path, file in _absolute(snapshot, root)
            if path.is_relative_to(folder) and (not channels or file.channel_id in channels)
        }
        for path, file in old.items():
            files.append(
                compare_file(
                    path,
                    file,
                    layout=TargetLayout(folder),
                    accept_edits=rules.accept_edits,
                    deep=rules.deep,
                    store=store,
                )
            )
            on_progress(len(files), None, "files")
        skipped = {root / path for path, _ in snapshot.skipped}
        files += [
            _new_file(seed, snapshot, rules, layout=TargetLayout(folder), store=store)
            for seed in target_seeds(folder)
            if seed.path not in old and seed.path not in skipped and (not channels or seed.channel_id in channels)
        ]
        layout = TargetLayout(folder)
        ledger = next((each for each in snapshot.ledgers if root / each.path == layout.media_ledger), None)
        files += ledger_failures(layout, ledger, deep=rules.deep)
    return Proof(verdict=_verdict(files, rules), files=tuple(files))


def compare_snapshots(before: Snapshot, after: Snapshot, *, rules: ProofRules | None = None) -> Proof:
    """Return what two snapshots tell when the archive is not at hand: paths and counts, the weaker and older proof."""
    rules = rules or ProofRules()
    later = dict(_absolute(after, after.root))
    old = dict(_absolute(before, before.root))
    files = [_counts(path, file, later.get(path)) for path, file in old.items()]
    files += [
        Comparison(path=path, channel_id=file.channel_id, state=FileState.UNEXPECTED, after_count=file.message_count)
        for path, file in later.items()
        if path not in old
    ]
    return Proof(verdict=_verdict(files, rules), files=tuple(files))


def _verdict(files: Sequence[Comparison], rules: ProofRules) -> Verdict:
    if any(not file.ok for file in files):
        return Verdict.FAILED
    proved_something = bool(files) if rules.exported is None else bool(rules.exported)
    return Verdict.PASSED if proved_something else Verdict.INCONCLUSIVE


def _absolute(snapshot: Snapshot, root: Path) -> list[tuple[Path, FileSnapshot]]:
    """Return each file with the place it should have under a root, which may have moved since."""
    return [(root / file.path, file) for file in snapshot.files]


def _new_file(
    seed: Seed, snapshot: Snapshot, rules: ProofRules, *, layout: TargetLayout, store: FingerprintStore | None
) -> Comparison:
    """Judge a file that was not there before."""
    known = any(file.channel_id == seed.channel_id for file in snapshot.files)
    allowed = rules.new_channels is None or seed.channel_id in rules.new_channels
    if known or not allowed:
        detail = "the channel has another file" if known else "the channel is new, and no discovery was asked for"
        return Comparison(path=seed.path, channel_id=seed.channel_id, state=FileState.UNEXPECTED, detail=detail)
    try:
        now = current_fingerprint(seed.path, layout, store=store)
    except (DcePlayError, OSError) as error:
        return Comparison(path=seed.path, channel_id=seed.channel_id, state=FileState.INVALID, detail=str(error))
    if now.channel_id != seed.channel_id:
        state, detail = FileState.WRONG_CHANNEL, f"{seed.channel_id} in its name, {now.channel_id} in it"
    elif now.duplicates:
        state, detail = FileState.DUPLICATE_IDS, f"{now.duplicates} of {now.message_count}"
    else:
        state, detail = FileState.NEW, ""
    return Comparison(
        path=seed.path,
        channel_id=seed.channel_id,
        state=state,
        after_count=now.message_count,
        appended=now.message_count,
        detail=detail,
    )


def _counts(path: Path, before: FileSnapshot, after: FileSnapshot | None) -> Comparison:
    if after is None:
        return Comparison(
            path=path,
            channel_id=before.channel_id,
            state=FileState.DISAPPEARED,
            before_count=before.message_count,
        )
    added = after.message_count - before.message_count
    if after.channel_id != before.channel_id:
        state = FileState.WRONG_CHANNEL
    elif added < 0:
        state = FileState.SHRANK
    else:
        state = FileState.GREW if added else FileState.UNCHANGED
    return Comparison(
        path=path,
        channel_id=before.channel_id,
        state=state,
        before_count=before.message_count,
        after_count=after.message_count,
        appended=max(added, 0),
    )
