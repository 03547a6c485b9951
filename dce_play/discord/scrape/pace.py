"""How fast one channel's export gets on, and how much of it is done, by the time of its messages."""

from dataclasses import dataclass
from datetime import datetime

from dce_play.discord.exporters.protocol import ExportProgress
from dce_play.facts import Reached
from dce_play.snowflake import ChannelId, MessageId, snowflake_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One channel's export as it began."""

    target: str
    channel_id: ChannelId
    name: str
    number: int
    """Among the channels of the target, from 1."""
    after: MessageId | None
    began: float
    """By the stopwatch."""

    def reached(self, progress: ExportProgress, /, *, channel_count: int, now: float) -> Reached:
        """Return how far it is; ``now`` is the stopwatch."""
        took = now - self.began
        return Reached(
            group=self.target,
            item=self.name or self.channel_id,
            number=self.number,
            of=channel_count,
            done=progress.message_count,
            unit="messages",
            per_s=round(progress.message_count / took, 1) if took > 0 else 0.0,
            moment=progress.last_timestamp,
            share=self._share(progress),
        )

    def _share(self, progress: ExportProgress) -> float | None:
        """Return how much of the time between the cursor, or the channel's birth, and its newest message is done."""
        if not progress.newest_id or not progress.last_timestamp:
            return None
        begin, end = snowflake_time(self.after or self.channel_id), snowflake_time(progress.newest_id)
        try:
            at = datetime.fromisoformat(progress.last_timestamp)
            share = (at - begin) / (end - begin)
        except (ValueError, TypeError, ZeroDivisionError):
            return None
        return round(min(max(share, 0.0), 1.0), 3)
