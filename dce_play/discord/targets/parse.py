"""From a document to a targets file, or to every problem it has."""

import hashlib
import os
from pathlib import Path

from dce_play.discord.media_store.policy import MediaMode, MediaPolicy
from dce_play.discord.targets.keys import DEFAULT_KEYS, TARGET_KEYS, TOP_KEYS
from dce_play.discord.targets.model import Discover, OddMessages, Target, TargetKind, TargetsFile
from dce_play.discord.targets.places import check_places
from dce_play.discord.targets.values import Reader
from dce_play.snowflake import ChannelId, GuildId
from dce_play.source import Document, InvalidDocument, JsonValue, Pointer, Problem
from dce_play.system.quantities import parse_size


def parse_targets(document: Document) -> TargetsFile:
    """Return the checked targets file.

    Raises: InvalidDocument, with all problems at once.
    Source: docs/contract.md, R-1.01 to R-1.16.
    """
    targets_file, problems = check_targets(document)
    if targets_file is None:
        raise InvalidDocument(problems, {document.path: document.text})
    return targets_file


def check_targets(document: Document) -> tuple[TargetsFile | None, list[Problem]]:
    """Return the targets file, or ``None`` where there are problems, and the problems."""
    reader = Reader(document)
    top = reader.mapping((), TOP_KEYS, "a targets file")
    if top is None:
        return None, reader.problems
    root = _archive_root(reader, top)
    defaults = reader.mapping(("defaults",), DEFAULT_KEYS, "defaults") if "defaults" in top else {}
    targets = _targets(reader, top, defaults or {})
    if root is not None:
        check_places(reader, root, targets)
    if reader.problems or root is None:
        return None, reader.problems
    return (
        TargetsFile(
            path=document.path,
            sha256=hashlib.sha256(document.text.encode()).hexdigest(),
            archive_root=root,
            targets=tuple(target for _, target in targets),
        ),
        [],
    )


def _archive_root(reader: Reader, top: dict[str, JsonValue]) -> Path | None:
    text = top.get("archive_root")
    if not isinstance(text, str):
        return None
    if not text:
        reader.report(("archive_root",), "E103", "archive_root is empty", "give the absolute folder of the archives")
        return None
    if not text.startswith("/"):
        absolute = os.path.normpath(reader.document.path.absolute().parent / text)
        reader.report(("archive_root",), "E103", "archive_root must be an absolute path", f"write {absolute}")
        return None
    return Path(text)


def _targets(reader: Reader, top: dict[str, JsonValue], defaults: dict[str, JsonValue]) -> list[tuple[Pointer, Target]]:
    entries = top.get("targets")
    if not isinstance(entries, list):
        return []
    if not entries:
        reader.report(("targets",), "E103", "a targets file needs at least one target", "add one: dce-play targets add")
    found: list[tuple[Pointer, Target]] = []
    names: dict[str, Pointer] = {}
    for index in range(len(entries)):
        pointer: Pointer = ("targets", index)
        entry = reader.mapping(pointer, TARGET_KEYS, "a target")
        target = _target(reader, pointer, entry, defaults) if entry is not None else None
        if target is None:
            continue
        if target.name in names:
            reader.report(
                (*pointer, "name"),
                "E105",
                f"duplicate target name {target.name!r}",
                "give each target a name of its own",
                related=(("first used here", reader.document.value_span((*names[target.name], "name"))),),
            )
        names.setdefault(target.name, pointer)
        found.append((pointer, target))
    return found


def _target(
    reader: Reader, pointer: Pointer, entry: dict[str, JsonValue], defaults: dict[str, JsonValue]
) -> Target | None:
    name = entry.get("name")
    output_dir = entry.get("output_dir")
    if not isinstance(name, str) or not isinstance(output_dir, str):
        return None
    if not name.strip() or any(ord(character) < 0x20 for character in name):
        reader.report(
            (*pointer, "name"), "E103", "a target's name must be printable text", "tabs and line breaks end it"
        )
        return None
    merged = {**defaults, **entry}
    return Target(
        name=name,
        output_dir=Path(output_dir),
        kind=TargetKind(str(entry.get("kind", TargetKind.GUILD))),
        host=_text(entry, "host"),
        enabled=entry.get("enabled") is not False,
        disabled_reason=_text(entry, "disabled_reason"),
        guild_ids=tuple(GuildId(text) for text in _texts(entry, "guild_ids")),
        channel_ids=tuple(ChannelId(text) for text in _texts(entry, "channel_ids")),
        guild_name_patterns=tuple(_texts(entry, "guild_name_patterns")),
        include_threads=str(merged.get("include_threads", "all")),
        include_voice_channels=merged.get("include_voice_channels") is True,
        container_memory=_text(entry, "container_memory"),
        discover=Discover(str(entry.get("discover", Discover.WHEN_UNSEEDED))),
        exporter=_text(entry, "exporter"),
        exclude_channel_ids=tuple(ChannelId(text) for text in _texts(entry, "exclude_channel_ids")),
        exclude_channel_patterns=tuple(_texts(entry, "exclude_channel_patterns")),
        odd_messages=OddMessages(str(entry.get("odd_messages", OddMessages.STOP))),
        format=_text(entry, "format"),
        raw=entry.get("raw") is True,
        media=_media(merged),
    )


def _media(entry: dict[str, JsonValue]) -> MediaPolicy:
    jobs = entry.get("media_jobs")
    return MediaPolicy(
        mode=MediaMode(str(entry.get("media", MediaMode.OFF))),
        max_file=_size(entry, "media_max_file"),
        exclude=tuple(_texts(entry, "media_exclude")),
        budget=_size(entry, "media_budget"),
        jobs=jobs if type(jobs) is int else MediaPolicy().jobs,
        bandwidth=_size(entry, "media_bandwidth"),
        hosts=tuple(_texts(entry, "media_hosts")),
    )


def _size(entry: dict[str, JsonValue], key: str) -> int | None:
    value = entry.get(key)
    return None if value is None else parse_size(str(value))


def _text(entry: dict[str, JsonValue], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None


def _texts(entry: dict[str, JsonValue], key: str) -> list[str]:
    value = entry.get(key)
    if not isinstance(value, list):
        return []
    return list(dict.fromkeys(item for item in value if isinstance(item, str)))
