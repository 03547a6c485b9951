"""Step plugins that misbehave on purpose, beside the real ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from dce_play.plugin import Context, Effects, StepInfo, StepPlan, StepResult, View
from dce_play.steps import STEPS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nothing:
    """No params, no outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Complex:
    """A param that no playbook can write."""

    number: complex = 0j


def _plan(_params: object, _view: View, /) -> StepPlan:
    return StepPlan(summary="nothing")


def _apply(_params: object, _ctx: Context, /) -> StepResult:
    return StepResult(changed=False, summary="nothing")


def _module(name: str, effects: Effects, *, params: type = _Nothing, plan: bool = True) -> StepInfo:
    module = ModuleType(f"demo_{name}", "A step for tests.")
    names = {"NAME": name, "EFFECTS": effects, "REPEATABLE": True, "REHEARSABLE": True, "apply": _apply}
    names |= {"Params": params, "Outputs": _Nothing} | ({"plan": _plan} if plan else {})
    for key, value in names.items():
        setattr(module, key, value)
    return module


DEMO_STEPS: Mapping[str, StepInfo] = {
    **STEPS,
    "demo.remote": _module("demo.remote", Effects.REMOTE),
    "demo.blind": _module("demo.blind", Effects.LOCAL, plan=False),
    "demo.broken": _module("demo.broken", Effects.LOCAL, params=_Complex),
}
