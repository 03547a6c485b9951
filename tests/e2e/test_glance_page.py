"""The commands of docs/how-to/last-night-at-a-glance.md, run as they stand there."""

from pathlib import Path

from tests.support.operators import Operator
from tests.support.pages import commands, run_command


def test_the_pages_commands_work_as_typed(tmp_path: Path) -> None:
    operator = Operator(tmp_path, DCE_CRONTAB_BIN="no-such-crontab")
    operator.run("scrape")
    said = [run_command(command, operator.terminal, {}) for command in commands("last-night-at-a-glance.md")]
    assert len(said) == 9
    assert said[0].startswith("OK  1 target  3 messages  ")
    assert "scrape  demo  +1 in 1 channel" in said[1]
    assert said[2].startswith("scrape  ok in ")
    assert said[8].startswith('dce_play_target_last_success_timestamp_seconds{target="demo"} ')
    for name in ("www/status.html", "www/last-run.html"):
        assert (operator.folder / name).read_text(encoding="utf-8").startswith("<!doctype html>")
