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
    detail: Annotated[bool, Info(help="For the record: the log file, -v and jsonl have it, the page does not.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Nothing."""


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Say it, line by line."""
    tell = ctx.reporter.note if params.detail else ctx.reporter.say
    for line in params.text.splitlines() or [""]:
        tell(line)
    return StepResult(changed=False, summary="", outputs=Outputs())
