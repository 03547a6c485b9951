"""Ask a web server for a page and check the answer. A dry run asks nothing."""

from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import UNKNOWN, Change, Context, Duration, Effects, Info, StepFailed, StepPlan, StepResult, View

NAME = "http.check"
EFFECTS = Effects.REMOTE
REPEATABLE = True
REHEARSABLE = False

_PATIENCE = Duration(10.0)
_KEPT_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to ask for, and what the answer must be."""

    url: Annotated[str, Info(help="The page.", pattern="https?://.+", example="http://127.0.0.1:8123/health")]
    status: Annotated[tuple[int, ...], Info(help="Status codes that are successes.")] = (200,)
    contains: Annotated[str, Info(help="Text that the answer must hold.")] = ""
    timeout: Annotated[Duration, Info(help="How long to wait for the whole answer to begin.")] = _PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The answer."""

    status: Annotated[int, Info(help="Its status code.")]
    body: Annotated[str, Info(help="Its first 2000 characters.")]


def plan(params: Params, _view: View, /) -> StepPlan:
    """Tell what would be asked."""
    change = Change(what=f"request {params.url}")
    return StepPlan(
        summary=f"would request {params.url}", changes=(change,), outputs={"status": UNKNOWN, "body": UNKNOWN}
    )


def apply(params: Params, _ctx: Context, /) -> StepResult:
    """Ask once; a playbook that wants patience says ``until`` and ``retries``."""
    import httpx2  # 150 ms to import, and only this step and the exporters need it

    try:
        answer = httpx2.get(params.url, timeout=params.timeout, trust_env=False)
    except httpx2.HTTPError as error:
        raise StepFailed(f"{params.url} does not answer: {str(error) or type(error).__name__}") from error
    outputs = Outputs(status=answer.status_code, body=answer.text[:_KEPT_CHARACTERS])
    if answer.status_code not in params.status:
        raise StepFailed(f"{params.url} answered {answer.status_code}", hint=outputs.body[:200], outputs=outputs)
    if params.contains not in answer.text:
        raise StepFailed(f'{params.url} does not say "{params.contains}"', outputs=outputs)
    return StepResult(changed=False, summary=f"{params.url} answered {answer.status_code}", outputs=outputs)
