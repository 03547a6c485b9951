"""A loop with ``fan_out`` ends as the same loop without it, wherever its items run."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.event_json import from_json, to_json
from dce_play.events import Event
from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import dask_cluster
from tests.support.reports import comparable, item_runs, whole_runs

ROLE = """
name: greet
params:
  whom: {type: str, required: true}
  key: {type: secret, default: "env:DEMO_KEY"}
steps:
  - name: greet {{ params.whom }}
    command.run:
      argv: [sh, -c, 'echo "hello $WHOM, $(printenv KEY | wc -c)"']
      env: {WHOM: "{{ params.whom }}"}
      secret_env: {KEY: "{{ params.key }}"}
    register: greeting
outputs: {text: "{{ greeting.stdout | trim }}"}
"""
MANY = """
name: many
params:
  key: {type: secret, default: "env:DEMO_KEY", help: A secret}
  size: {type: size, default: 1KiB, help: A size}
vars:
  words: [alpha, beta, gamma]
steps:
  - name: seed
    command.run: {argv: [echo, seed]}
    register: seed
  - name: roles
    loop: [anna, ben, carl]
    as: who
    FAN_OUT
    role: greet
    register: greeted
    vars: {whom: "{{ who }}", key: "{{ params.key }}"}
  - name: blocks of {{ word }}
    loop: "{{ vars.words }}"
    as: word
    FAN_OUT
    on_error: continue
    environment: {WORD: "{{ word }}"}
    block:
      - name: write {{ word }}
        file.write: {path: "out/{{ word }}", content: "{{ word }} {{ seed.stdout }} {{ params.size }}"}
      - name: inner
        loop: [1, 2]
        as: number
        assert.that: {conditions: ["{{ not (word == 'beta' and number == 2) }}"], message: "no {{ number }}"}
      - name: skipped
        when: word == 'gamma'
        report.say: {text: "{{ greeted | map(attribute='text') | join(' and ') }}"}
  - name: rescued
    loop: [good, bad]
    FAN_OUT
    block:
      - name: try
        assert.that: {conditions: ["{{ item == 'good' }}"]}
    rescue:
      - name: mend
        command.run: {argv: [sh, -c, 'echo "$REASON" >&2'], env: {REASON: "{{ failure.message }}"}}
    always:
      - name: after
        report.say: {text: "after {{ item }}"}
  - name: hidden
    loop: [{name: one, value: 1}, {name: two, value: 2}]
    FAN_OUT
    no_log: true
    command.run: {argv: [echo, "{{ item.value | string }}"]}
    register: hidden
  - name: none
    loop: "{{ [] }}"
    FAN_OUT
    report.say: {text: nothing}
  - name: tell
    report.say: {text: "{{ hidden | map(attribute='stdout') | join }} {{ greeted | map(attribute='item') | join }}"}
  - report.summary: {}
"""


@pytest.fixture(params=["in turn", "jobs", "cluster"])
def options(request: pytest.FixtureRequest, terminal: Terminal, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Give the options of each place where items may run."""
    if request.param != "cluster":
        yield () if request.param == "in turn" else ("--jobs", "2")
        return
    pytest.importorskip("distributed")
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster") as cluster:
        cluster.start_worker(terminal, "here")
        cluster.start_worker(terminal, "there")
        yield ("--cluster", cluster.address)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path, DEMO_KEY="a-long-enough-secret")
    made.write("roles/greet/role.yml", ROLE)
    made.write("plain.yml", MANY.replace("    FAN_OUT\n", ""))
    made.write("fan.yml", MANY.replace("FAN_OUT", "fan_out: true").replace("name: many", "name: many", 1))
    return made


def run(terminal: Terminal, playbook: str, *options: str) -> tuple[int, Path]:
    done = terminal.run("run", playbook, *options)
    assert done.code in {0, 1}, done.err + done.out
    return done.code, whole_runs(terminal.folder / "state")[-1]


@pytest.mark.contract("T1")
def test_results_order_and_recap_are_those_of_a_plain_loop(terminal: Terminal, options: tuple[str, ...]) -> None:
    code, plain = run(terminal, "plain.yml")
    fanned_code, fanned = run(terminal, "fan.yml", *options)
    assert (code, fanned_code) == (1, 1)
    assert comparable(fanned) == comparable(plain)
    assert len(item_runs(plain)) == 0
    assert len(item_runs(fanned)) == 10
    for folder in item_runs(fanned):
        assert (folder / "events.jsonl").is_file()
        assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["run"] == folder.name
    every = "".join(path.read_text(encoding="utf-8") for path in terminal.folder.rglob("state/runs/*/*.json*"))
    assert "a-long-enough-secret" not in every


@pytest.mark.contract("T4")
def test_a_childs_events_carry_the_parents_ids_and_seq_has_no_gap(terminal: Terminal, options: tuple[str, ...]) -> None:
    done = terminal.run("run", "fan.yml", "--output", "jsonl", *options)
    run_id = whole_runs(terminal.folder / "state")[-1].name
    assert [event["seq"] for event in done.events] == list(range(1, len(done.events) + 1))
    assert {event["run"] for event in done.events} == {run_id}
    assert {event["type"] for event in done.events[1:-1]} >= {"loop.fan_out", "step.start", "step.end", "step.output"}
    for line in done.events:
        assert to_json(Event(seq=line["seq"], ts=line["ts"], run=run_id, body=from_json(line))) == line
    ids = [event["step"]["id"] for event in done.events if event["type"] == "step.end"]
    assert {"roles[anna]/greet-params-whom", "roles[anna]"} <= set(ids) or "roles[anna]" in ids
    given = next(event for event in done.events if event["type"] == "loop.fan_out")
    assert list(given["runs"]) == ["anna", "ben", "carl"]
    assert all(child.startswith(f"{run_id}.") for child in given["runs"].values())
