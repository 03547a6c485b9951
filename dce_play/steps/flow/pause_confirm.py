"""Stop and ask the operator whether to go on.

``--yes`` answers yes. Without a terminal and without ``--yes`` the run ends with exit code 77: nobody is there to ask.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import Context, Effects, Info, StepFailed, StepPlan, StepResult, View

NAME = "pause.confirm"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to ask."""

    question: Annotated[str, Info(help="A question that yes or no answers", example="Apply the merge now?")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Nothing: whoever comes after has a yes."""


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell what would be asked."""
    return StepPlan(summary=f"would ask: {params.question}")


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Ask.

    Raises: StepFailed, when the answer is no; NobodyToAsk.
    """
    if not ctx.operator.confirm(params.question):
        raise StepFailed(f"answered no: {params.question}")
    return StepResult(changed=False, summary="answered yes", outputs=Outputs())
