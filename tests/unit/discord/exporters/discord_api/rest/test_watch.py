"""Tests of what is told while an export is under way."""

import pytest

from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import ExportCancelled, ExportProgress
from tests.support.fakes import FakeClock


@pytest.mark.contract("R-3.23")
def test_a_long_wait_is_told_about_every_few_seconds() -> None:
    clock = FakeClock()
    told: list[tuple[float, ExportProgress]] = []
    watch = Watch(clock, on_progress=lambda progress: told.append((clock.monotonic(), progress)))
    watch.written(7, "2024")

    watch.wait(60)

    assert [at for at, _ in told] == [5.0 * number for number in range(1, 13)]
    assert told[-1][1] == ExportProgress(message_count=7, last_timestamp="2024")


def test_a_wait_lasts_exactly_as_long_as_asked() -> None:
    clock = FakeClock()

    Watch(clock).wait(2.75)

    assert clock.monotonic() == pytest.approx(2.75)


def test_a_cancelled_export_does_not_even_begin_to_wait() -> None:
    clock = FakeClock()

    with pytest.raises(ExportCancelled):
        Watch(clock, cancelled=lambda: True).wait(60)

    assert clock.sleeps == []
