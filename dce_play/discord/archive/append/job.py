"""One append as a value: what is asked for, what the files turned out to hold, what comes of it."""

from dataclasses import dataclass
from pathlib import Path

from dce_play.discord.archive.append.delta import Delta, ForeignChannel, Selection, check_identity, select
from dce_play.discord.archive.append.gaps import Classification, GapPolicy, classify
from dce_play.discord.archive.records.cursor import Cursor, cursor_of
from dce_play.discord.archive.records.edits import EditPolicy, StoredTimes
from dce_play.discord.archive.records.reader_safe import ReaderSafe
from dce_play.discord.archive.records.recover import RecoveryState
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes
from dce_play.discord.archive.scan.dates import moment_of
from dce_play.discord.archive.scan.head import Head
from dce_play.discord.archive.scan.tail import NotCanonical, Tail, read_tail
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.durable.disk import Disk


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendOptions:
    """Who appends, and what to do with what is not simply new."""

    run_id: str
    exporter: str = "unknown"
    exporter_version: str = ""
    edits: EditPolicy = EditPolicy.SIDECAR
    holes: GapPolicy = GapPolicy.MERGE
    reader_safe: ReaderSafe = ReaderSafe.AUTO
    channel_id: ChannelId | None = None
    """The channel that the file must be of; ``None`` takes the file's own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendOutcome:
    """What became of the deltas."""

    before_count: int
    after_count: int
    appended: int
    """New messages with ids beyond the file's last."""
    edited: int
    """Stored messages of which the deltas have a newer copy; handled by the policy."""
    placed: int
    """Messages that were stored already."""
    holes_filled: int
    behind: int
    """Messages that are missing and stay so, by ``GapPolicy.REPORT``."""
    first_id: MessageId | None
    """Of the new messages."""
    last_id: MessageId | None
    """The file's greatest id afterwards; ``None`` while it holds no message."""
    unchanged: bool
    """The channel file was not touched."""
    rewritten: bool = False
    recovery: RecoveryState = RecoveryState.NOTHING
    """What became of an earlier append that had not finished."""

    @property
    def every_id_placed(self) -> bool:
        """Whether each id of the deltas is durably in the channel file: only then may a staged export go."""
        return self.behind == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One append, looked through and not yet done."""

    archive: Path
    channel: ChannelBytes
    head: Head
    tail: Tail
    cursor: Cursor
    deltas: tuple[Delta, ...]
    selection: Selection
    classification: Classification
    options: AppendOptions

    @property
    def taken(self) -> frozenset[int]:
        """Ids whose newer copy takes the stored one's place."""
        if self.options.edits is not EditPolicy.REWRITE:
            return frozenset()
        return frozenset(copy.id for copy in self.classification.edited)

    @property
    def must_rewrite(self) -> bool:
        return bool(self.taken) or (bool(self.classification.missing) and self.options.holes is GapPolicy.MERGE)

    @property
    def exported_at(self) -> str | None:
        times = [delta.head.exported_at for delta in self.deltas if delta.head.exported_at is not None]
        return max(times, key=moment_of, default=None)

    def outcome(self) -> AppendOutcome:
        """Return what comes of the append when it succeeds."""
        new = self.selection.new
        appended = 0 if new is None else new.count
        filled = len(self.classification.missing) if self.must_rewrite else 0
        return AppendOutcome(
            before_count=self.cursor.message_count,
            after_count=self.cursor.message_count + appended + filled,
            appended=appended,
            edited=len(self.classification.edited),
            placed=self.classification.placed,
            holes_filled=filled,
            behind=len(self.classification.missing) - filled,
            first_id=None if new is None else new.first_id,
            last_id=self.cursor.last_id if new is None else new.last_id,
            unchanged=new is None and not self.must_rewrite,
            rewritten=self.must_rewrite,
        )


def prepare(
    channel: ChannelBytes,
    head: Head,
    deltas: tuple[Delta, ...],
    options: AppendOptions,
    *,
    layout: TargetLayout,
    disk: Disk,
) -> Job:
    """Look through the deltas and the channel file, whose head has been read.

    Raises: DamagedFile, NotCanonical, ForeignChannel.
    """
    if head.states_count:
        raise NotCanonical(channel.path, "its messageCount stands before its messages", whole=True)
    tail = read_tail(channel)
    expected = options.channel_id or head.channel_id
    if head.channel_id != expected:
        raise ForeignChannel(channel.path, found=head.channel_id, expected=expected)
    check_identity(deltas, channel_id=expected, guild_id=head.guild_id)
    cursor = cursor_of(channel, head, tail, layout=layout, disk=disk)
    selection = select(deltas, after=cursor.last_id, separator=tail.separator)
    times = StoredTimes(layout, head.channel_id, head.exported_at)
    classification = classify(
        channel, head, tail, ordered=cursor.ordered, deltas=deltas, selection=selection, times=times
    )
    return Job(
        archive=channel.path,
        channel=channel,
        head=head,
        tail=tail,
        cursor=cursor,
        deltas=deltas,
        selection=selection,
        classification=classification,
        options=options,
    )
