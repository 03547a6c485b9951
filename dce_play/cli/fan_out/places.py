"""Where the items of loops with ``fan_out`` run, by the options of the run."""

import sys
from pathlib import Path

import dce_play
from dce_play.cli.fan_out.brief import make_brief
from dce_play.cli.fan_out.item_report import leave_item_report
from dce_play.events import Mode
from dce_play.playbook.plan.plan import Plan, walk
from dce_play.runner.fan_out.executor import FanOut
from dce_play.runner.fan_out.jobs import Jobs
from dce_play.runner.in_turn import InTurn
from dce_play.runner.settings import RunSettings

_PACKAGE = str(Path(dce_play.__file__).parents[1])
_BEGIN = f"import sys; sys.path.insert(0, {_PACKAGE!r}); from dce_play.cli.fan_out import item_process as p; p.main()"
ITEM_PROCESS = (sys.executable, "-P", "-c", _BEGIN)
"""The argv of a process that runs items: of this very package, whatever the environment says, which stays as it is."""


def fan_out_of(plan: Plan, settings: RunSettings, /, *, jobs: int | None, plugins: bool) -> FanOut | None:
    """Return how the run spreads items; ``None`` where it has none to spread, only looks, or asks at every step.

    Raises: UsageError, when a file that must go with them changed meanwhile.
    """
    if settings.mode is Mode.DRY_RUN or settings.step_by_step:
        return None
    if not any(node.keywords.fan_out for node in walk(plan.preflight + plan.steps)):
        return None
    if jobs is None:
        return InTurn(plan, settings, leave_item_report)
    return Jobs(
        count=jobs,
        argv=ITEM_PROCESS,
        environment=settings.environment,
        brief=make_brief(plan, settings, plugins=plugins),
        runs=settings.run_folder.parent,
        said=settings.run_folder / "scratch",
    )
