"""What is read, told and removed where there are very many runs, channels and events."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dce_play.history.gains import ChannelGain, RunGains, TargetGain, read_gains
from dce_play.history.nights import RECENT, read_nights, runs_of
from dce_play.history.pruning import remove_beyond
from dce_play.history.run_rows import RunRow
from dce_play.history.story import Story, story_lines
from dce_play.runner.record.folders import RunInfo, State, list_runs
from tests.support.bounds import at_most

NOW = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
ELSEWHERE = Path("/elsewhere")
LOOKED_AT = at_most("history.nights:MOST_LOOKED_AT")


def write_runs(runs: Path, count: int, *, target: str = "lab", oldest_of: Path = ELSEWHERE) -> None:
    """Write ended runs, one a minute; the oldest is of another folder, if one is given."""
    for number in range(count):
        began = NOW - timedelta(minutes=number + 1)
        folder = runs / f"{began:%Y%m%dT%H%M%SZ}-{number:06x}"
        folder.mkdir(parents=True)
        of = oldest_of if number == count - 1 else ELSEWHERE
        started = {"type": "run.start", "ts": began.isoformat(), "targets": [target], "options": {"folder": str(of)}}
        ended = {"type": "run.end", "outcome": "ok", "exit_code": 0, "duration_s": 1}
        (folder / "events.jsonl").write_text(f"{json.dumps(started)}\n{json.dumps(ended)}\n")


@pytest.mark.parametrize(("count", "found"), [(LOOKED_AT, 1), (LOOKED_AT + 1, 0)])
def test_a_projects_runs_are_looked_for_among_so_many(tmp_path: Path, count: int, found: int) -> None:
    write_runs(tmp_path / "runs", count, oldest_of=tmp_path)
    assert len(list(runs_of(tmp_path / "runs", folder=tmp_path, archive_root=None))) == found
    assert len(list_runs(tmp_path / "runs")) == count


def test_so_many_runs_are_removed_at_once_the_oldest_first_and_the_others_after_the_next_run(tmp_path: Path) -> None:
    at_once = at_most("history.pruning:_MOST_REMOVED")
    write_runs(tmp_path / "runs", at_once + 4, oldest_of=ELSEWHERE)

    def removed() -> int:
        return len(remove_beyond(tmp_path / "runs", keep=3, folder=ELSEWHERE, archive_root=None))

    newest = list_runs(tmp_path / "runs")[:4]
    assert removed() == at_once
    assert list_runs(tmp_path / "runs") == newest
    assert removed() == 1
    assert list_runs(tmp_path / "runs") == newest[:3]


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_targets_last_good_run_is_looked_for_in_so_many_journals(tmp_path: Path, beyond: int) -> None:
    read = at_most("history.nights:_MOST_READ")
    write_runs(tmp_path / "runs", read + beyond)
    infos = list_runs(tmp_path / "runs")
    scraped = {
        "type": "step.end",
        "step": {"id": "scrape", "name": "Scrape", "uses": "scrape.run"},
        "status": "ok",
        "outputs": {"target": "lab"},
    }
    journal = infos[-1].folder / "events.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text(lines[0] + json.dumps(scraped, separators=(",", ":")) + "\n" + lines[1])
    nights = read_nights(infos, wanted=["lab"], now=NOW)
    assert len(nights.recent) == RECENT
    assert [attempt.run_id for attempt in nights.last_success.values()] == ([] if beyond else [infos[-1].run_id])


@pytest.mark.parametrize("beyond", [0, 1])
def test_of_a_journal_so_much_is_read_for_what_a_run_brought(tmp_path: Path, beyond: int) -> None:
    step = {"id": "s", "name": "Scrape", "uses": "scrape.run"}
    event = {"type": "step.end", "step": step, "status": "ok", "outputs": {"target": "lab", "appended": 5}}
    line = b"\n" + json.dumps(event, separators=(",", ":")).encode() + b"\n"
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.seek(at_most("history.gains:_LONGEST_READ_BYTES") - len(line) + beyond)
        file.write(line)
    assert read_gains(tmp_path).added == (0 if beyond else 5)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_story_names_so_many_channels_and_counts_the_others(beyond: int) -> None:
    most = at_most("history.story:_MOST_CHANNELS")
    channels = tuple(ChannelGain(channel_id=str(number), name=f"room {number}", added=2) for number in range(most))
    gain = TargetGain(target="lab", channels=(*channels, *[ChannelGain(channel_id="9", added=1)] * beyond))
    info = RunInfo(run_id="20261128T031500Z-24ad04", folder=Path("/runs/x"), state=State.OK, options={})
    lines = list(story_lines(Story(row=RunRow(info=info, gains=RunGains(targets=(gain,))), report={}), now=NOW))
    assert sum("room" in line for line in lines) == most
    assert [line.strip() for line in lines if "more channel" in line] == ["+1 in 1 more channel"] * beyond
