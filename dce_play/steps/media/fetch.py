"""Fetch the bytes of media that a target's channel files name and its store lacks.

Missing media are told and fail nothing, unless strict. A target that keeps no media is passed over.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from dce_play.discord.media.backlog import fetch_backlog
from dce_play.discord.media.opened import MediaTools
from dce_play.discord.media_store.policy import MediaMode
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View

NAME = "media.fetch"
EFFECTS = Effects.ARCHIVE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Whose media."""

    target: Annotated[str, Info(help="Name of the target.")]
    media: Annotated[
        Literal["", "off", "attachments", "all"], Info(help="Which media are kept; empty: the target's choice.")
    ] = ""
    strict: Annotated[bool, Info(help="Fail when media are missing.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What came of it."""

    kept: Annotated[int, Info(help="Media that were fetched.")]
    kept_bytes: Annotated[int, Info(help="Their bytes.")]
    missing: Annotated[int, Info(help="Media that this run found to be gone, or could not fetch.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell whose media would be fetched."""
    target = view.chosen_targets(params.target)[0]
    mode = params.media or target.media.mode
    if mode == MediaMode.OFF:
        return StepPlan(summary="keeps no media", outputs={"kept": 0, "kept_bytes": 0, "missing": 0})
    change = Change(what=f"fetch media of target {target.name}", path=target.output_dir)
    return StepPlan(summary="would fetch media", changes=(change,), outputs={})


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Fetch, and tell."""
    target = ctx.chosen_targets(params.target)[0]
    if params.media:
        target = replace(target, media=replace(target.media, mode=MediaMode(params.media)))
    if not target.media.on:
        outputs = Outputs(kept=0, kept_bytes=0, missing=0)
        return StepResult(changed=False, summary="keeps no media (media: off)", outputs=outputs)
    tools = MediaTools(
        environment=ctx.environment,
        folder=ctx.folder,
        clock=ctx.clock,
        run_id=ctx.run_id,
        note=ctx.reporter.say,
        protect=ctx.secrets.protect,
        cancelled=ctx.cancelled,
    )
    outcome = fetch_backlog(target, tools)
    for line in outcome.lines(target.name):
        ctx.reporter.say(line)
    outputs = Outputs(kept=outcome.kept, kept_bytes=outcome.kept_bytes, missing=outcome.missing)
    if params.strict and outcome.missing:
        raise StepFailed(f"target {target.name!r}: {outcome.missing} media missing", outputs=outputs)
    missing = f"; ! {outcome.missing} media missing" if outcome.missing else ""
    return StepResult(
        changed=bool(outcome.states.total()), summary=f"kept {outcome.kept} media{missing}", outputs=outputs
    )
