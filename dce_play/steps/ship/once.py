"""Send every episode that is ready, once. Fails when one was quarantined or held, unless ``accept`` names that."""

from dataclasses import dataclass
from typing import Annotated, Literal

from dce_play.plugin import Change, Context, Effects, Info, NotAccepted, StepFailed, StepPlan, StepResult, View
from dce_play.services.shipper import Stopped, open_shipper
from dce_play.system.counted import counted
from dce_play.transfer.sending.attempt import Result
from dce_play.transfer.sending.connection.verdict import Outcome
from dce_play.transfer.sending.episodes.spool import Spool
from dce_play.transfer.sending.settings import load_named
from dce_play.transfer.sending.ship_pass import PassResult, in_order

NAME = "ship.once"
EFFECTS = Effects.LOCAL
REPEATABLE = True
REHEARSABLE = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Which shipper, and what it may leave behind."""

    config: Annotated[str, Info(help="The ship.toml; empty: DCE_SHIP_CONFIG, else the system's.")] = ""
    accept: Annotated[
        tuple[Literal["quarantined", "held"], ...], Info(help="Outcomes that are no failure.", example=["held"])
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """How many episodes had which outcome."""

    stored: Annotated[int, Info(help="Stored by the receiver in this pass.")]
    duplicate: Annotated[int, Info(help="Stored there before.")]
    quarantined: Annotated[int, Info(help="Refused for good, and in quarantine now.")]
    retry: Annotated[int, Info(help="To be tried again.")]
    held: Annotated[int, Info(help="Waiting for the version gate to take their commit.")]
    waiting: Annotated[int, Info(help="Not ready yet.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Count what is ready; ask nobody."""
    config = load_named(params.config, folder=view.folder, environment=view.environment)
    spool = Spool(config)
    ready, waiting = in_order(spool, spool.list_episodes()[0])
    return StepPlan(
        summary=f"would send {counted(len(ready), 'episode')} to {config.url}; {waiting} not ready",
        changes=tuple(Change(what=f"send {each}") for each in ready[:20]),
        outputs={"waiting": waiting},
    )


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Make one pass."""
    config = load_named(params.config, folder=ctx.folder, environment=ctx.environment)

    def told(result: Result) -> None:
        verdict = result.verdict
        ctx.reporter.item(str(result.id), str(verdict.outcome), verdict.code or verdict.detail)

    try:
        with open_shipper(config, environment=ctx.environment, cancelled=ctx.cancelled, on_result=told) as shipper:
            done = shipper.once()
    except Stopped as error:
        raise StepFailed("stopped before all episodes were sent; the next pass goes on") from error
    outputs = Outputs(waiting=done.waiting, **{str(outcome): done.count(outcome) for outcome in Outcome})
    _check(done, outputs, params, config.option)
    sent = outputs.stored + outputs.duplicate
    return StepResult(changed=sent > 0, summary=f"{sent} stored, {done.waiting} not ready", outputs=outputs)


def _check(done: PassResult, outputs: Outputs, params: Params, option: str) -> None:
    ask = f"dce-play ship ping {option}"
    if done.paused == "auth":
        raise NotAccepted("the receiver does not accept us", hint=ask, outputs=outputs)
    if done.paused is not None:
        raise StepFailed(f"the receiver cannot be used now ({done.paused})", hint=ask, outputs=outputs)
    for word, count in (("quarantined", outputs.quarantined), ("held", outputs.held)):
        if count and word not in params.accept:
            look = f"dce-play quarantine list {option}"
            raise StepFailed(f"{counted(count, 'episode')} {word}", hint=look, outputs=outputs)
