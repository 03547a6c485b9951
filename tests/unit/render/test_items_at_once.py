"""Lines of items that run at the same time: each says whose it is."""

from dce_play.events import Event, Status, StepEnded, StepRef, StepSaid, StepStarted
from dce_play.render.narrate import Narrator


def lines(*bodies: StepStarted | StepSaid | StepEnded) -> list[str]:
    narrator = Narrator()
    events = (Event(seq=n, ts="2026-01-01T00:00:00.000000Z", run="r", body=body) for n, body in enumerate(bodies, 1))
    return ["".join(text for text, _ in line).strip() for event in events for line in narrator.lines(event)]


def step(item: str) -> StepRef:
    return StepRef(id=f"work[{item}]/scrape", name="Scrape", uses="scrape.run", item=item)


def ended(item: str) -> StepEnded:
    return StepEnded(step=step(item), status=Status.CHANGED, summary="", duration_s=0.0)


def begun(item: str) -> StepStarted:
    return StepStarted(step=step(item), effects="local")


def test_a_step_that_speaks_after_another_says_again_who_it_is() -> None:
    a, b = (StepSaid(step=step(item), text=f"line of {item}") for item in "ab")
    told = lines(begun("a"), begun("b"), a, b, b, a, ended("a"), ended("b"))
    assert [line.split(" ", 1)[1].replace("  ", " ").strip() for line in told] == [
        "Scrape [a]",
        "line of a",
        "Scrape [b]",
        "line of b",
        "line of b",
        "Scrape [a]",
        "line of a",
        "changed Scrape [a]",
        "changed Scrape",
    ]


def test_one_after_another_they_do_not() -> None:
    told = lines(begun("a"), StepSaid(step=step("a"), text="a"), ended("a"), begun("b"), ended("b"))
    assert not any("[" in line for line in told)
