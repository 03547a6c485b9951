"""One target's scrape: its channels, one after another or a few at a time, and when to stop."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event, Lock

from dce_play.discord.archive.folder.channel_map import ChannelMap
from dce_play.discord.archive.folder.temps import list_temps
from dce_play.discord.exporters.protocol import AuthenticationFailed, Exporter, ExportError
from dce_play.discord.scrape.channel import Place, RunMustStop, scrape_channel
from dce_play.discord.scrape.channels import Choice, ChosenChannel, choose_channels, list_cheaply, without_file
from dce_play.discord.scrape.guild_changes import Listed, changes, read_guild, remember_guild
from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome, TargetOutcome
from dce_play.discord.scrape.tools import Tools
from dce_play.discord.scrape.unfinished import read_unfinished, remember_unfinished, settle_unfinished
from dce_play.discord.targets.model import Discover, Target, TargetKind
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, GuildId
from dce_play.system.counted import counted, in_number

_LIST_CHEAPLY = frozenset({"discord_api"})
"""The exporters that can tell a guild's channels in one request; DiscordChatExporter is a process, and slow."""
_SHOWN = 10


class ScrapeStopped(DcePlayError):
    """A scrape ended before all channels had their turn. ``outcome`` tells what was done until then."""

    def __init__(self, cause: DcePlayError, outcome: TargetOutcome) -> None:
        super().__init__(str(cause), hint=cause.hint)
        self.cause = cause
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to scrape, and how patiently."""

    target: Target
    only: tuple[ChannelId, ...] = ()
    guilds: tuple[GuildId, ...] = ()
    parallel: int = 1
    """How many channels at a time."""
    stop_at_first_failure: bool = False


def scrape_target(job: Job, tools: Tools, *, refresh: Callable[[], Exporter | None]) -> TargetOutcome:
    """Scrape every channel of a target and return what came of each.

    When Discord does not accept the token, ``refresh`` is asked once for an exporter with another one; the scrape
    then goes on with the channel it stopped at.
    Raises: ScrapeStopped, with what was done; NoChannels, UsageError, ExportError when there is nothing to begin with.
    """
    job.target.output_dir.mkdir(parents=True, exist_ok=True)
    layout = TargetLayout(job.target.output_dir)
    channel_map = ChannelMap(layout, known=job.target.channel_ids)
    place = Place(
        target=job.target.name,
        layout=layout,
        channel_map=channel_map,
        map_lock=Lock(),
        stale=frozenset(temp.channel_id for temp in list_temps(layout)),
    )
    _bootstrap(channel_map, tools)
    choice, tools, refreshed = _choose(job, channel_map, tools, refresh)
    _tell_choice(job, choice, tools)
    listed = choice.listed or _listing(job, tools)
    unarchived = (*choice.left_out, *_missed(choice, listed, channel_map))
    _tell_unarchived(unarchived, job, tools)
    remember_unfinished(layout, (*choice.discovered, *(each.channel_id for each in choice.left_out)))
    outcomes: dict[ChannelId, ChannelOutcome] = {}
    pending: Sequence[ChosenChannel] = choice.channels
    while True:
        cause = _round(place, pending, job, tools, outcomes)
        if not isinstance(cause, AuthenticationFailed) or refreshed:
            break
        exporter, refreshed = refresh(), True
        if exporter is None:
            break
        _tell_refresh(tools)
        tools = replace(tools, exporter=exporter)
        pending = [each for each in pending if outcomes[each.channel_id].action is ChannelAction.NOT_TRIED]
    done = tuple(outcomes[each.channel_id] for each in choice.channels)
    outcome = TargetOutcome(
        target=job.target.name,
        channels=done,
        unarchived=tuple(each.name or each.channel_id for each in unarchived),
        news=_news(layout, listed, done, job, tools),
    )
    if cause is not None:
        raise ScrapeStopped(cause, outcome) from cause
    settle_unfinished(layout, outcome)
    return outcome


def known_seeds(target: Target) -> list[ChannelId]:
    """Return the channels of a target that have a channel file or a map entry. Writes nothing."""
    return ChannelMap(TargetLayout(target.output_dir), known=target.channel_ids).channels()


def _bootstrap(channel_map: ChannelMap, tools: Tools) -> None:
    done = channel_map.bootstrap()
    if done.added:
        folder = channel_map.layout.folder
        tools.listener.noted(
            f"Bootstrapped {len(done.added)} channel map entries from existing archives under {folder}."
        )
    for error in done.refused:
        tools.listener.noted(f"WARN: {error}")


def _choose(
    job: Job, channel_map: ChannelMap, tools: Tools, refresh: Callable[[], Exporter | None]
) -> tuple[Choice, Tools, bool]:
    def choose(tools: Tools) -> Choice:
        return choose_channels(
            job.target,
            channel_files=channel_map.channels(),
            unfinished=read_unfinished(channel_map.layout),
            only=job.only,
            guilds=job.guilds,
            exporter=tools.exporter,
        )

    try:
        return choose(tools), tools, False
    except AuthenticationFailed:
        exporter = refresh()
        if exporter is None:
            raise
        _tell_refresh(tools)
        renewed = replace(tools, exporter=exporter)
        return choose(renewed), renewed, True


def _round(
    place: Place, channels: Sequence[ChosenChannel], job: Job, tools: Tools, outcomes: dict[ChannelId, ChannelOutcome]
) -> DcePlayError | None:
    """Scrape these channels into ``outcomes``; return why the rest was not tried, if so."""
    stopped = Event()
    causes: list[DcePlayError] = []

    def scrape(chosen: ChosenChannel) -> ChannelOutcome:
        if stopped.is_set():
            return ChannelOutcome(
                target=place.target,
                channel_id=chosen.channel_id,
                action=ChannelAction.NOT_TRIED,
                reason=f"the run stopped before it: {causes[0]}",
            )
        try:
            outcome = scrape_channel(place, chosen, tools)
        except RunMustStop as stop:
            causes.append(stop.cause)
            stopped.set()
            return stop.outcome
        if outcome.action is ChannelAction.FAILED and job.stop_at_first_failure:
            causes.append(DcePlayError(f"channel {chosen.channel_id} failed: {outcome.reason}"))
            stopped.set()
        tools.listener.ended(outcome)
        return outcome

    with ThreadPoolExecutor(max_workers=max(job.parallel, 1), thread_name_prefix="channel") as pool:
        for outcome in pool.map(scrape, channels):
            outcomes[outcome.channel_id] = outcome
    return causes[0] if causes else None


def _tell_choice(job: Job, choice: Choice, tools: Tools) -> None:
    target = job.target
    tools.listener.noted(
        f"Target '{target.name}': processing {len(choice.channels)} channel(s) into {target.output_dir}."
    )
    tools.listener.chose(sum(1 for each in choice.channels if each.exportable))
    tools.listener.noted(f"  Server scope: {choice.scope}")
    if choice.discovered:
        tools.listener.noted(f"  New channels without a channel file yet: {', '.join(choice.discovered)}")


def _listing(job: Job, tools: Tools) -> Listed | None:
    """Return what the guilds list, where one request tells it and the target goes by its files."""
    if job.target.discover is not Discover.WHEN_UNSEEDED or tools.exporter.name not in _LIST_CHEAPLY:
        return None
    try:
        return list_cheaply(job.target, tools.exporter)
    except AuthenticationFailed:
        raise
    except ExportError as error:
        tools.listener.noted(f"WARN: whether the guild has channels without a channel file is not known: {error}")
        return None


def _missed(choice: Choice, listed: Listed | None, channel_map: ChannelMap) -> tuple[ChosenChannel, ...]:
    """Return the channels of a target's guilds that no run archives, as the target goes by its files."""
    if listed is None or choice.listed is not None:
        return ()
    taken = (*choice.channels, *choice.left_out)
    return without_file(listed, {*channel_map.channels(), *(each.channel_id for each in taken)})


