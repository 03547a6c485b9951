"""Tests of times as DCE writes them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.exporters.discord_api.convert.timestamps import normal_stamp, parse, stamp
from dce_play.discord.exporters.discord_api.rest.answers import UnexpectedAnswer


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("2024-01-01T01:00:00.000000+00:00", "2024-01-01T01:00:00+00:00"),
        ("2024-01-12T13:46:39.999000+00:00", "2024-01-12T13:46:39.999+00:00"),
        ("2024-01-12T13:46:39.350Z", "2024-01-12T13:46:39.35+00:00"),
        ("2024-01-12T13:46:39Z", "2024-01-12T13:46:39+00:00"),
        ("2024-01-12T13:46:39.12345678+00:00", "2024-01-12T13:46:39.1234567+00:00"),
        ("2024-01-12T01:46:39.5+02:00", "2024-01-11T23:46:39.5+00:00"),
        ("2024-01-12T13:46:39", "2024-01-12T13:46:39+00:00"),
    ],
)
@pytest.mark.contract("R-16.01")
def test_times_are_in_utc_with_the_shortest_fraction(written: str, normal: str) -> None:
    assert normal_stamp(written) == normal


@pytest.mark.parametrize("written", ["", "yesterday", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_time_is_an_unexpected_answer(written: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        normal_stamp(written)


ZONES = (UTC, timezone(timedelta(hours=-5)), timezone(timedelta(minutes=330)))


@given(st.datetimes(timezones=st.sampled_from(ZONES)).filter(lambda moment: 1 < moment.year < 9999))
def test_a_written_time_is_the_same_moment(moment: datetime) -> None:
    assert parse(stamp(moment)) == moment
    assert normal_stamp(moment.isoformat()) == stamp(moment)
