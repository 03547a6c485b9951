"""Plans: expansion, ids, hashes, locks, selection."""

from functools import partial
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.playbook.document.cache import Cache
from dce_play.playbook.evaluate.binding import bind_call, bind_params
from dce_play.playbook.language.model import Lock
from dce_play.playbook.lint.file import inspect_file
from dce_play.playbook.lint.lint import Linter
from dce_play.playbook.load.library import Library
from dce_play.playbook.plan.plan import Plan, PlannedCall, PlannedStep, all_steps, join_id, walk
from dce_play.playbook.plan.planning import make_plan, plan_or_problems
from dce_play.playbook.plan.selection import NothingChosen, choose_steps
from dce_play.plugin import UNKNOWN, Effects
from dce_play.source import InvalidDocument, Severity
from tests.support.command_line import Terminal
from tests.support.demo_steps import DEMO_STEPS

_PLAYBOOK = """\
name: plan
params: {full: {type: bool, default: false}}
steps:
  - name: Say {{ params.full }}
    report.say: {text: hello}
    tags: [talk]
  - name: Call
    role: greet
    vars: {whom: world}
    tags: [role]
  - name: Around
    block:
      - report.say: {text: inside}
        tags: deep
      - name: Fetch
        http.check: {url: "http://127.0.0.1/"}
"""
_ROLE = """\
name: greet
params:
  whom: {type: str, required: true}
  times: {type: int, default: 2}
steps:
  - report.say: {text: "{{ params.whom }} {{ params.times }}"}
"""


def _plan(tmp_path: Path, playbook: str = _PLAYBOOK, role: str = _ROLE) -> Plan:
    (tmp_path / "roles" / "greet").mkdir(parents=True, exist_ok=True)
    (tmp_path / "roles" / "greet" / "role.yml").write_text(role, encoding="utf-8")
    path = tmp_path / "play.yml"
    path.write_text(playbook, encoding="utf-8")
    return make_plan(path, DEMO_STEPS)


def _ids(plan: Plan) -> list[str]:
    return [node.id for node in walk(plan.steps)]


def test_ids_come_from_names_and_lead_through_roles(tmp_path: Path) -> None:
    expected = ["say", "call", "call/report.say", "around", "around/report.say", "around/fetch"]
    assert _ids(_plan(tmp_path)) == expected
    assert join_id("around", "fetch", "lab") == "around/fetch[lab]"


def test_tags_of_what_is_around_count_inside(tmp_path: Path) -> None:
    tags = {step.id: step.keywords.tags for step in all_steps(_plan(tmp_path))}
    assert tags["around/report.say"] == ("deep",)
    assert choose_steps(_plan(tmp_path), tags=["role"]) == frozenset({"call/report.say"})


@pytest.mark.parametrize(
    ("tags", "skip", "start", "chosen"),
    [
        (["talk"], [], None, {"say"}),
        ([], ["deep", "role"], None, {"say", "around/fetch"}),
        ([], [], "around", {"around/report.say", "around/fetch"}),
        ([], [], "fetch", {"around/fetch"}),
        ([], [], "call/report.say", {"call/report.say", "around/report.say", "around/fetch"}),
    ],
)
def test_steps_are_chosen(
    tmp_path: Path, tags: list[str], skip: list[str], start: str | None, chosen: set[str]
) -> None:
    assert choose_steps(_plan(tmp_path), tags=tags, skip_tags=skip, start_at=start) == frozenset(chosen)


def test_tags_leave_preflight_steps_in_and_do_not_count_them(tmp_path: Path) -> None:
    guarded = _PLAYBOOK.replace("steps:", "preflight:\n  - name: Guard\n    assert.that: {conditions: [true]}\nsteps:")
    plan = _plan(tmp_path, guarded)
    assert choose_steps(plan, tags=["talk"]) == frozenset({"guard", "say"})
    with pytest.raises(NothingChosen):
        choose_steps(plan, tags=["talk"], skip_tags=["talk"])


def test_no_choice_is_no_choice(tmp_path: Path) -> None:
    assert choose_steps(_plan(tmp_path)) is None


@pytest.mark.parametrize(
    ("tags", "skip", "start", "hint"),
    [
        (["tlak"], [], None, 'did you mean "talk"?'),
        ([], ["deeep"], None, 'did you mean "deep"?'),
        ([], [], "arond", 'did you mean "around"?'),
        (["talk"], ["talk"], None, "dce-play plan shows every step with its tags"),
    ],
)
def test_what_selects_nothing_is_refused(
    tmp_path: Path, tags: list[str], skip: list[str], start: str | None, hint: str
) -> None:
    with pytest.raises(NothingChosen) as caught:
        choose_steps(_plan(tmp_path), tags=tags, skip_tags=skip, start_at=start)
    assert (caught.value.hint, caught.value.exit_code) == (hint, ExitCode.NOTHING_SELECTED)


def test_a_hash_changes_with_what_is_written_and_not_with_where(tmp_path: Path) -> None:
    before = {node.id: node.definition for node in walk(_plan(tmp_path).steps)}
    moved = {node.id: node.definition for node in walk(_plan(tmp_path, "# a comment\n\n" + _PLAYBOOK).steps)}
    assert moved == before
    changed = {node.id: node.definition for node in walk(_plan(tmp_path, _PLAYBOOK.replace("inside", "else")).steps)}
    assert {name for name in before if before[name] != changed[name]} == {"around", "around/report.say"}
    role = {node.id: node.definition for node in walk(_plan(tmp_path, role=_ROLE.replace("whom }} ", "whom }}")).steps)}
    assert {name for name in before if before[name] != role[name]} == {"call", "call/report.say"}


