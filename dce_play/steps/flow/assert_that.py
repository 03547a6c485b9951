"""Check that conditions hold, and fail with a message when one does not.

The first false one fails the step; nothing is read or written besides.
"""

from dataclasses import dataclass, field
from typing import Annotated

from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult

NAME = "assert.that"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What must hold."""

    conditions: Annotated[list[bool], Info(help="What must be true", example=["{{ before.file_count > 0 }}"])] = field(
        default_factory=list
    )
    message: Annotated[str, Info(help="What to say when one is false")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was checked."""

    condition_count: Annotated[int, Info(help="How many conditions held")]


def apply(params: Params, _ctx: Context, /) -> StepResult:
    """Fail at the first false condition."""
    for number, condition in enumerate(params.conditions, start=1):
        if not condition:
            text = params.message or f"condition {number} of {len(params.conditions)} does not hold"
            raise StepFailed(text)
    count = len(params.conditions)
    return StepResult(
        changed=False,
        summary="",  # that it holds is what was expected
        outputs=Outputs(condition_count=count),
    )
