"""Proving that token and targets work, without writing anything and with at most one page a channel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dce_play.discord.archive.folder.channel_map import ChannelMap
from dce_play.discord.archive.records.cursor import read_cursor
from dce_play.discord.exporters.protocol import ChannelSkipped, Exporter
from dce_play.discord.scrape.channels import ChosenChannel, choose_channels
from dce_play.discord.scrape.unfinished import read_unfinished
from dce_play.discord.targets.model import Target
from dce_play.errors import DcePlayError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId, GuildId, MessageId


class PreflightFailed(DcePlayError):
    """A target cannot be scraped as things are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedChannel:
    """What one probe found. ``reason`` is empty for a channel that can be read."""

    channel_id: ChannelId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What the probes of one target found."""

    target: str
    channel_count: int
    seed_count: int
    probed: tuple[ProbedChannel, ...]

    @property
    def readable(self) -> tuple[ChannelId, ...]:
        return tuple(probe.channel_id for probe in self.probed if not probe.reason)


def preflight_target(
    target: Target,
    *,
    exporter: Exporter,
    only: tuple[ChannelId, ...] = (),
    guilds: tuple[GuildId, ...] = (),
    enough: int = 1,
    note: Callable[[str], None],
) -> Preflight:
    """Probe channels in order until ``enough`` can be read (0: probe all), and return what was found.

    A channel that this token cannot read is passed over; anything else that goes wrong is raised.
    Raises: PreflightFailed, when no channel can be read and there is no archive either; NoChannels, ExportError.
    Source: docs/contract.md, R-3.20, R-3.21.
    """
    layout = TargetLayout(target.output_dir)
    channel_map = ChannelMap(layout, known=target.channel_ids)
    channel_files = channel_map.channels()
    choice = choose_channels(
        target,
        channel_files=channel_files,
        unfinished=read_unfinished(layout),
        only=only,
        guilds=guilds,
        exporter=exporter,
    )
    probed = _probe(choice.channels, channel_map, exporter, enough, note)
    result = Preflight(
        target=target.name, channel_count=len(choice.channels), seed_count=len(channel_files), probed=tuple(probed)
    )
    _tell(result, target, note)
    return result


def _probe(
    channels: Sequence[ChosenChannel],
    channel_map: ChannelMap,
    exporter: Exporter,
    enough: int,
    note: Callable[[str], None],
) -> list[ProbedChannel]:
    probed: list[ProbedChannel] = []
    readable = 0
    for chosen in channels:
        if not chosen.exportable:
            continue
        try:
            exporter.probe(chosen.channel_id, _cursor(channel_map, chosen.channel_id, note))
        except ChannelSkipped as error:
            note(f"Preflight probe skipped channel {chosen.channel_id} (forbidden or inaccessible).")
            probed.append(ProbedChannel(channel_id=chosen.channel_id, reason=error.reason.value))
            continue
        probed.append(ProbedChannel(channel_id=chosen.channel_id))
        readable += 1
        if enough and readable >= enough:
            break
    return probed


def _cursor(channel_map: ChannelMap, channel_id: ChannelId, note: Callable[[str], None]) -> MessageId | None:
    """Return where the channel's file ends. A bad file is told: it is its own channel's failure, not the token's."""
    try:
        archive = channel_map.destination(channel_id)
        return read_cursor(archive, layout=channel_map.layout).last_id if archive else None
    except DcePlayError as error:
        note(f"WARN: {error}")
        return None


def _tell(result: Preflight, target: Target, note: Callable[[str], None]) -> None:
    if result.readable:
        note(
            f"Preflight ok for target '{target.name}': token verified ({result.channel_count} channel(s) resolved, "
            f"probe succeeded on {result.readable[0]}) for {target.output_dir}."
        )
    elif result.seed_count:
        note(
            f"Preflight ok for target '{target.name}' with warning: all {result.channel_count} resolved channel(s) are "
            f"inaccessible, but {result.seed_count} seeded archive(s) exist under {target.output_dir}."
        )
    else:
        raise PreflightFailed(
            f"Target '{target.name}' failed preflight: every resolved channel is inaccessible and no seeded archives "
            f"exist under {target.output_dir}.",
            hint="give the token the rights to read the channels' history",
        )
