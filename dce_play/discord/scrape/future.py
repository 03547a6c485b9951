"""Ids that claim to come from the future: no cursor may rest on one.

Whatever is honest is older than this machine's clock says. A cursor beyond it would ask for nothing ever again, and
every run would find the channel unchanged.
"""

from datetime import datetime

from dce_play.discord.exporters.protocol import ExportFailed
from dce_play.snowflake import MessageId, last_honest_id, snowflake_time


class MessageOfTheFuture(ExportFailed):
    """The last message of an export or of a channel file has an id that cannot be there yet."""

    def __init__(self, channel_id: str, message_id: MessageId) -> None:
        super().__init__(
            f"message {message_id} of channel {channel_id} has an id of {_day(message_id)}, later than the clock here",
            channel_id=channel_id,
            hint="is this machine's clock right? if so, take that message out: what is older is never asked for again",
        )
        self.message_id = message_id


def check_not_future(channel_id: str, last_id: MessageId | None, now: datetime) -> None:
    """Make sure that a cursor lies at most a day beyond the clock.

    Raises: MessageOfTheFuture.
    """
    if last_id is not None and int(last_id) > last_honest_id(now):
        raise MessageOfTheFuture(channel_id, last_id)


def _day(message_id: MessageId) -> str:
    try:
        return f"{snowflake_time(message_id):%Y-%m-%d}"
    except OverflowError:
        return "a year beyond 9999"
