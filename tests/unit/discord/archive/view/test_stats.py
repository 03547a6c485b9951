"""Figures of a channel file."""

from pathlib import Path

import pytest

from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.view.stats import file_stats
from dce_play.layout import TargetLayout
from dce_play.snowflake import snowflake_time
from tests.support.layouts import CHANNEL_ID, LAYOUTS, dce, export, message

MONTH = 31 * 24 * 3600 * 1000 << 22


@pytest.mark.parametrize("layout", ["dce", "minified", "crlf"])
def test_the_figures_are_those_of_the_messages_in_any_order(tmp_path: Path, layout: str) -> None:
    numbers = [10**18 + MONTH * n // 10 for n in range(40)]
    path = tmp_path / "a.json"
    path.write_bytes(LAYOUTS[layout](export(message(n) for n in reversed(numbers))))
    stats = file_stats(path, layout=TargetLayout(tmp_path))
    assert (stats.message_count, stats.first_id, stats.last_id) == (40, str(numbers[0]), str(numbers[-1]))
    assert stats.head.channel_id == CHANNEL_ID
    assert sum(stats.by_month.values()) == 40
    months = [f"{snowflake_time(str(n)):%Y-%m}" for n in numbers]
    assert stats.by_month == {month: months.count(month) for month in sorted(set(months))}
    assert 0 < stats.mean_bytes * 40 <= stats.message_bytes < stats.size_bytes


def test_a_file_without_messages_has_figures_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export([])))
    stats = file_stats(path, layout=TargetLayout(tmp_path))
    assert (stats.message_count, stats.first_id, stats.by_month, stats.mean_bytes) == (0, None, {}, 0)


def test_a_damaged_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export([message(1)]))[:-9])
    with pytest.raises(DamagedFile):
        file_stats(path, layout=TargetLayout(tmp_path))
