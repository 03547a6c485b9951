"""Where a run is, by the end of its journal."""

import json
from pathlib import Path

import pytest

from dce_play.history.under_way import where_is

STEP = {"id": "a/b", "name": "Scrape", "uses": "scrape.run"}
STARTED = {"type": "step.start", "step": STEP, "index": 6, "ts": "2026-11-28T03:15:00.000000Z"}
REACHED = {"item": "general", "group": "lab", "number": 1, "of": 3, "done": 16200, "unit": "messages", "per_s": 620.0}


def progress(**facts: object) -> dict[str, object]:
    told = {"type": "step.progress", "step": STEP, "done": 1200, "total": None, "unit": "messages"}
    return {**told, "ts": "2026-11-28T03:15:09.000000Z", **facts}


def journal(folder: Path, *events: object) -> Path:
    (folder / "events.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in events))
    return folder


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "step 6 of 19: Scrape, 1 200 messages"),
        ({"total": 2400}, "step 6 of 19: Scrape, 1 200 of 2 400 messages (50 %)"),
        ({"reached": REACHED}, "step 6 of 19: Scrape, lab 1/3 general 16 200 messages 620/s"),
        ({"reached": {"item": "gen\x1b[2Jeral"}}, "step 6 of 19: Scrape, general"),
        ({"reached": {"of_another_kind": 1}}, "step 6 of 19: Scrape"),
        ({"reached": {"item": "x", "done": "many"}}, "step 6 of 19: Scrape"),
        ({"done": "many"}, "step 6 of 19: Scrape"),
    ],
)
def test_the_step_and_how_far_it_is(tmp_path: Path, facts: dict[str, object], words: str) -> None:
    place = where_is(journal(tmp_path, STARTED, progress(**facts)))
    assert place.words(19) == words
    assert place.heard == "2026-11-28T03:15:09.000000Z"


def test_a_step_that_began_long_ago_is_known_by_its_progress(tmp_path: Path) -> None:
    far = [progress(done=number) for number in range(5_000)]
    assert where_is(journal(tmp_path, STARTED, *far)).words(19) == "Scrape, 4 999 messages"


@pytest.mark.parametrize("event", ["text", {"step": 7, "type": "step.start"}, {"type": "step.progress", "step": {}}])
def test_what_is_no_event_is_passed_over(tmp_path: Path, event: object) -> None:
    assert where_is(journal(tmp_path, STARTED, event, progress())).step == "Scrape"


def test_a_journal_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    assert where_is(tmp_path).words(19) == ""
