"""``scrape.run`` with containers: the lock's note names each while it may write."""

import json
from pathlib import Path

import pytest

from dce_play.system.lock.note import decode_meta
from tests.standins.bench import EngineBench
from tests.support.channel_files import ids_in
from tests.support.operators import ROOM, STANDINS, Operator


@pytest.mark.contract("R-13.09")
def test_the_container_that_exports_is_in_the_locks_note_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "engines").mkdir()
    bench = EngineBench(tmp_path / "engines", "docker", answers=("docker compose version",))
    operator = Operator(
        tmp_path, PATH=bench.environ["PATH"], ENGINE_STANDIN=bench.environ["ENGINE_STANDIN"], DCE_COMPOSE_TTY="0"
    )
    operator.target("demo", exporter="container", channel_ids=[ROOM])
    seen = tmp_path / "note"
    program = tmp_path / "dce"
    note = operator.archives / ".dce-scrape.lock.meta"
    program.write_text(f'#!/bin/sh\n/bin/cp "{note}" "{seen}"\nexec "{STANDINS}/dce_cli.py" "$@"\n')
    program.chmod(0o755)
    script = json.loads((bench.folder / "engine.json").read_text())
    (bench.folder / "engine.json").write_text(json.dumps({**script, "dce": str(program)}))

    said = operator.terminal.run("run", "scrape")

    assert said.code == 0, said.out + said.err
    assert ids_in(operator.room) == [1, 2, 3]
    meta = decode_meta(seen.read_bytes())
    name = bench.runs[-1]["argv"][bench.runs[-1]["argv"].index("--name") + 1]
    assert meta is not None
    assert meta.containers == (f"docker:{name}",)
    assert not note.exists()
