"""Say one line to the operator, such as a marker that a script looks for.

It stands in the terminal, in the log file and among the events, masked like everything else.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import Context, Effects, Info, StepResult

NAME = "report.say"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to say."""

    text: Annotated[str, Info(help="The line", example="Operator proof finished.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Nothing."""


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Say it, line by line."""
    for line in params.text.splitlines() or [""]:
        ctx.reporter.say(line)
    return StepResult(changed=False, summary="", outputs=Outputs())
