"""Fetch the bytes of media that a target's channel files name and its store lacks.

Missing media are told and fail nothing, unless strict. A store that cannot be used, and a channel file that cannot be
read, fail the step. A target that keeps no media is passed over.
"""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from dce_play.discord.media.backlog import fetch_backlog
from dce_play.discord.media.opened import MediaTools
from dce_play.discord.media.outcome import MediaOutcome
from dce_play.discord.media_store.policy import MediaMode
from dce_play.plugin import Change, Context, Effects, Info, StepFailed, StepPlan, StepResult, View
from dce_play.system.counted import counted

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
    waiting: Annotated[int, Info(help="Media that wait for the next run: the budget was used up, or it was stopped.")]
    unread: Annotated[int, Info(help="Channel files that could not be looked through.")]
    trouble: Annotated[str, Info(help="Why the store could not be used to the end; empty when it could.")]


def outputs_of(outcome: MediaOutcome) -> Outputs:
    """Return what a run did, as the step and the verb tell it."""
    return Outputs(
        kept=outcome.kept,
        kept_bytes=outcome.kept_bytes,
        missing=outcome.missing,
        waiting=outcome.waiting,
        unread=outcome.unread,
        trouble=outcome.trouble,
    )


def plan(params: Params, view: View, /) -> StepPlan:
    """Tell whose media would be fetched."""
    target = view.chosen_targets(params.target)[0]
    mode = params.media or target.media.mode
    if mode == MediaMode.OFF:
        return StepPlan(summary="keeps no media", outputs=asdict(outputs_of(MediaOutcome())))
    change = Change(what=f"fetch media of target {target.name}", path=target.output_dir)
    return StepPlan(summary="would fetch media", changes=(change,), outputs={})


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Fetch, and tell."""
    target = ctx.chosen_targets(params.target)[0]
    if params.media:
        target = replace(target, media=replace(target.media, mode=MediaMode(params.media)))
    if not target.media.on:
        nothing = outputs_of(MediaOutcome())
        return StepResult(changed=False, summary="keeps no media (media: off)", outputs=nothing)
    tools = MediaTools(
        environment=ctx.environment,
        folder=ctx.folder,
        clock=ctx.clock,
        run_id=ctx.run_id,
        note=ctx.reporter.say,
        protect=ctx.secrets.protect,
        cancelled=ctx.cancelled,
        progress=ctx.reporter.progress,
    )
    outcome = fetch_backlog(target, tools)
    for line in outcome.lines(target.name):
        ctx.reporter.say(line)
    outputs = outputs_of(outcome)
    if outcome.trouble:
        raise StepFailed(f"media of target {target.name!r} are not kept: {outcome.trouble}", outputs=outputs)
    if outcome.unread:
        raise StepFailed(
            f"target {target.name!r}: {counted(outcome.unread, 'channel file')} cannot be read", outputs=outputs
        )
    if params.strict and outcome.missing:
        raise StepFailed(f"target {target.name!r}: {outcome.missing} media missing", outputs=outputs)
    missing = f"; ! {outcome.missing} media missing" if outcome.missing else ""
    return StepResult(
        changed=bool(outcome.states.total()), summary=f"kept {outcome.kept} media{missing}", outputs=outputs
    )
