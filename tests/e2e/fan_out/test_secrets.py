"""Secrets and loops with ``fan_out``: none goes out as plain text, and none comes back."""

from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from tests.support.command_line import terminal_in
from tests.support.dask_cluster import dask_cluster

SECRET = "a-secret-of-the-worker-alone"
TOLD = """
name: told
params:
  key: {type: secret, default: "env:PLACE_KEY", help: A secret}
steps:
  - name: tell
    loop: [a, b]
    fan_out: true
    register: told
    command.run:
      argv: [sh, -c, 'printenv KEY; printenv KEY | wc -c']
      secret_env: {KEY: "{{ params.key }}"}
  - name: say
    report.say: {text: "{{ told | map(attribute='stdout') | join(' ') }}"}
"""
HANDED_ON = """
name: handed-on
params:
  key: {type: secret, default: "env:PLACE_KEY", help: A secret}
steps:
  - name: read
    command.run:
      argv: [printenv, KEY]
      secret_env: {KEY: "{{ params.key }}"}
  - name: use
    loop: [a, "WORD"]
    as: word
    fan_out: true
    command.run: {argv: [echo, "{{ word }}"]}
"""


@pytest.mark.contract("T4")
def test_what_a_worker_knows_alone_is_masked_before_it_leaves_the_worker(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    terminal = terminal_in(tmp_path)
    terminal.write("told.yml", TOLD)
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster") as cluster:
        state = str(tmp_path / "state-lab")
        cluster.start_worker(terminal, "lab", folder=None, DCE_PLAY_STATE_DIR=state, PLACE_KEY=SECRET)
        done = terminal.run("run", "told.yml", "--cluster", cluster.address)
    assert done.code == 0, done.out + done.err
    assert str(len(SECRET) + 1) in done.out
    assert SECRET not in done.out + done.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(state) and path.name == "events.jsonl" for path in written)
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.contract("T4")
@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["in turn", "jobs"])
def test_a_secret_that_items_would_be_handed_as_plain_text_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    terminal = terminal_in(tmp_path, PLACE_KEY=SECRET)
    terminal.write("handed-on.yml", HANDED_ON.replace("WORD", SECRET))
    done = terminal.run("run", "handed-on.yml", *options)
    assert done.code == ExitCode.INVALID, done.out + done.err
    said = " ".join((done.out + done.err).split())
    assert '"word" holds a secret, and what a loop with fan_out hands to its items may not' in said
    assert "hand on the reference (env:NAME, file:PATH), or do without fan_out" in said
    assert SECRET not in done.out + done.err
    assert list((terminal.folder / "state" / "runs").glob("*.*")) == []
