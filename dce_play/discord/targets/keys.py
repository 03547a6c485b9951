"""Every key of a targets file: the one table that the parser, the schema and the docs are made from."""

from dataclasses import dataclass
from enum import StrEnum

from dce_play.discord.media_store.policy import MediaMode
from dce_play.discord.targets.model import Discover, OddMessages, TargetKind


class KeyType(StrEnum):
    """What a key's value must be."""

    STRING = "string"
    BOOLEAN = "boolean"
    STRINGS = "strings"
    IDS = "ids"
    PATH = "path"
    MEMORY = "memory"
    SIZE = "size"
    JOBS = "jobs"
    HOSTS = "hosts"
    TARGETS = "targets"
    DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: its type, what it means, and what it may be."""

    type: KeyType
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()
    default: bool | str | int | None = None


FORMATS = ("latest", "2.46")
THREADS = ("none", "active", "all")
MOST_JOBS = 16
MEMORY_PATTERN = r"[1-9][0-9]*([bkmg]b?)?"

DEFAULT_KEYS: dict[str, Key] = {
    "include_threads": Key(
        type=KeyType.STRING,
        help="Which threads are listed with a guild's channels.",
        choices=THREADS,
        default="all",
    ),
    "include_voice_channels": Key(
        type=KeyType.BOOLEAN, help="Whether the chats of voice channels are listed too.", default=False
    ),
    "media": Key(
        type=KeyType.STRING,
        help="Which media are kept, as their URLs expire: none (off), attachments, or pictures of all kinds too (all).",
        choices=tuple(MediaMode),
        default=MediaMode.OFF,
    ),
    "media_max_file": Key(type=KeyType.SIZE, help="Media larger than this, such as 50MB, are not kept."),
    "media_exclude": Key(
        type=KeyType.STRINGS, help="Shell patterns of file names and content types that are not kept: *.exe, video/*."
    ),
    "media_budget": Key(type=KeyType.SIZE, help="How many bytes of media one run may fetch; the rest waits."),
    "media_jobs": Key(type=KeyType.JOBS, help="How many media are fetched at a time, 1 to 16.", default=4),
    "media_bandwidth": Key(type=KeyType.SIZE, help="How many bytes of media a second, over all."),
    "media_hosts": Key(
        type=KeyType.HOSTS, help="More hosts to fetch media from; for tests an origin http://127.0.0.1:PORT."
    ),
}

TARGET_KEYS: dict[str, Key] = {
    "name": Key(type=KeyType.STRING, help="Unique name, used by --target and in file names.", required=True),
    "kind": Key(
        type=KeyType.STRING,
        help="A guild's channels, or the direct messages.",
        choices=tuple(TargetKind),
        default=TargetKind.GUILD,
    ),
    "output_dir": Key(
        type=KeyType.PATH,
        help="Folder of the target's channel files: absolute, inside archive_root, shared with no other target.",
        required=True,
    ),
    "host": Key(
        type=KeyType.STRING,
        help="The host whose workers alone take this target's items, with run --cluster; else any worker does.",
    ),
    "enabled": Key(
        type=KeyType.BOOLEAN,
        help="False: not part of a run over all targets; it still runs when named by --target.",
        default=True,
    ),
    "disabled_reason": Key(type=KeyType.STRING, help="Why the target is disabled; shown in the plan."),
    "guild_ids": Key(type=KeyType.IDS, help="Guilds whose channels are listed."),
    "channel_ids": Key(type=KeyType.IDS, help="Exactly these channels; wins over everything else."),
    "guild_name_patterns": Key(
        type=KeyType.STRINGS, help="Parts of the guild's name, to find its id; exactly one guild must match."
    ),
    **DEFAULT_KEYS,
    "container_memory": Key(
        type=KeyType.MEMORY, help="Memory limit of the target's exporter container, such as 8g or 8192m."
    ),
    "discover": Key(
        type=KeyType.STRING,
        help="When the guild's channels are listed besides those that have a channel file already.",
        choices=tuple(Discover),
        default=Discover.WHEN_UNSEEDED,
    ),
    "exporter": Key(
        type=KeyType.STRING,
        help="The program that fetches this target's messages.",
        choices=("auto", "discord_api", "dce_cli", "container"),
    ),
    "exclude_channel_ids": Key(type=KeyType.IDS, help="Channels of the guild that are not wanted; nor their threads."),
    "exclude_channel_patterns": Key(
        type=KeyType.STRINGS,
        help="Shell patterns of names, as discover shows them, of channels that are not wanted: Archive / *, *bot*.",
    ),
    "odd_messages": Key(
        type=KeyType.STRING,
        help="A message that cannot be read stops its channel, or is kept as it came beside the file (raw).",
        choices=tuple(OddMessages),
        default=OddMessages.STOP,
    ),
    "format": Key(
        type=KeyType.STRING,
        help="Which DiscordChatExporter's files to write; without it latest for new files, old ones keep theirs.",
        choices=FORMATS,
    ),
    "raw": Key(
        type=KeyType.BOOLEAN,
        help="Also keep every new message as Discord gave it, in compressed JSON lines beside the file.",
        default=False,
    ),
}

TOP_KEYS: dict[str, Key] = {
    "archive_root": Key(
        type=KeyType.PATH, help="Absolute folder under which all targets' archives live; one lock.", required=True
    ),
    "defaults": Key(type=KeyType.DEFAULTS, help="Values for targets that do not say otherwise."),
    "targets": Key(type=KeyType.TARGETS, help="One entry for each archive.", required=True),
    "$schema": Key(type=KeyType.STRING, help="For editors; ignored."),
}
