"""What the doctor says of a lab host's folders."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.doctor.shipping import shipping_rows
from dce_play.transfer.sending.settings import load_config
from tests.support.bounds import at_most
from tests.support.lab_hosts import lab_host


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_names_that_are_no_episodes_are_shown(tmp_path: Path, beyond: int) -> None:
    config = load_config(lab_host(tmp_path, "http://127.0.0.1:1").config)
    most = at_most("doctor.shipping:_MOST_NAMES")
    for number in range(most + beyond):
        (config.episodes_dir / f"no episode {number}").mkdir(parents=True)
    rows = shipping_rows(config, unit="u", environment={}, now=datetime(2026, 11, 29, tzinfo=UTC))
    (row,) = [row for row in rows if row.code == "bad_names"]
    assert row.count == most + beyond
    shown = ", ".join(f"no episode {number}" for number in range(most))
    assert row.what.endswith(f": {shown}{', …' if beyond else ''}")
