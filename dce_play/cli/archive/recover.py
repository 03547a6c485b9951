"""``dce-play archive recover``: finish or undo appends that were interrupted."""

import os
from pathlib import Path

import click

from dce_play.cli.app.guarded import guarded
from dce_play.cli.app.verb import EXISTING, format_option, tell, writing_options
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.places import layout_of, target_folders
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.archive.records.recover import Recovery, RecoveryState, discard_journal, recover, recover_channel
from dce_play.discord.archive.scan.head import read_head
from dce_play.errors import ExitCode
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL


@click.command("recover", short_help="Finish or undo appends that were interrupted.")
@click.argument("paths", type=EXISTING, nargs=-1, required=True, metavar="PATH...")
@click.option("--discard-journal", "discard", is_flag=True, help="Set the journal of a sound channel file aside.")
@writing_options
@format_option
def recover_verb(
    paths: tuple[Path, ...],
    *,
    discard: bool,
    dry_run: bool,
    root: Path | None,
    lock_wait_s: float,
    output_format: str,
) -> int:
    """Finish or undo appends that were interrupted. Every run does so by itself before it appends.

    PATH is a channel file, a target's folder or an archive root. When another program replaced the file that a journal
    speaks of, the recovery is refused; --discard-journal, with the channel file as PATH, sets the journal aside once
    the file was read from end to end and is sound.

    \b
    Example:
      dce-play archive recover ~/archive

    Exit 0: nothing is pending any more. Exit 1: a recovery was refused; what to do is told.
    """
    refused = False
    for path in (path.absolute() for path in paths):
        with guarded(path, root=root, lock_wait_s=lock_wait_s, dry_run=dry_run):
            if dry_run:
                _tell_pending(path, output_format)
            elif discard:
                aside = discard_journal(path, layout=layout_of(path))
                tell(output_format, [f"Journal set aside: {aside}"], {"path": str(path), "state": "discarded"})
            else:
                refused |= _recover(path, output_format)
    return ExitCode.FAILED if refused else ExitCode.OK


def _recover(path: Path, output_format: str) -> bool:
    """Recover what the path names and return whether something was refused."""
    if path.is_file():
        done = [recover_channel(layout_of(path), read_head(path).channel_id)]
    else:
        done = [recovery for layout in _layouts(path) for recovery in recover(layout)]
    done = [recovery for recovery in done if recovery.state is not RecoveryState.NOTHING]
    for recovery in done:
        _tell(recovery, output_format)
    if not done and output_format == "text":
        click.echo(f"Nothing to recover in {shown(path)}")
    return any(recovery.state is RecoveryState.REFUSED for recovery in done)


def _layouts(path: Path) -> list[TargetLayout]:
    return [TargetLayout(folder) for folder in target_folders(path)]


def _tell_pending(path: Path, output_format: str) -> None:
    if path.is_file():
        own = layout_of(path).journal(read_head(path).channel_id)
        pending = [own] if os.path.lexists(own) else []
    else:
        pending = [journal for layout in _layouts(path) for journal in pending_journals(layout, disk=REAL)]
    for journal in pending:
        tell(output_format, [f"Would recover {shown(journal)}"], {"journal": str(journal), "state": "pending"})
    if not pending and output_format == "text":
        click.echo(f"Nothing to recover in {shown(path)}")


def _tell(recovery: Recovery, output_format: str) -> None:
    name = shown(recovery.archive) if recovery.archive else f"channel {recovery.channel_id}"
    words = {
        RecoveryState.ROLLED_FORWARD: f"Finished an interrupted append: {name}",
        RecoveryState.ROLLED_BACK: f"Undid an interrupted append: {name}",
        RecoveryState.REFUSED: f"Refused: {name}: {recovery.reason}\n  hint: {recovery.hint}",
    }
    facts = {
        "channel_id": recovery.channel_id,
        "path": None if recovery.archive is None else str(recovery.archive),
        "state": recovery.state.value,
        "reason": recovery.reason,
        "hint": recovery.hint,
    }
    tell(output_format, [words[recovery.state]], facts)
