"""Show which targets and channels a run is about, where they go and from where they go on. Makes no request."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dce_play.discord.archive.folder.channel_map import ChannelMap
from dce_play.discord.archive.folder.temps import list_temps
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.discord.scrape.channels import ChosenChannel, known_channels
from dce_play.discord.scrape.unfinished import read_unfinished
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.plugin import Context, Effects, Info, Selection, StepResult
from dce_play.snowflake import ChannelId
from dce_play.system.counted import counted

NAME = "scrape.plan"
EFFECTS = Effects.NONE
REPEATABLE = True
REHEARSABLE = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """How to head the plan, and how much of it to show."""

    label: Annotated[str, Info(help="Heading.", example="Operator proof")] = "Scrape"
    channels: Annotated[bool, Info(help="One line for each channel, too.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """How much there is to do."""

    target_count: Annotated[int, Info(help="Targets of this run.")]
    channel_count: Annotated[int, Info(help="Channels known without asking Discord.")]
    stale_count: Annotated[int, Info(help="Exports that dead runs left.")]
    without_media: Annotated[list[str], Info(help="Targets that keep no media; the URLs in their files expire.")]
    options: Annotated[str, Info(help="The options that make another command about the same; quoted for a shell.")]


def apply(params: Params, ctx: Context, /) -> StepResult:
    """Tell the plan."""
    targets_file = ctx.targets_file
    chosen = ctx.chosen_targets()
    say = ctx.reporter.note
    say(f"=== {params.label} run plan ===")
    say(f"Config: {targets_file.path.absolute()} (sha256 {targets_file.sha256[:12]})")
    all_enabled = chosen == tuple(target for target in targets_file.targets if target.enabled)
    say(f"Targets ({len(chosen)} {'enabled, all will run' if all_enabled else 'selected'}):")
    channel_count = stale_count = 0
    for target in chosen:
        memory = f" (container_memory: {target.container_memory})" if target.container_memory else ""
        disabled = "" if target.enabled else f" (disabled: {target.disabled_reason or 'no reason given'})"
        say(f"  - {target.name} → {target.output_dir}{memory}{disabled}")
        counts = _tell_target(target, params, ctx)
        channel_count += counts[0]
        stale_count += counts[1]
    outputs = Outputs(
        target_count=len(chosen),
        channel_count=channel_count,
        stale_count=stale_count,
        without_media=[target.name for target in chosen if not target.media.on],
        options=_options(targets_file, () if all_enabled else chosen, ctx.selection),
    )
    return StepResult(
        changed=False,
        summary=counted(channel_count, "channel"),
        outputs=outputs,
    )


def _options(targets_file: TargetsFile, named: Sequence[Target], selection: Selection) -> str:
    words = ["--config", str(targets_file.path.absolute())]
    for option, values in (
        ("--target", [target.name for target in named]),
        ("--guild", selection.guilds),
        ("--channel", selection.channels),
    ):
        for value in values:
            words += [option, value]
    return shlex.join(words)


def _tell_target(target: Target, params: Params, ctx: Context) -> tuple[int, int]:
    layout = TargetLayout(target.output_dir)
    channel_map = ChannelMap(layout, known=target.channel_ids)
    choice = known_channels(
        target, channel_files=channel_map.channels(), unfinished=read_unfinished(layout), only=ctx.selection.channels
    )
    temps = list_temps(layout, channels=ctx.selection.channels)
    if choice is None:
        ctx.reporter.note("    Server scope: asked of Discord when the scrape begins")
        return 0, len(temps)
    ctx.reporter.note(f"    Server scope: {choice.scope}")
    if temps:
        ctx.reporter.note(f"    Exports left by dead runs: {len(temps)}")
    if params.channels:
        for chosen in choice.channels:
            ctx.reporter.note(f"    {_line(chosen, channel_map)}")
    return len(choice.channels), len(temps)


def _line(chosen: ChosenChannel, channel_map: ChannelMap) -> str:
    try:
        archive = channel_map.destination(chosen.channel_id)
        return f"channel {chosen.channel_id}: {_cursor(archive, channel_map, chosen.channel_id)}"
    except DcePlayError as error:
        return f"channel {chosen.channel_id}: {error}"


def _cursor(archive: Path | None, channel_map: ChannelMap, channel_id: ChannelId) -> str:
    if archive is None:
        return "no channel file yet"
    cursor = read_cursor(archive, layout=channel_map.layout)
    stale = " (exports left by a dead run)" if list_temps(channel_map.layout, channels=(channel_id,)) else ""
    return f"{counted(cursor.message_count, 'message')}, after {cursor.last_id or 'nothing'} → {archive.name}{stale}"
