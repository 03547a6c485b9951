"""What a targets file says, once checked."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dce_play.discord.media_store.policy import MediaPolicy
from dce_play.snowflake import ChannelId, GuildId


class TargetKind(StrEnum):
    """Where a target's channels come from."""

    GUILD = "guild"
    DMS = "dms"


class OddMessages(StrEnum):
    """What a message that cannot be read does to its channel."""

    STOP = "stop"
    RAW = "raw"
    """It is kept as it came, beside the channel file, and the channel goes on."""


class Discover(StrEnum):
    """When a guild's channels are listed, besides the channels that already have a channel file."""

    NEVER = "never"
    WHEN_UNSEEDED = "when_unseeded"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One archive's entry in the targets file: where its channels come from and where they go."""

    name: str
    output_dir: Path
    kind: TargetKind = TargetKind.GUILD
    host: str | None = None
    """The host whose workers alone take its items on a cluster; ``None`` for any."""
    enabled: bool = True
    disabled_reason: str | None = None
    guild_ids: tuple[GuildId, ...] = ()
    channel_ids: tuple[ChannelId, ...] = ()
    guild_name_patterns: tuple[str, ...] = ()
    include_threads: str = "all"
    include_voice_channels: bool = False
    container_memory: str | None = None
    discover: Discover = Discover.WHEN_UNSEEDED
    exporter: str | None = None
    """Name of the exporter for this target; ``None`` follows the run's choice."""
    exclude_channel_ids: tuple[ChannelId, ...] = ()
    exclude_channel_patterns: tuple[str, ...] = ()
    """Shell patterns over a listed channel's name, such as ``Archive / *``."""
    odd_messages: OddMessages = OddMessages.STOP
    format: str | None = None
    """``latest`` or ``2.46``; ``None`` is latest for new channel files and what it was for old ones."""
    raw: bool = False
    media: MediaPolicy = field(default_factory=MediaPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsFile:
    """A whole targets file. Every ``output_dir`` is inside ``archive_root``, and no two overlap."""

    path: Path
    sha256: str
    archive_root: Path
    targets: tuple[Target, ...] = field(default=())

    def named(self, name: str) -> Target | None:
        """Return the target of this name, enabled or not."""
        return next((target for target in self.targets if target.name == name), None)