def _news(
    layout: TargetLayout, listed: Listed | None, outcomes: Sequence[ChannelOutcome], job: Job, tools: Tools
) -> tuple[str, ...]:
    """Tell what has changed in the guild, once, and remember it. Direct messages are no guild's."""
    if job.target.kind is not TargetKind.GUILD:
        return ()
    known, found = changes(read_guild(layout), listed, outcomes)
    for change in found:
        tools.listener.noted(f"! Target '{job.target.name}': {change}")
    remember_guild(layout, known)
    return tuple(map(str, found))


def _tell_unarchived(unarchived: Sequence[ChosenChannel], job: Job, tools: Tools) -> None:
    if not unarchived:
        return
    shown = ", ".join(f"{each.name or 'channel'} ({each.channel_id})" for each in unarchived[:_SHOWN])
    more = f" and {len(unarchived) - _SHOWN} more" if len(unarchived) > _SHOWN else ""
    rest = "the next run without --channel takes them" if job.only else "discover: always takes them"
    line = (
        f"WARN: Target '{job.target.name}': {counted(len(unarchived), 'channel')} of the guild "
        f"{in_number(len(unarchived), 'is', 'are')} not archived: {shown}{more}; "
        f"{rest}, exclude_channel_ids says that they are not wanted"
    )
    tools.listener.missed({each.channel_id: each.own_name for each in unarchived}, line)


def _tell_refresh(tools: Tools) -> None:
    tools.listener.noted("Detected Discord auth failure. Refreshed the token, retrying once...")
