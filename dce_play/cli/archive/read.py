"""``dce-play archive stats`` and ``cat``: what is in a channel file."""

from pathlib import Path

import click

from dce_play.cli.app.verb import EXISTING, EXISTING_FILE, LateProgress, format_option, tell
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.places import layout_of, target_folders
from dce_play.discord.archive.proof.snapshot import target_seeds
from dce_play.discord.archive.view.cat import cat_file, cat_messages
from dce_play.discord.archive.view.stats import FileStats, file_stats
from dce_play.errors import ExitCode
from dce_play.render.terminal import data_output
from dce_play.snowflake import MessageId, is_number
from dce_play.system.counted import counted


@click.command(short_help="Print how many messages files hold, from when to when.")
@click.argument("paths", type=EXISTING, nargs=-1, required=True, metavar="PATH...")
@format_option
def stats(paths: tuple[Path, ...], *, output_format: str) -> int:
    """Print how many messages files hold, from when to when, and how large they are.

    PATH is a channel file, a target's folder or an archive root. Reads each file once. Changes nothing.

    \b
    Example:
      dce-play archive stats ~/archive

    Exit 0: told. Exit 1: a file cannot be read.
    """
    files = [file for path in paths for file in _channel_files(path.absolute())]
    progress = LateProgress("stats")
    for number, file in enumerate(files):
        progress(number, len(files), "files")
        found = file_stats(file, layout=layout_of(file))
        tell(output_format, _stats_lines(found), _stats_facts(found))
    return ExitCode.OK


@click.command(short_help="Print a channel file, whole even while it is appended to.")
@click.argument("file", type=EXISTING_FILE)
@click.option("--messages", is_flag=True, help="One message a line, instead of the file as it is.")
@click.option("--after", metavar="ID", help="With --messages: only those newer than this one.")
@click.option("--until", metavar="ID", help="With --messages: none newer than this one.")
def cat(file: Path, *, messages: bool, after: str | None, until: str | None) -> int:
    """Print a channel file as it was between two appends, for programs that know nothing of our lock.

    \b
    Examples:
      dce-play archive cat room.json | jq '.messages | length'
      dce-play archive cat --messages --after 1573523064803590321 room.json

    Exit 0: printed. Exit 1: the file cannot be read.
    """
    for name, given in (("--after", after), ("--until", until)):
        if given is not None and not (messages and is_number(given)):
            raise click.UsageError(f"{name} takes an id, and goes with --messages")
    file = file.absolute()
    layout = layout_of(file)
    with data_output() as stream:
        if not messages:
            for block in cat_file(file, layout=layout):
                stream.write(block)
            return ExitCode.OK
        first, last = (None if each is None else MessageId(each) for each in (after, until))
        for message in cat_messages(file, layout=layout, after=first, until=last):
            stream.write(message + b"\n")
    return ExitCode.OK


def _channel_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [seed.path for folder in target_folders(path) or [path] for seed in target_seeds(folder)]


def _stats_lines(found: FileStats) -> list[str]:
    months = list(found.by_month)
    when = f", {months[0]} to {months[-1]}" if months else ""
    return [
        f"{shown(found.path)}",
        f"  channel {found.head.channel_id}: {counted(found.message_count, 'message')}{when}",
        f"  {counted(found.size_bytes, 'byte')}, {found.mean_bytes} a message",
    ]


def _stats_facts(found: FileStats) -> dict[str, object]:
    return {
        "path": shown(found.path),
        "channel_id": found.head.channel_id,
        "message_count": found.message_count,
        "first_id": found.first_id,
        "last_id": found.last_id,
        "size_bytes": found.size_bytes,
        "mean_bytes": found.mean_bytes,
        "by_month": dict(found.by_month),
    }
