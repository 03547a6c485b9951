"""Plans for tests: real YAML, real planning, steps that a test makes up, and a sink that keeps what it is told."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any

from dce_play.events import Body, Event, StepEnded, StepSaid
from dce_play.playbook.plan.plan import Plan
from dce_play.playbook.plan.planning import make_plan
from dce_play.plugin import CheckStep, Context, Effects, Info, StepPlan, StepResult, View
from dce_play.runner.engine import run
from dce_play.runner.record.progress import Progress
from dce_play.runner.settings import RunOutcome, RunSettings
from dce_play.steps.flow import assert_that, pause_confirm, report_say, report_summary
from dce_play.steps.host import command_run


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyParams:
    """One param that takes anything."""

    value: Annotated[Any, Info(help="Anything")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOutputs:
    """One output that is anything."""

    value: Annotated[Any, Info(help="Anything")] = None


@dataclass(slots=True, kw_only=True)
class MadeUpStep:
    """A step that does what the test says. ``applied`` has the params of each call."""

    NAME: str
    act: Callable[[Any, Context], StepResult]
    EFFECTS: Effects = Effects.LOCAL
    REPEATABLE: bool = True
    REHEARSABLE: bool = True
    Params: type = AnyParams
    Outputs: type = AnyOutputs
    applied: list[Any] = field(default_factory=list)
    planned: list[Any] = field(default_factory=list)
    __doc__ = "A step of a test."

    def apply(self, params: Any, ctx: Context, /) -> StepResult:
        self.applied.append(params.value)
        return self.act(params, ctx)

    def plan(self, params: Any, _view: View, /) -> StepPlan:
        self.planned.append(params.value)
        return StepPlan(summary=f"would {params.value}")


def done(value: object = None, *, changed: bool = True) -> StepResult:
    """Return a success with one output."""
    return StepResult(changed=changed, summary=f"did {value}", outputs=AnyOutputs(value=value))


def echo(name: str = "do.it", **options: Any) -> MadeUpStep:
    """Return a step that gives back what it is given."""
    return MadeUpStep(NAME=name, act=lambda params, _ctx: done(params.value), **options)


@dataclass(slots=True)
class Recorder:
    """Keeps every event."""

    events: list[Event] = field(default_factory=list)
    closed: bool = False

    def accept(self, event: Event, /) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True

    @property
    def bodies(self) -> list[Body]:
        return [event.body for event in self.events]

    def statuses(self) -> dict[str, str]:
        """Return how every step, block and loop ended, by id, in order."""
        return {body.step.id: str(body.status) for body in self.bodies if isinstance(body, StepEnded)}

    def said(self) -> list[str]:
        return [body.text for body in self.bodies if isinstance(body, StepSaid)]


TABLE: dict[str, CheckStep] = {
    step.NAME: step for step in (assert_that, command_run, pause_confirm, report_say, report_summary)
}


def plan_of(text: str, folder: Path, *steps: Any) -> Plan:
    """Return the plan of a playbook given as text. The name is added."""
    path = folder / "playbook.yml"
    path.write_text("name: test\n" + dedent(text), encoding="utf-8")
    return make_plan(path, TABLE | {step.NAME: step for step in steps})


def settings_for(folder: Path, **changes: Any) -> RunSettings:
    """Return settings of a run in a folder; what is not said is the least."""
    given: dict[str, Any] = {
        "run_id": "run-1",
        "run_folder": folder / "state" / "runs" / "run-1",
        "folder": folder,
        "environment": {"PATH": os.environ["PATH"]},
        "grace_s": 0.5,
    }
    return RunSettings(**given | changes)


@dataclass(slots=True)
class Ran:
    """A finished run and its events."""

    outcome: RunOutcome
    recorder: Recorder


def play(text: str, folder: Path, *steps: Any, progress: Progress | None = None, **changes: Any) -> Ran:
    """Plan and run a playbook."""
    plan = plan_of(text, folder, *steps)
    recorder = Recorder()
    params: Mapping[str, object] = {name: spec.default for name, spec in plan.params.items()}
    changes = {"params": params, "recorded_params": params} | changes
    outcome = run(plan, settings_for(folder, **changes), [recorder], progress=progress)
    return Ran(outcome, recorder)
