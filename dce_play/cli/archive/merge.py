"""``dce-play archive merge``: one channel file of several exports."""

from pathlib import Path

import click

from dce_play.cli.app.guarded import guarded
from dce_play.cli.app.verb import (
    ANY_FILE,
    EXISTING_FILE,
    complain,
    format_option,
    tell,
    writing_options,
)
from dce_play.discord.archive.append.delta import ForeignChannel
from dce_play.discord.archive.folder.places import layout_of
from dce_play.discord.archive.merge.merge import Conflict, MergeOutcome, Prefer, merge
from dce_play.discord.archive.records.recover import settled
from dce_play.discord.archive.salvage.repair import find_boundary
from dce_play.discord.archive.scan.head import read_head
from dce_play.errors import ExitCode
from dce_play.system.durable.named_outputs import replaceable


@click.command("merge", short_help="Make one file of several exports of one channel.")
@click.argument("files", type=EXISTING_FILE, nargs=-1, required=True, metavar="FILE...")
@click.option("--into", required=True, type=ANY_FILE, help="The file to write; may be one of the FILEs.")
@click.option(
    "--prefer",
    type=click.Choice([choice.value for choice in Prefer]),
    default=Prefer.KEEP_FIRST.value,
    show_default=True,
    help="Which copy of a message is kept where files differ; newest: the one edited last.",
)
@click.option("--overwrite", is_flag=True, help="Replace --into although it is none of the FILEs.")
@writing_options
@format_option
def merge_verb(
    files: tuple[Path, ...],
    into: Path,
    *,
    prefer: str,
    overwrite: bool,
    dry_run: bool,
    root: Path | None,
    lock_wait_s: float,
    output_format: str,
) -> int:
    """Make one channel file of several exports of one channel, each message once, in order of the ids.

    The FILEs are only read. The new file takes its name when it is whole and on disk. Copies that differ are told, and
    the one that is not kept stays in its FILE, so keep those until you are content.

    \b
    Example:
      dce-play archive merge part1.json part2.json --into "Guild - room [123456789012345678].json"

    Exit 0: merged. Exit 1: failed, and nothing changed.
    """
    into = replaceable(into.absolute(), what="the merged file")
    sources = [file.absolute() for file in files]
    if into.exists() and not overwrite and not any(into.samefile(source) for source in sources):
        raise click.UsageError(f"{into} exists: name it as a FILE, too, or --overwrite it")
    differing: list[str] = []

    def note(conflict: Conflict) -> None:
        differing.append(conflict.message_id)
        complain(f"message {conflict.message_id} differs in {conflict.dropped_from}; its copy there is not kept")

    if dry_run:
        return _tell_merge_plan(sources, into, output_format)
    channel_id = read_head(sources[0]).channel_id
    with (
        guarded(into, root=root, lock_wait_s=lock_wait_s, dry_run=False),
        settled(into, channel_id, layout=layout_of(into)),
    ):
        outcome = merge(sources, into, prefer=Prefer(prefer), on_conflict=note)
    _tell_merge(outcome, output_format)
    return ExitCode.OK


def _tell_merge_plan(sources: list[Path], into: Path, output_format: str) -> int:
    channel_id = read_head(sources[0]).channel_id
    for path in sources:
        boundary = find_boundary(path)
        if boundary.damage is not None:
            raise boundary.damage
        if boundary.head.channel_id != channel_id:
            raise ForeignChannel(path, found=boundary.head.channel_id, expected=channel_id)
    line = f"Would merge {len(sources)} file(s) of channel {channel_id} into {into}"
    tell(output_format, [line], {"path": str(into), "dry_run": True, "channel_id": channel_id})
    return ExitCode.OK


def _tell_merge(outcome: MergeOutcome, output_format: str) -> None:
    lines = [f"Merged into {outcome.path}: {outcome.message_count} messages, {outcome.duplicates} copies left out"]
    if outcome.conflicts:
        lines.append(f"  {outcome.conflicts} of the copies differ")
    facts: dict[str, object] = {
        "path": str(outcome.path),
        "channel_id": outcome.channel_id,
        "message_count": outcome.message_count,
        "duplicates": outcome.duplicates,
        "conflicts": outcome.conflicts,
        "first_id": outcome.first_id,
        "last_id": outcome.last_id,
    }
    tell(output_format, lines, facts)
