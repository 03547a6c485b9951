"""What somebody types who does not know the words yet, or knows those of another tool."""

from pathlib import Path

import pytest

from dce_play.playbook.plan.plan import all_steps, walk
from dce_play.playbook.plan.planning import make_plan
from dce_play.resources import playbooks_folder
from dce_play.steps import STEPS
from tests.support.command_line import Terminal, terminal_in
from tests.support.operators import OTHER, Operator

GREET = """
name: greet
summary: Greet somebody
params:
  limit: {type: int, default: 1}
steps:
  - name: First
    report.say: {text: "first {{ params.limit | string }}"}
    tags: [one]
  - name: Second
    report.say: {text: second}
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    made.write("playbooks/greet.yml", GREET)
    return made


@pytest.mark.contract("O20")
def test_run_without_a_name_lists_the_playbooks_with_their_summaries_and_is_no_success(terminal: Terminal) -> None:
    terminal.write("here.yml", "name: here\nsummary: In the folder itself\nsteps: [{report.say: {text: x}}]\n")
    terminal.write("no-playbook.yml", "some: thing\n")
    terminal.write("playbooks/broken.yml", "steps: [")
    said = terminal.run("run")
    assert said.code == 2
    ours, _, shipped = said.out.partition("Playbooks that come with dce-play:\n")
    rows = [" ".join(line.split()) for line in ours.splitlines()]
    assert rows[0] == "Playbooks of this folder:"
    assert "greet Greet somebody" in rows
    assert "here In the folder itself" in rows
    assert not [row for row in rows if "no-playbook" in row]
    assert "proof" in shipped
    assert "Scrape, and prove that the archives only grew" in shipped
    assert "dce-play run NAME" in said.err
    assert terminal.runs() == []


@pytest.mark.contract("O25")
def test_a_copy_in_the_folder_is_listed_in_place_of_the_shipped_playbook(terminal: Terminal) -> None:
    terminal.write("playbooks/proof.yml", GREET.replace("Greet somebody", "Our own proof"))
    ours, _, shipped = terminal.run("run").out.partition("Playbooks that come with dce-play:\n")
    assert "Our own proof" in ours
    assert "proof " not in [line[2:8] for line in shipped.splitlines()]


@pytest.mark.contract("O21")
def test_ansibles_spellings_mean_the_same(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    operator.target("other", channel_ids=[OTHER])
    greet = GREET.replace("limit: {", "n: {").replace("params.limit", "params.n")
    operator.terminal.write("greet.yml", greet)
    both = operator.run("scrape", "-l", "demo,other", "-C", "-D")
    assert both.code == 0, both
    assert "dry run" in both.out
    assert operator.run("scrape", "--limit", "nobody").code == 5
    assert operator.run("greet", "--list-tasks").out == "first   report.say  [one]\nsecond  report.say\n"
    assert operator.run("greet", "-t", "one", "--list-tasks").out == "first  report.say  [one]\n"
    assert operator.run("greet", "--start-at-task", "Second", "--list-tasks").code == 5
    assert operator.run("greet", "--start-at-task", "second", "--list-tasks").out == "second  report.say\n"
    assert "first 7" in operator.run("greet", "--extra-vars", "n=7").out


def test_a_param_of_the_playbook_wins_over_ansibles_spelling_of_an_option(terminal: Terminal) -> None:
    said = terminal.run("run", "greet", "--limit", "3")
    assert said.code == 0, said
    assert "first 3" in said.out
    assert "-l, --target NAME" in terminal.run("run", "greet", "--help").out


@pytest.mark.contract("O21")
@pytest.mark.parametrize(
    ("words", "choice"),
    [
        (("export", "111111111111111111", "--output", "x.json", "--exporter"), "discord_api"),
        (("archive", "append", "x.json", "y.json", "--edits"), "sidecar"),
    ],
)
def test_choices_are_spelt_as_in_yaml(terminal: Terminal, words: tuple[str, ...], choice: str) -> None:
    refused = terminal.run(*words, choice.upper())
    assert refused.code == 2
    assert choice in refused.err
    assert "is not one of" not in terminal.run(*words, choice).err


def test_a_tag_that_no_step_has_is_told_with_what_to_do(terminal: Terminal) -> None:
    terminal.write("playbooks/plain.yml", "name: plain\nsteps: [{report.say: {text: x}}]\n")
    untagged = terminal.run("run", "plain", "--tags", "typo")
    assert untagged.code == 5
    assert untagged.err == (
        'error: no step has the tag "typo"\n  hint: no step of this playbook has a tag; choose with --start-at\n'
    )
    assert 'did you mean "one"?' in terminal.run("run", "greet", "--tags", "onne").err


@pytest.mark.contract("O23")
@pytest.mark.parametrize("path", sorted(playbooks_folder().glob("*.yml")), ids=lambda path: path.stem)
def test_every_step_of_the_shipped_playbooks_has_a_tag_but_what_guards_them(path: Path) -> None:
    plan = make_plan(path, STEPS)
    guards = {node.id for node in walk(plan.preflight)}
    assert [step.id for step in all_steps(plan) if not step.keywords.tags and step.id not in guards] == []


@pytest.mark.contract("O23")
def test_tags_choose_among_the_steps_of_a_shipped_playbook(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    assert [line.split()[0] for line in operator.run("proof", "--tags", "scrape", "--list-steps").out.splitlines()] == [
        "refuse-modes-that-exclude-each-other",
        "prove/scrape",
    ]
    scraped = operator.run("proof", "--tags", "scrape")
    assert scraped.code == 0, scraped
    assert b'"3"' in operator.room.read_bytes()
