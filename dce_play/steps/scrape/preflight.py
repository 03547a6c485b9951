"""Prove that token and channels work, before anything is written. At most one page is fetched a channel.

A channel that this token cannot read is passed over; a crash of the exporter is a failure, never "inaccessible".
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.exporters.protocol import AuthenticationFailed, Exporter
from dce_play.discord.scrape.preflight import Preflight, preflight_target
from dce_play.discord.scrape.reporting import warnings_apart
from dce_play.discord.scrape.session import Session
from dce_play.discord.targets.model import Target
from dce_play.plugin import Context, Effects, Info, StepPlan, StepResult, View
from dce_play.steps.scrape_session import ExporterChoice, session_context
from dce_play.system.counted import counted

NAME = "scrape.preflight"
EFFECTS = Effects.REMOTE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """What to probe."""

    target: Annotated[str, Info(help="Name of the target.")]
    exporter: ExporterChoice = ""
    enough: Annotated[int, Info(help="Stop after this many readable channels; 0 probes all.", minimum=0)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What was found."""

    channel_count: Annotated[int, Info(help="Channels of the target.")]
    readable: Annotated[tuple[str, ...], Info(help="Probed channels that can be read.")]
    inaccessible: Annotated[tuple[str, ...], Info(help="Probed channels that cannot.")]


def plan(params: Params, view: View, /) -> StepPlan:
    """Check that the target exists; ask nobody."""
    target = view.chosen_targets(params.target)[0]
    return StepPlan(summary=f"would probe the channels of {target.name}")


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Probe."""
    target = ctx.chosen_targets(params.target)[0]
    with Session(target, params.exporter, session_context(ctx)) as session:
        try:
            found = _probe(target, session.exporter, params, ctx)
        except AuthenticationFailed:
            renewed = session.refresh()
            if renewed is None:
                raise
            ctx.reporter.say("Detected Discord auth failure. Refreshed the token, retrying once...")
            found = _probe(target, renewed, params, ctx)
    inaccessible = tuple(probe.channel_id for probe in found.probed if probe.reason)
    return StepResult(
        changed=False,
        summary=f"{len(found.readable)} of {counted(len(found.probed), 'probed channel')} readable",
        outputs=Outputs(channel_count=found.channel_count, readable=found.readable, inaccessible=inaccessible),
    )


def _probe(target: Target, exporter: Exporter, params: Params, ctx: Context) -> Preflight:
    return preflight_target(
        target,
        exporter=exporter,
        only=ctx.selection.channels,
        guilds=ctx.selection.guilds,
        enough=params.enough,
        note=warnings_apart(ctx.reporter.say, ctx.reporter.note),
    )
