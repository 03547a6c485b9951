"""Ask a web server for a page and check the answer. A dry run asks nothing.

The timeout covers the whole answer, and no more than 1 MiB of it is read.
"""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from dce_play.plugin import UNKNOWN, Change, Context, Duration, Effects, Info, StepFailed, StepPlan, StepResult, View

NAME = "http.check"
EFFECTS = Effects.REMOTE
REPEATABLE = True
REHEARSABLE = False

_ANSWER_TIMEOUT = Duration(10.0)
_KEPT_CHARACTERS = 2000
LONGEST_BODY_BYTES = 1 << 20
"""Read of an answer; the rest is left."""
_LOOK_UP_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to ask for, and what the answer must be."""

    url: Annotated[str, Info(help="The page.", pattern="https?://.+", example="http://127.0.0.1:8123/health")]
    status: Annotated[tuple[int, ...], Info(help="Status codes that are successes.")] = (200,)
    contains: Annotated[str, Info(help="Text that the answer must hold.")] = ""
    timeout: Annotated[Duration, Info(help="How long to wait for the whole answer.")] = _ANSWER_TIMEOUT


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


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Ask once; a playbook that wants patience says ``until`` and ``retries``."""
    status, data, whole = asyncio.run(_ask(params, ctx))
    text = data.decode("utf-8", "replace")
    outputs = Outputs(status=status, body=text[:_KEPT_CHARACTERS])
    if status not in params.status:
        raise StepFailed(f"{params.url} answered {status}", hint=outputs.body[:200], outputs=outputs)
    if params.contains not in text:
        where = "" if whole else f" in its first {LONGEST_BODY_BYTES >> 10} KiB"
        raise StepFailed(f'{params.url} does not say "{params.contains}"{where}', outputs=outputs)
    return StepResult(changed=False, summary=f"{params.url} answered {status}", outputs=outputs)


async def _ask(params: Params, ctx: Context) -> tuple[int, bytes, bool]:
    """Return status, body and whether that is all of it, within the timeout; sooner when the run is stopped."""
    asked = asyncio.ensure_future(_get(params))
    loop = asyncio.get_running_loop()
    end = loop.time() + params.timeout
    try:
        while not asked.done():
            if ctx.cancelled():
                raise StepFailed(f"{params.url} was not waited for: the run is being stopped")
            if loop.time() >= end:
                raise StepFailed(f"{params.url} did not answer in full within {params.timeout:g} s")
            await asyncio.wait({asked}, timeout=min(_LOOK_UP_S, max(0.0, end - loop.time())))
        return await asked
    finally:
        asked.cancel()


async def _get(params: Params) -> tuple[int, bytes, bool]:
    import httpx2  # 150 ms to import, and only this step and the exporters need it

    plain = {"Accept-Encoding": "identity"}  # a bomb would have to be as large on the way as it is here
    try:
        async with (
            httpx2.AsyncClient(timeout=params.timeout, trust_env=False) as client,
            client.stream("GET", params.url, headers=plain) as answer,
        ):
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > LONGEST_BODY_BYTES:
                    return answer.status_code, bytes(body[:LONGEST_BODY_BYTES]), False
            return answer.status_code, bytes(body), True
    except httpx2.HTTPError as error:
        raise StepFailed(f"{params.url} does not answer: {str(error) or type(error).__name__}") from error
