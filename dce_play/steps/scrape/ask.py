"""Ask Discord once whether it takes the token, and for the guilds and one channel of each target. Writes nothing.

A quick look before somebody says that all is well: little patience, and with our own client whatever exports a target,
as DiscordChatExporter takes minutes where nobody answers.
"""

from dataclasses import dataclass
from typing import Annotated

from dce_play.discord.exporters.choose import ExporterName
from dce_play.discord.exporters.discord_api.rest.client import ClientLimits
from dce_play.discord.exporters.discord_api.rest.transport import Timeouts
from dce_play.discord.scrape.asking import doubts
from dce_play.discord.scrape.reporting import warnings_apart
from dce_play.discord.scrape.session import Session
from dce_play.plugin import Context, Effects, Info, StepPlan, StepResult, View
from dce_play.steps.scrape_session import session_context
from dce_play.system.counted import counted

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
        summary=f"would ask Discord about {counted(len(targets), 'target')}",
        outputs={"asked": False, "detail": "a dry run asks nobody"},
    )


def apply(_params: Params, ctx: Context, /) -> StepResult:
    """Ask about the token, and about each target in turn. What Discord refuses fails; that it is silent is told."""
    targets = ctx.chosen_targets()
    with Session(targets[0], ExporterName.DISCORD_API, session_context(ctx, _QUICK)) as session:
        details = doubts(
            targets,
            exporter=session.exporter,
            only=ctx.selection.channels,
            guilds=ctx.selection.guilds,
            note=warnings_apart(ctx.reporter.say, ctx.reporter.note),
        )
    for detail in details:
        ctx.reporter.say(f"WARN: {detail}")
    outputs = Outputs(asked=not details, detail="; ".join(details))
    return StepResult(changed=False, summary=details[0] if details else "token ok", outputs=outputs)
