"""Which targets and channels a run is about."""

from collections.abc import Sequence
from typing import ClassVar

from dce_play.discord.targets.model import Target, TargetKind, TargetsFile
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.snowflake import ChannelId, GuildId, is_full_id
from dce_play.source import did_you_mean


class NothingSelected(DcePlayError):
    """What was asked for does not exist, or nothing is left of it."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_SELECTED


def select_targets(targets_file: TargetsFile, names: Sequence[str]) -> tuple[Target, ...]:
    """Return the named targets, disabled ones too, or all enabled ones; always in file order.

    ``a,b`` names two targets, unless one is called just that.

    Raises: NothingSelected, for an unknown name and when nothing is enabled.
    """
    known = [target.name for target in targets_file.targets]
    names = [part for name in names for part in ([name] if name in known else filter(None, name.split(",")))]
    for name in names:
        if name not in known:
            raise NothingSelected(f"no target named {name!r} in {targets_file.path}", hint=did_you_mean(name, known))
    if names:
        return tuple(target for target in targets_file.targets if target.name in names)
    enabled = tuple(target for target in targets_file.targets if target.enabled)
    if not enabled:
        raise NothingSelected(
            f"no enabled targets in {targets_file.path}", hint="name one with --target, or set enabled: true"
        )
    return enabled


def check_narrowing(
    targets: Sequence[Target], *, channels: Sequence[str], guilds: Sequence[str]
) -> tuple[tuple[ChannelId, ...], tuple[GuildId, ...]]:
    """Return the channels and guilds to narrow to, checked.

    Raises: UsageError, when more than one target is selected or the target cannot be narrowed that way.
    """
    for identifier in (*channels, *guilds):
        if not is_full_id(identifier):
            raise UsageError(f"not a Discord id: {identifier!r}", hint="ids have 16 to 22 digits")
    if (channels or guilds) and len(targets) != 1:
        raise UsageError(
            f"--channel and --guild need exactly one target; {len(targets)} are selected", hint="add --target NAME"
        )
    if guilds and targets[0].kind is TargetKind.DMS:
        raise UsageError("DM targets do not support --guild", hint="narrow with --channel")
    if guilds and targets[0].channel_ids:
        raise UsageError("channel-scoped targets do not support --guild", hint="narrow with --channel")
    if channels and targets[0].channel_ids:
        for channel in channels:
            if channel not in targets[0].channel_ids:
                raise UsageError(
                    f"channel {channel} is outside the allowed scope of target {targets[0].name!r}",
                    hint=did_you_mean(channel, targets[0].channel_ids),
                )
    unique_channels = tuple(ChannelId(channel) for channel in dict.fromkeys(channels))
    return unique_channels, tuple(GuildId(guild) for guild in dict.fromkeys(guilds))
