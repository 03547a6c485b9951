"""One export under way: its progress, its requests, and the wish to stop it."""

from collections.abc import Callable

from dce_play.discord.exporters.protocol import ExportCancelled, ExportProgress
from dce_play.system.clock import Clock

REPORT_EVERY_S = 5.0
"""The longest silence between two progress reports, while anything moves at all."""
_NAP_S = 1.0


class Watch:
    """What the parts of one export tell each other. One thread uses it."""

    def __init__(
        self,
        clock: Clock,
        *,
        channel_id: str = "",
        on_progress: Callable[[ExportProgress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._channel_id = channel_id
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._reported_at = clock.monotonic()
        self._message_count = 0
        self._last_timestamp = ""
        self.newest_id = ""
        """Of the message up to which the export goes; empty until that is known."""
        self.request_count = 0

    def beat(self) -> None:
        """Say how far the export is, when that was last said a while ago. Called at least once a second in waits.

        Raises: ExportCancelled, when the export is to stop.
        """
        if self._cancelled():
            raise ExportCancelled(f"export of channel {self._channel_id} cancelled", channel_id=self._channel_id)
        if self._clock.monotonic() - self._reported_at >= REPORT_EVERY_S:
            self.report()

    def written(self, message_count: int, last_timestamp: str) -> None:
        """Note how many messages are written, and the newest one's time."""
        self._message_count = message_count
        self._last_timestamp = last_timestamp

    def report(self) -> None:
        """Say how far the export is."""
        self._reported_at = self._clock.monotonic()
        if self._on_progress is not None:
            self._on_progress(
                ExportProgress(
                    message_count=self._message_count,
                    last_timestamp=self._last_timestamp,
                    newest_id=self.newest_id,
                )
            )

    def wait(self, seconds: float) -> None:
        """Wait, but stop at once when the export is to stop.

        Raises: ExportCancelled.
        """
        until = self._clock.monotonic() + seconds
        self.beat()
        while (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, _NAP_S))
            self.beat()
