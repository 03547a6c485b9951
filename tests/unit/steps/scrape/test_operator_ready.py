"""``operator.ready``: it looks at the container engine in a dry run too."""

from pathlib import Path

import pytest

from tests.standins.bench import EngineBench
from tests.support.operators import ROOM, Operator


@pytest.fixture
def bench(tmp_path: Path) -> EngineBench:
    (tmp_path / "engines").mkdir()
    return EngineBench(tmp_path / "engines", "podman", "podman-compose", answers=("podman info",))


@pytest.mark.contract("R-9.05")
def test_a_dry_run_asks_the_engine(tmp_path: Path, bench: EngineBench) -> None:
    operator = Operator(tmp_path, PATH=bench.environ["PATH"], ENGINE_STANDIN=bench.environ["ENGINE_STANDIN"])
    operator.target("demo", exporter="container", channel_ids=[ROOM])
    said = operator.terminal.run("run", "handoff", "--dry-run")
    assert said.code == 0, said.out + said.err
    assert [call["argv"] for call in bench.calls] == [["info"]]
