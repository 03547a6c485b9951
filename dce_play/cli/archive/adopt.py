"""``dce-play archive adopt``: take over archives that others made, and mend the maps of those that moved."""

import shlex
from pathlib import Path

import click

from dce_play.cli.app.guarded import guarded
from dce_play.cli.app.verb import (
    EXISTING_FOLDER,
    format_option,
    lock_wait_option,
    new_run_id,
    tell,
)
from dce_play.discord.archive.folder.channel_map import ChannelMap
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.places import target_folders
from dce_play.discord.archive.folder.seeds import twins_among
from dce_play.discord.archive.merge.adopt import Adoption, adopt_target
from dce_play.discord.archive.merge.merge import Prefer
from dce_play.discord.archive.merge.twins import merge_twins
from dce_play.discord.archive.proof.snapshot import target_seeds
from dce_play.discord.media.adopted import adopt_media
from dce_play.errors import ExitCode
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from dce_play.system.counted import counted


@click.command(short_help="Take over archives that others made, or that moved.")
@click.argument("root", type=EXISTING_FOLDER)
@click.option("--merge-twins", is_flag=True, help="Make one file of several files of one channel; originals are kept.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done; change nothing, lock nothing.")
@lock_wait_option
@format_option
def adopt(root: Path, *, merge_twins: bool, dry_run: bool, lock_wait_s: float, output_format: str) -> int:
    """Look at every JSON file under ROOT, tell what can be done with it, and enter the channel files into the maps.

    Map entries that lead nowhere are corrected, so this mends an archive root that was moved. No channel file is
    touched, unless --merge-twins is given.

    \b
    Example:
      dce-play archive adopt ~/archive --dry-run

    Exit 0: a run can go on with every file. Exit 1: some need a decision; the line of each says which.
    """
    root = root.absolute()
    fine = True
    with guarded(root, root=None, lock_wait_s=lock_wait_s, dry_run=dry_run):
        for folder in target_folders(root) or [root]:
            layout = TargetLayout(folder)
            if merge_twins:
                _merge(layout, dry_run=dry_run, output_format=output_format)
            adoption = adopt_target(layout, dry_run=dry_run)
            _tell(adoption, dry_run=dry_run, output_format=output_format)
            _adopt_media(layout, dry_run=dry_run, output_format=output_format)
            fine = fine and adoption.ok
    return ExitCode.OK if fine else ExitCode.FAILED


def _adopt_media(layout: TargetLayout, *, dry_run: bool, output_format: str) -> None:
    taken = adopt_media(layout, now=SystemClock().now(), dry_run=dry_run)
    if taken:
        word = "Would take over" if dry_run else "Took over"
        line = f"{word} {taken} media that DiscordChatExporter left under {shown(layout.folder)}"
        tell(output_format, [line], {"folder": shown(layout.folder), "media": taken, "dry_run": dry_run})


def _merge(layout: TargetLayout, *, dry_run: bool, output_format: str) -> None:
    for channel_id in sorted(twins_among(target_seeds(layout.folder)), key=int):
        if dry_run:
            files = ChannelMap(layout, known=[channel_id]).files_of(channel_id)
            line = f"Would merge {counted(len(files), 'file')} of channel {channel_id} into {shown(files[0])}"
            tell(output_format, [line], {"channel_id": channel_id, "into": shown(files[0]), "dry_run": True})
        else:
            _merge_channel(layout, channel_id, output_format)


def _merge_channel(layout: TargetLayout, channel_id: ChannelId, output_format: str) -> None:
    done = merge_twins(layout, channel_id, run_id=new_run_id(), clock=SystemClock(), prefer=Prefer.NEWEST)
    if done is None:
        return
    into = shown(done.into)
    count = done.outcome.message_count
    files = counted(len(done.originals), "file")
    lines = [
        f"Merged {files} of channel {channel_id} into {into}: {counted(count, 'message')}",
        *(f"  original kept: {shown(path)}" for path in done.originals),
        f"  when you are content: dce-play archive normalise --confirm {shlex.quote(into)}",
    ]
    facts = {
        "channel_id": channel_id,
        "into": into,
        "message_count": count,
        "conflicts": done.outcome.conflicts,
        "originals": [shown(path) for path in done.originals],
    }
    tell(output_format, lines, facts)


def _tell(adoption: Adoption, *, dry_run: bool, output_format: str) -> None:
    lines = [
        f"{file.fitness.value:<14} {shown(file.path)}{f' ({file.detail})' if file.detail else ''}"
        for file in adoption.files
    ]
    bootstrap = adoption.bootstrap
    if dry_run:
        lines.append(
            f"Would add {len(bootstrap.added)} and repair "
            f"{counted(len(bootstrap.repaired), 'channel map entry', 'channel map entries')} "
            f"under {shown(adoption.folder)}."
        )
    else:
        lines += bootstrap.lines(adoption.folder)
    facts = {
        "folder": shown(adoption.folder),
        "dry_run": dry_run,
        "added": len(bootstrap.added),
        "repaired": len(bootstrap.repaired),
        "files": [
            {"path": shown(file.path), "fitness": file.fitness.value, "detail": file.detail} for file in adoption.files
        ],
    }
    tell(output_format, lines, facts)
