"""What a step sees of the steps before it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dce_play.plugin import Context, StepRecord, StepResult
from dce_play.runner.record.so_far import SoFar
from tests.support.plans import MadeUpStep, done, play


def record(number: int) -> StepRecord:
    return StepRecord(step_id=str(number), name="n", status="ok", summary="", duration_s=0.0)


def test_a_step_sees_those_before_it_and_that_costs_the_last_no_more_than_the_first(tmp_path: Path) -> None:
    seen: list[Sequence[StepRecord]] = []

    def look(params: Any, ctx: Context) -> StepResult:
        seen.append(ctx.records)
        return done(params.value)

    play("steps: [{loop: '{{ range(50) | list }}', do.it: {}}]", tmp_path, MadeUpStep(NAME="do.it", act=look))
    assert [len(each) for each in seen] == list(range(50))
    assert [each.step_id for each in seen[3]] == [each.step_id for each in seen[-1][:3]]
    assert len({sys.getsizeof(each) for each in seen}) == 1


def test_it_is_read_like_a_tuple() -> None:
    records = [record(number) for number in range(5)]
    before = SoFar(records)
    records.append(record(5))
    assert tuple(before) == tuple(records[:5])
    assert (before[0], before[-1], before[1:4:2]) == (records[0], records[4], (records[1], records[3]))
    assert list(reversed(before)) == records[4::-1]
    assert records[5] not in before
