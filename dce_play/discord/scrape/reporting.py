"""A listener that tells lines, progress and items through plain callables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from dce_play.discord.archive.folder.naming import name_in
from dce_play.discord.exporters.protocol import ExportProgress
from dce_play.discord.scrape.mending import failure_of
from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome
from dce_play.discord.scrape.pace import Pace
from dce_play.facts import ItemFacts, Reached
from dce_play.snowflake import ChannelId, MessageId
from dce_play.system.counted import counted

_URGENT = ("WARN", "Detected Discord auth failure")


def warnings_apart(say: Callable[[str], None], note: Callable[[str], None], /) -> Callable[[str], None]:
    """Return what says lines that somebody should see, and notes all others."""
    return lambda line: say(line) if line.startswith(_URGENT) else note(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Where lines, progress and items go."""

    say: Callable[[str], None]
    note: Callable[[str], None]
    """Lines for the record."""
    progress: Callable[[float, float | None, str, Reached | None], None]
    item: Callable[[str, str, str, ItemFacts | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose channels are told."""

    target: str
    archive_root: Path
    discover: str
    """The command that lists the target's channels, archived or not."""
    folder: Path
    """The working folder, in which a command will be typed."""
    monotonic: Callable[[], float]


class ReportingListener:
    """Tells a scrape's progress, one caller at a time."""

    def __init__(self, reporter: Reporter, subject: Subject) -> None:
        self._reporter = reporter
        self._subject = subject
        self._lock = Lock()
        self._counts: dict[ChannelId, int] = {}
        self._paces: dict[ChannelId, Pace] = {}
        self._channel_count = 0

    def chose(self, channel_count: int, /) -> None:
        self._channel_count = channel_count

    def began(self, channel_id: ChannelId, line: str, name: str, after: MessageId | None, /) -> None:
        with self._lock:
            self._paces[channel_id] = Pace(
                target=self._subject.target,
                channel_id=channel_id,
                name=name,
                number=len(self._paces) + 1,
                after=after,
                began=self._subject.monotonic(),
            )
            self._reporter.item(channel_id, "started", "", None)
            self._reporter.note(line)

    def progressed(self, channel_id: ChannelId, progress: ExportProgress, /) -> None:
        with self._lock:
            self._counts[channel_id] = progress.message_count
            pace = self._paces.get(channel_id)
            reached = None
            if pace is not None:
                now = self._subject.monotonic()
                reached = pace.reached(progress, channel_count=self._channel_count, now=now)
            self._reporter.progress(sum(self._counts.values()), None, "messages", reached)

    def ended(self, outcome: ChannelOutcome, /) -> None:
        with self._lock:
            skipped = outcome.action in {ChannelAction.SKIPPED, ChannelAction.SKIPPED_OOM}
            status = "skipped" if skipped else outcome.action.value.lower()
            detail = outcome.reason or f"+{counted(outcome.delta, 'message')}"
            self._reporter.item(outcome.channel_id, status, detail, channel_facts(outcome, self._subject))

    def missed(self, channels: Mapping[ChannelId, str], line: str, /) -> None:
        with self._lock:
            self._reporter.note(line)
            for channel_id, name in channels.items():
                facts = ItemFacts(
                    kind="channel",
                    name=name or channel_id,
                    group=self._subject.target,
                    remark="not archived",
                    fix=self._subject.discover,
                )
                self._reporter.item(channel_id, "unarchived", "", facts)

    def noted(self, line: str, /) -> None:
        with self._lock:
            warnings_apart(self._reporter.say, self._reporter.note)(line)


def channel_facts(outcome: ChannelOutcome, subject: Subject, /) -> ItemFacts:
    """Return what became of one channel, in facts."""
    failure = failure_of(outcome, folder=subject.folder, archive_root=subject.archive_root)
    path = failure.path
    if path is not None and path.is_relative_to(subject.archive_root):
        path = path.relative_to(subject.archive_root)
    remark = ""
    match outcome.action:
        case ChannelAction.SKIPPED_OOM:
            remark = "out of memory"
        case ChannelAction.SKIPPED:
            remark = outcome.reason.replace("_", " ")
        case _ if outcome.behind:
            remark = "behind a hole"
    return ItemFacts(
        kind="channel",
        name=outcome.name or name_in(failure.path) or outcome.channel_id,
        group=outcome.target,
        added=max(outcome.delta, 0),
        total=outcome.after_count,
        unit="messages",
        path="" if path is None else str(path),
        remark=remark,
        why=failure.why,
        fix=failure.fix,
        keeps=failure.keeps,
        counts=outcome.counts,
    )
