"""Fail, with a message: the last step of a ``rescue`` that tidied up, so that the run still ends as failed.

A ``rescue`` whose steps all succeed makes its block rescued, and the run goes on.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import Context, Effects, Info, StepFailed, StepResult

NAME = "run.fail"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to say."""

    message: Annotated[str, Info(help="Why the run fails.", example="{{ failure.message }}")]
    hint: Annotated[str, Info(help="The next thing to do or to type.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Nothing: it never ends well."""


def apply(params: Params, _ctx: Context, /) -> StepResult:
    """Fail.

    Raises: StepFailed.
    """
    raise StepFailed(params.message or "failed on purpose", hint=params.hint)
