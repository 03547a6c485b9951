"""Ask Discord once whether the token is taken and one channel of each target can be read. Writes nothing.

A quick look before somebody says that all is well: little patience, and only with our own exporter, as
DiscordChatExporter takes minutes where nobody answers.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.exporters.choose import AUTO, ExporterName, chosen_exporter
from dce_play.discord.exporters.discord_api.client import ClientLimits, RequestGivenUp
from dce_play.discord.exporters.discord_api.transport import Timeouts
from dce_play.discord.scrape.preflight import preflight_target
from dce_play.discord.scrape.reporting import warnings_apart
from dce_play.discord.scrape.session import Session, SessionContext
from dce_play.discord.targets.model import Target
from dce_play.plugin import Context, Effects, Info, StepPlan, StepResult, View

NAME = "scrape.ask"
EFFECTS = Effects.REMOTE
REPEATABLE = True
REHEARSABLE = True

_QUICK = ClientLimits(retries=1, timeouts=Timeouts(connect_s=5.0, silence_s=10.0, total_s=20.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Nothing: the chosen targets are asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What Discord said."""

    asked: Annotated[bool, Info(help="Whether Discord was asked about every target, and answered well.")]
    detail: Annotated[str, Info(help="Why it was not, else empty.")]


def plan(_params: Params, view: View, /) -> StepPlan:
    """Ask nobody."""
    targets = view.chosen_targets()
    return StepPlan(
        summary=f"would ask Discord about {len(targets)} target(s)",
        outputs={"asked": False, "detail": "a dry run asks nobody"},
    )


def apply(_params: Params, ctx: Context, /) -> StepResult:
    """Ask about each target in turn. What Discord refuses fails; that it does not answer is told."""
    details = [detail for target in ctx.chosen_targets() if (detail := _not_asked(target, ctx))]
    for detail in details:
        ctx.reporter.say(f"WARN: {detail}")
    outputs = Outputs(asked=not details, detail="; ".join(details))
    return StepResult(changed=False, summary=details[0] if details else "token ok", outputs=outputs)


def _not_asked(target: Target, ctx: Context) -> str:
    """Return why nothing is known of a target; empty when Discord answered that it can be read."""
    chosen = chosen_exporter(target.exporter or AUTO, ctx.environment)
    if chosen is not ExporterName.DISCORD_API:
        return f"Discord was not asked about target '{target.name}', as {chosen.value} exports it"
    context = SessionContext(
        environment=ctx.environment,
        folder=ctx.folder,
        archive_root=ctx.targets_file.archive_root,
        executor=ctx.executor,
        clock=ctx.clock,
        protect=ctx.secrets.protect,
        note=warnings_apart(ctx.reporter.say, ctx.reporter.note),
        limits=_QUICK,
    )
    try:
        with Session(target, "", context) as session:
            preflight_target(
                target,
                exporter=session.exporter,
                only=ctx.selection.channels,
                guilds=ctx.selection.guilds,
                note=warnings_apart(ctx.reporter.say, ctx.reporter.note),
            )
    except RequestGivenUp as error:
        return f"Discord does not answer about target '{target.name}': {error.reason}"
    return ""
