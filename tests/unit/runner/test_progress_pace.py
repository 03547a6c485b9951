"""How often a step's progress becomes an event, and so a line of the journal and a message of an item's run."""

from pathlib import Path

from dce_play.events import StepProgressed
from dce_play.plugin import Context, StepResult
from tests.support.fakes import FakeClock
from tests.support.plans import MadeUpStep, done, play


def test_progress_is_told_now_and_then_and_when_all_is_done(tmp_path: Path) -> None:
    clock = FakeClock()

    def act(_params: object, ctx: Context) -> StepResult:
        for number in range(1, 11):
            ctx.reporter.progress(number, 10, "bytes")
            clock.advance(0.125)
        return done()

    ran = play("steps: [{do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=act), clock=clock)
    told = [event.done for event in ran.recorder.bodies if isinstance(event, StepProgressed)]
    assert told == [1, 5, 9, 10]