def test_the_lock_follows_from_what_steps_do(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assert (plan.lock, plan.effects) == (Lock.NONE, frozenset({Effects.NONE, Effects.REMOTE}))
    writes = _plan(tmp_path, 'name: x\nsteps:\n  - scrape.run: {target: "{{ targets[0].name }}"}\n')
    assert (writes.lock, writes.names) == (Lock.ARCHIVE, frozenset({"targets"}))


def test_a_lock_of_none_over_a_role_that_writes_is_refused(tmp_path: Path) -> None:
    role = "name: greet\nsteps:\n  - scrape.run: {target: lab}\n"
    with pytest.raises(InvalidDocument) as caught:
        _plan(tmp_path, "name: x\nlock: none\nsteps:\n  - role: greet\n", role)
    assert [each.rule for each in caught.value.problems] == ["E116"]


def test_a_problem_in_a_role_is_told_in_the_roles_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument) as caught:
        _plan(tmp_path, role=_ROLE.replace("params.times", "params.time"))
    assert [each.span.path.name for each in caught.value.problems] == ["role.yml"]
    assert len(caught.value.texts) == 2


def test_params_are_bound_by_type(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    call = next(node for node in walk(plan.steps) if isinstance(node, PlannedCall))
    assert bind_call(call, {}) == {"whom": "world", "times": 2}
    step = call.body[0]
    assert isinstance(step, PlannedStep)
    bound = bind_params(step, {"params": {"whom": "ü", "times": 3}}, tmp_path)
    assert bound == step.plugin.Params(text="ü 3")
    assert bind_params(step, {"params": {"whom": UNKNOWN, "times": 3}}, tmp_path) is UNKNOWN


def test_the_cache_changes_nothing_but_time(tmp_path: Path) -> None:
    _plan(tmp_path)
    path = tmp_path / "play.yml"
    cache = Cache(tmp_path / "cache", "salt")
    plans = [plan_or_problems(path, Library(DEMO_STEPS, cache=each)) for each in (None, cache, cache)]
    assert plans[0] == plans[1] == plans[2]
    assert any((tmp_path / "cache").iterdir())


@pytest.mark.contract("F-L7")
def test_a_plan_over_its_bound_is_an_error_where_the_bound_is_met(tmp_path: Path) -> None:
    """Thirteen roles, each running the next one twice: 8,192 steps asked for, 24,574 nodes."""
    roles = [f"- role: r{number + 1}\n  name: a\n- role: r{number + 1}\n  name: b" for number in range(1, 13)]
    for number, body in enumerate([*roles, "- report.say: {text: end}\n- report.say: {text: end}"], start=1):
        role = tmp_path / "roles" / f"r{number}" / "role.yml"
        role.parent.mkdir(parents=True)
        steps = "\n".join(f"  {line}" for line in body.splitlines())
        role.write_text(f"name: r{number}\nsteps:\n{steps}\n", encoding="utf-8")
    path = tmp_path / "play.yml"
    path.write_text("name: many\nsteps:\n  - role: r1\n  - role: r1\n  - role: r1\n", encoding="utf-8")
    with pytest.raises(InvalidDocument) as caught:
        make_plan(path, DEMO_STEPS)
    assert caught.value.exit_code == ExitCode.INVALID
    assert [each.rule for each in caught.value.problems] == ["E110"]
    assert "more than 20000 steps and blocks" in caught.value.problems[0].message
    assert caught.value.problems[0].span.path == path
    assert caught.value.problems[0].related[0][1].path.name == "role.yml"


@pytest.mark.contract("F-L7")
def test_a_long_chain_of_includes_is_a_problem_with_its_place(tmp_path: Path) -> None:
    for number in range(400):
        following = f"playbook: p{number + 1}.yml" if number < 399 else "report.say: {text: end}"
        (tmp_path / f"p{number}.yml").write_text(f"name: p\nsteps:\n  - {following}\n", encoding="utf-8")
    with pytest.raises(InvalidDocument) as caught:
        make_plan(tmp_path / "p0.yml", DEMO_STEPS)
    problem = caught.value.problems[0]
    assert (problem.rule, problem.span.path.name, problem.span.line) == ("E110", "p0.yml", 3)
    assert [(span.path.name, span.line) for _, span in problem.related] == [("p50.yml", 3)]
    linted = Linter(partial(inspect_file, steps=DEMO_STEPS)).lint([tmp_path / "p0.yml"])
    assert "E110" in {each.rule for each in linted.problems}


@pytest.mark.contract("F-B2")
@pytest.mark.parametrize(("files", "rules"), [(29, []), (40, ["E110"])])
def test_blocks_and_files_too_deep_in_each_other_are_a_problem(tmp_path: Path, files: int, rules: list[str]) -> None:
    """Each file has a block in which the next one is included: two levels. What is allowed runs, too."""
    for number in range(files):
        inner = f"playbook: p{number + 1}.yml" if number < files - 1 else "report.say: {text: the end}"
        text = f"name: p\nsteps:\n  - name: Around\n    block:\n      - {inner}\n"
        (tmp_path / f"p{number}.yml").write_text(text, encoding="utf-8")
    _, problems = plan_or_problems(tmp_path / "p0.yml", Library(DEMO_STEPS))
    assert [each.rule for each in problems if each.severity is Severity.ERROR] == rules
    said = Terminal(folder=tmp_path).run("run", "p0.yml")
    assert said.code == (3 if rules else 0), said.err
    assert ("the end" in said.out) is not bool(rules)
