"""What is told in part where there is too much of it."""

import pytest

from dce_play.events import Status, StepEnded, StepRef
from dce_play.render.page.display import DisplayOptions
from dce_play.render.page.fitting import Fitting
from dce_play.render.page.step_lines import news
from dce_play.render.recap import recap_text
from dce_play.source import JsonValue
from tests.support.bounds import at_most


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_recap_names_so_many_steps_and_counts_the_others(beyond: int) -> None:
    most = at_most("render.recap:_AT_MOST")
    changed: list[JsonValue] = [{"status": "changed", "name": f"step {number}"} for number in range(most + beyond - 1)]
    text = recap_text({"steps": [*changed, {"status": "failed", "name": "the bad one"}]})
    assert text.count("changed: step") == most - 1
    assert "failed: the bad one" in text
    assert ("and 1 step more" in text) == bool(beyond)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_steps_line_shows_so_many_news_and_counts_the_others(beyond: int) -> None:
    most = at_most("render.page.step_lines:_MOST_NEWS")
    told: list[JsonValue] = [f"news {number}" for number in range(most + beyond)]
    step = StepRef(id="a", name="a", uses="do.it")
    ended = StepEnded(step=step, status=Status.OK, summary="", duration_s=0, outputs={"news": told})
    lines = ["".join(text for text, _ in line).strip() for line in news(ended, Fitting(DisplayOptions()), "")]
    assert lines == [f"! news {number}" for number in range(most)] + ["! and 1 more like these"] * beyond
