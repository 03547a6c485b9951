"""Where the items of loops with ``fan_out`` run, by the options of the run."""

from functools import partial

from dce_play.cli.run.sinks import leave_report
from dce_play.events import Mode
from dce_play.playbook.plan.plan import Plan, walk
from dce_play.runner.fan_out.executor import FanOut
from dce_play.runner.in_turn import InTurn
from dce_play.runner.settings import RunSettings


def fan_out_of(plan: Plan, settings: RunSettings, /) -> FanOut | None:
    """Return how the run spreads items; ``None`` where it has none to spread, only looks, or asks at every step."""
    if settings.mode is Mode.DRY_RUN or settings.step_by_step:
        return None
    if not any(node.keywords.fan_out for node in walk(plan.preflight + plan.steps)):
        return None
    return InTurn(plan, settings, partial(leave_report, also=None))
