"""What every step of the table promises, by its declared class: form, refusals, planning, repeating, secrets."""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from dce_play.event_json import to_json
from dce_play.events import Mode, StepEnded
from dce_play.playbook.types.shapes import signature
from dce_play.plugin import ActionStep, CheckStep, Effects
from dce_play.source import InvalidDocument
from dce_play.steps import STEPS
from tests.support.plans import Ran, plan_of, play

ALL = sorted(STEPS)
ACTIONS = sorted(name for name, step in STEPS.items() if step.EFFECTS is not Effects.NONE)
CANARY = "canary-7f3a9c-not-for-print"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One use that works in an empty folder: the params, and the files that are there before."""

    params: dict[str, Any]
    files: tuple[tuple[str, str], ...] = ()


CASES: dict[str, Case] = {
    "assert.that": Case(params={"conditions": [True]}),
    "command.run": Case(
        params={"argv": ["sh", "-c", "echo $CANARY; echo x > made"], "secret_env": {"CANARY": "env:CANARY"}}
    ),
    "shell.run": Case(
        params={
            "line": 'printf "P: "; read p; echo "$CANARY $p"; echo x > made',
            "secret_env": {"CANARY": "env:CANARY"},
            "answers": [{"prompt": "P: ", "secret": "env:CANARY"}],
        }
    ),
    "disk.free": Case(params={"path": ".", "at_least": 1}),
    "disk.report": Case(params={"paths": ["."]}),
    "doctor.check": Case(params={}),
    "file.copy": Case(params={"source": "a", "target": "b"}, files=(("a", "text"),)),
    "file.remove": Case(params={"path": "a"}, files=(("a", "text"),)),
    "file.write": Case(params={"path": "a", "content": "text"}),
    "lock.status": Case(params={"root": "."}),
    "pause.confirm": Case(params={"question": "Go?"}),
    "report.say": Case(params={"text": "hello"}),
    "report.summary": Case(params={}),
}
NEEDS_A_WORLD = frozenset(
    {
        "archive.adopt",
        "archive.audit",
        "archive.merge",
        "archive.append",
        "archive.normalise",
        "archive.prove_append",
        "archive.recover",
        "archive.salvage",
        "archive.snapshot",
        "archive.verify",
        "backup.audit",
        "backup.drill",
        "backup.prune",
        "backup.require",
        "backup.take",
        "backup.verify",
        "media.fetch",
        "media.verify",
        "http.check",
        "operator.ready",
        "quarantine.clean",
        "quarantine.requeue",
        "receive.backfill",
        "receive.verify",
        "run.fail",
        "schedule.cron",
        "schedule.systemd",
        "scrape.plan",
        "scrape.ask",
        "scrape.preflight",
        "scrape.run",
        "ship.drain",
        "ship.once",
        "ship.ping",
        "token.sync_gui",
    }
)
"""Steps that need an archive, backups, a server, a token, a failure; tests/unit/steps and tests/e2e build these."""
RUNNABLE = sorted(CASES)


def use(name: str, folder: Path, *, number: int, **changes: Any) -> Ran:
    """Run the step's case as a run of its own."""
    text = "steps: " + json.dumps([{name: CASES[name].params}])
    return play(
        text,
        folder,
        *STEPS.values(),
        run_id=f"run-{number}",
        run_folder=folder.parent / "state" / f"run-{number}",
        environment={"PATH": "/usr/bin:/bin", "CANARY": CANARY, "HOME": str(folder)},
        assume_yes=True,
        **changes,
    )


