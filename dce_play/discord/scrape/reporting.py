"""A listener that tells lines, progress and items through plain callables."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from dce_play.discord.exporters.protocol import ExportProgress
from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome
from dce_play.snowflake import ChannelId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Where lines, progress and items go."""

    say: Callable[[str], None]
    progress: Callable[[float, float | None, str], None]
    item: Callable[[str, str, str], None]


class ReportingListener:
    """Tells a scrape's progress, one caller at a time."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = Lock()
        self._counts: dict[ChannelId, int] = {}

    def began(self, channel_id: ChannelId, line: str, /) -> None:
        with self._lock:
            self._reporter.item(channel_id, "started", "")
            self._reporter.say(line)

    def progressed(self, channel_id: ChannelId, progress: ExportProgress, /) -> None:
        with self._lock:
            self._counts[channel_id] = progress.message_count
            self._reporter.progress(sum(self._counts.values()), None, "messages")

    def ended(self, outcome: ChannelOutcome, /) -> None:
        with self._lock:
            skipped = outcome.action in {ChannelAction.SKIPPED, ChannelAction.SKIPPED_OOM}
            status = "skipped" if skipped else outcome.action.value.lower()
            self._reporter.item(outcome.channel_id, status, outcome.reason or f"+{outcome.delta} messages")

    def noted(self, line: str, /) -> None:
        with self._lock:
            self._reporter.say(line)
