"""Items in processes of this machine: how often one is started again, and what one may give back."""

import json
import sys
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.events import Status
from dce_play.runner.fan_out.executor import ItemLost
from dce_play.runner.fan_out.item_places import MOST_STARTS, ItemPlaces, ItemProgram
from dce_play.runner.fan_out.order import MAX_RESULT_BYTES, ItemOrder, ItemResult, bounded
from dce_play.runner.node_result import NodeResult

ORDER = ItemOrder(run_id="run-1.a", session="1", node="n", path="p", depth=0, key="a", item="a")
GOOD = ItemResult(ended=NodeResult(status=Status.CHANGED, summary="did it", value="kept"))
DIES = """
import os, pathlib, signal, sys
starts = pathlib.Path(sys.argv[1])
with starts.open("a") as file:
    file.write("x")
sys.stdin.readline(), sys.stdin.readline()
if len(starts.read_text()) <= int(sys.argv[2]):
    os.kill(os.getpid(), signal.SIGKILL)
print(sys.argv[3], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [MOST_STARTS - 1, MOST_STARTS])
def test_an_items_process_that_is_killed_is_started_again_so_often(tmp_path: Path, killed: int) -> None:
    starts, answer = tmp_path / "starts", json.dumps({"result": GOOD.to_json()})
    program = ItemProgram(
        argv=[sys.executable, "-c", DIES, str(starts), str(killed), answer],
        environment={},
        brief={},
        runs=tmp_path,
        said=tmp_path,
    )
    places = ItemPlaces(program, None)
    try:
        if killed < MOST_STARTS:
            assert places.run(ORDER, lambda _event, _replayed: None) == GOOD
        else:
            with pytest.raises(ItemLost, match=r"was killed \(SIGKILL\)"):
                places.run(ORDER, lambda _event, _replayed: None)
    finally:
        places.close()
    assert len(starts.read_text()) == MOST_STARTS


def test_an_item_that_gives_more_than_may_travel_has_failed() -> None:
    def ended(size: int) -> NodeResult:
        value = "x" * (size - 2)  # and two quotes
        return bounded(NodeResult(status=Status.CHANGED, summary="did it", value=value), "run[a]", "run[a]")

    assert ended(MAX_RESULT_BYTES).status is Status.CHANGED
    failed = ended(MAX_RESULT_BYTES + 1)
    assert failed.status is Status.FAILED
    assert failed.failure is not None
    assert failed.failure.exit_code == ExitCode.FAILED
    assert f"its outputs have {MAX_RESULT_BYTES + 1} bytes" in failed.failure.facts.message
    assert str(MAX_RESULT_BYTES) in failed.failure.facts.message
    assert failed.failure.facts.hint == "write them to a file and hand on its name"
