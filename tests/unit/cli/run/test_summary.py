import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dce_play.cli.app.main import root

CHANNEL = "111111111111111111"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        {"target": "demo", "channel_id": CHANNEL, "guild_label": "G [2]", "file_path": "/x", "action": "SKIPPED_OOM"},
        {"target": "demo", "channel_id": "2" * 18, "guild_label": "G [2]", "file_path": "/y", "action": "SKIPPED"},
    ]
    path = tmp_path / "a.summary.json"
    path.write_text(json.dumps({"version": 1, "finished_at": "T", "channels": rows}))
    return path


def show(*words: str, text: str | None = None) -> str:
    return CliRunner().invoke(root, ["summary", *words], input=text, catch_exceptions=False).output


@pytest.mark.contract("J-10", "J-13", "R-14.07")
def test_a_summary_is_shown_from_a_file_and_from_standard_input(file: Path) -> None:
    shown = show(str(file))
    assert shown.startswith("Scrape summary (finished T)\nTotals: 0 created")
    assert "SKIPPED(OOM)" in shown
    assert show("-", text=file.read_text()) == shown


@pytest.mark.contract("J-11")
def test_json_gives_the_file_back_as_it_is(file: Path) -> None:
    assert show(str(file), "--json") == file.read_text()


@pytest.mark.contract("R-14.10")
def test_aborted_channels_can_be_fed_back_as_options(file: Path) -> None:
    assert show(str(file), "--retry-options") == f"--target demo --channel {CHANNEL}\n"


@pytest.mark.contract("R-14.05", "J-03", "J-04", "D-43")
def test_a_summary_is_recovered_from_a_log_and_never_over_a_file(file: Path, tmp_path: Path) -> None:
    log, goal = tmp_path / "run.log", tmp_path / "recovered.json"
    log.write_text(f"noise\nDCE_JSON_SUMMARY: {json.dumps(json.loads(file.read_text()))}\n")
    show(str(log), "--from-log", "--recover-to", str(goal))
    assert json.loads(goal.read_text())["channels"][0]["channel_id"] == CHANNEL
    goal.write_text("mine")
    show(str(log), "--from-log", "--recover-to", str(goal))
    assert goal.read_text() == "mine"
