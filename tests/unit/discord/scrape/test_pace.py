"""How far one channel's export is: counted, timed, and placed between its cursor and its newest message."""

from datetime import UTC, datetime

import pytest

from dce_play.discord.exporters.protocol import ExportProgress
from dce_play.discord.scrape.pace import Pace
from dce_play.snowflake import ChannelId, MessageId, first_snowflake_at


def at(year: int, month: int = 1) -> str:
    return first_snowflake_at(datetime(year, month, 1, tzinfo=UTC))


def told(*, after: int | None, moment: str, newest: str, count: int = 16200, now: float = 36.0) -> str:
    pace = Pace(
        target="lab-guild",
        channel_id=ChannelId(at(2020)),
        name="general",
        number=1,
        after=None if after is None else MessageId(at(after)),
        began=10.0,
    )
    progress = ExportProgress(message_count=count, last_timestamp=moment, newest_id=newest)
    return pace.reached(progress, channel_count=3, now=now).text()


MIDDLE = "2023-01-01T00:00:00.000+00:00"


@pytest.mark.parametrize(
    ("after", "moment", "newest", "end"),
    [
        (2022, MIDDLE, at(2024), "at 2023-01-01 (50 %)"),
        (None, MIDDLE, at(2024), "at 2023-01-01 (75 %)"),
        (2022, "2025-01-01T00:00:00+00:00", at(2024), "at 2025-01-01 (100 %)"),
        (2022, MIDDLE, "", "at 2023-01-01"),
        (2024, MIDDLE, at(2024), "at 2023-01-01"),
        (2022, "no time", at(2024), "at no time"),
        (2022, "", at(2024), "623/s"),
    ],
    ids=["between", "from the channel's birth", "beyond", "newest unknown", "no span", "odd time", "no time"],
)
def test_the_share_is_that_of_the_time_between_cursor_and_newest(
    after: int | None, moment: str, newest: str, end: str
) -> None:
    text = told(after=after, moment=moment, newest=newest)
    assert text.startswith("lab-guild 1/3  general  16 200 messages  623/s")
    assert text.endswith(end)


def test_before_the_first_message_only_the_channel_is_told() -> None:
    assert told(after=2022, moment="", newest="", count=0, now=10.0) == "lab-guild 1/3  general"