def prepared(name: str, tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    for path, text in CASES[name].files:
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def ending(ran: Ran) -> StepEnded:
    """Return how the one step of the run ended."""
    return next(body for body in ran.recorder.bodies if isinstance(body, StepEnded))


def picture(folder: Path) -> dict[str, str]:
    """Return every file below a folder with its digest and mode; the playbook itself does not count."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "playbook.yml"
    }


def test_every_step_is_held_to_the_contract() -> None:
    assert set(CASES) | NEEDS_A_WORLD == set(STEPS)
    assert not set(CASES) & NEEDS_A_WORLD


@pytest.mark.parametrize("name", ALL)
def test_a_step_has_the_names_of_its_class(name: str) -> None:
    step = STEPS[name]
    assert name == step.NAME
    assert name.count(".") == 1
    assert name == name.lower()
    assert isinstance(step.EFFECTS, Effects)
    assert isinstance(step.REPEATABLE, bool)
    assert isinstance(step.REHEARSABLE, bool)
    assert callable(step.apply)
    assert hasattr(step, "plan") is (step.EFFECTS is not Effects.NONE)


@pytest.mark.parametrize("name", ALL)
def test_a_step_says_what_it_does_and_what_each_field_means(name: str) -> None:
    step = STEPS[name]
    first = ((cast(ModuleType, step).__doc__ or "").strip().splitlines() or [""])[0]
    assert first.endswith(".")
    assert 10 <= len(first) <= 120
    for described in (step.Params, step.Outputs):
        assert is_dataclass(described)
        assert all(each.kw_only for each in fields(described))
    known = signature(step)
    for field in (*known.params.values(), *known.outputs.values()):
        assert field.help, field.name


@pytest.mark.parametrize("name", ALL)
def test_an_unknown_param_is_refused_and_the_nearest_name_told(name: str, tmp_path: Path) -> None:
    params = list(signature(STEPS[name]).params)
    wrong = f"{params[0]}x" if params else "x"
    with pytest.raises(InvalidDocument) as refused:
        plan_of("steps: " + json.dumps([{name: {wrong: 1}}]), tmp_path, *STEPS.values())
    problem = next(each for each in refused.value.problems if wrong in each.message)
    assert not params or params[0] in problem.hint


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name in ACTIONS])
def test_planning_changes_nothing_and_says_the_same_twice(name: str, tmp_path: Path) -> None:
    folder = prepared(name, tmp_path)
    before = picture(folder)
    first, second = (ending(use(name, folder, number=number, mode=Mode.DRY_RUN)) for number in (1, 2))
    assert picture(folder) == before
    assert (first.status, first.summary, first.changes) == (second.status, second.summary, second.changes)
    assert first.status in {"ok", "changed"}


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name in ACTIONS])
def test_applying_does_what_planning_said(name: str, tmp_path: Path) -> None:
    folder = prepared(name, tmp_path)
    planned = ending(use(name, folder, number=1, mode=Mode.DRY_RUN))
    before = picture(folder)
    applied = ending(use(name, folder, number=2))
    assert applied.status == planned.status
    assert (picture(folder) != before) is (applied.status == "changed")
    for key, value in planned.outputs.items():
        assert value in {applied.outputs[key], "<known after apply>"}


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name in ACTIONS and STEPS[name].REPEATABLE])
def test_repeating_a_repeatable_step_changes_nothing(name: str, tmp_path: Path) -> None:
    folder = prepared(name, tmp_path)
    use(name, folder, number=1)
    before = picture(folder)
    assert ending(use(name, folder, number=2)).status == "ok"
    assert picture(folder) == before


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in ACTIONS])
def test_a_step_without_effects_runs_in_a_dry_run_and_leaves_no_trace(name: str, tmp_path: Path) -> None:
    folder = prepared(name, tmp_path)
    before = picture(folder)
    ended = ending(use(name, folder, number=1, mode=Mode.DRY_RUN))
    assert ended.status == "ok", ended
    assert picture(folder) == before


@pytest.mark.parametrize("name", RUNNABLE)
def test_outputs_are_those_declared_and_plain(name: str, tmp_path: Path) -> None:
    ended = ending(use(name, prepared(name, tmp_path), number=1))
    assert set(ended.outputs) == set(signature(STEPS[name]).outputs)
    json.dumps(dict(ended.outputs))


@pytest.mark.parametrize("name", RUNNABLE)
def test_no_secret_is_in_what_a_step_leaves_behind(name: str, tmp_path: Path) -> None:
    folder = prepared(name, tmp_path)
    ran = use(name, folder, number=1)
    assert CANARY not in "".join(json.dumps(to_json(event)) for event in ran.recorder.events)
    for path in ran.outcome.run_folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


def test_the_classes_of_the_table_are_those_that_mypy_checks() -> None:
    checks: list[CheckStep | ActionStep] = list(STEPS.values())
    assert len({step.NAME for step in checks}) == len(STEPS)
