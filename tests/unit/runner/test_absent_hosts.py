"""Hosts without a worker that answers, by looks at a clock that the test sets."""

import pytest

from dce_play.runner.fan_out.absent_hosts import SILENT_S, WAIT_S, AbsentHosts
from dce_play.runner.fan_out.cluster_checks import WorkerFacts


def worker(host: str, heard: float) -> WorkerFacts:
    return WorkerFacts.told({"host": host}, address=f"tcp://{host}", slots=1, heard=heard)


@pytest.mark.contract("T5")
def test_a_silent_host_is_told_once_and_is_waited_for_so_long() -> None:
    now, told = [0.0], list[tuple[str, str]]()
    hosts = AbsentHosts("start", lambda *words: told.append(words), monotonic=lambda: now[0])
    waiting = {"lab1": ["work[a]"], "lab2": [f"work[{number}]" for number in range(7)]}

    def look(at: float, *workers: WorkerFacts) -> list[str]:
        now[0] = at
        hosts.look(workers)
        return list(hosts.tell(waiting))

    assert look(0, worker("lab1", 5), worker("lab2", 5)) == []
    assert look(2, worker("lab1", 5), worker("lab2", 7)) == []
    assert told == []
    assert look(SILENT_S, worker("lab1", 5), worker("lab2", 9)) == []
    assert told.pop() == ("no worker of the host lab1 answers; work[a] waits for one", "start one there: start lab1")
    assert look(SILENT_S + 2, worker("lab1", 5), worker("lab2", 11)) == []
    assert told == []
    assert look(SILENT_S + 4, worker("lab1", 14)) == []
    seven = "work[0], work[1], work[2], work[3], work[4] and 2 more"
    assert told == [
        ("a worker of the host lab1 answers again", ""),
        (f"no worker of the host lab2 answers; {seven} waits for one", "start one there: start lab2"),
    ]
    assert look(SILENT_S + 3 + WAIT_S, worker("lab1", 15)) == []
    assert look(SILENT_S + 4 + WAIT_S, worker("lab1", 16)) == ["lab2"]
