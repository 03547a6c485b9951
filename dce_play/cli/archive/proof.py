"""``dce-play archive snapshot`` and ``prove``: what an archive was, and that it only grew since."""

import os
from pathlib import Path

import click

from dce_play.cli.app.verb import (
    ANY_FILE,
    EXISTING,
    EXISTING_FOLDER,
    LateProgress,
    complain,
    format_option,
    tell,
)
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.places import target_folders
from dce_play.discord.archive.proof.compare import Comparison
from dce_play.discord.archive.proof.fingerprint_store import store_for
from dce_play.discord.archive.proof.prove import Proof, ProofRules, Verdict, compare_snapshots, prove_append
from dce_play.discord.archive.proof.snapshot import Snapshot, load_snapshot, take_snapshot, write_snapshot
from dce_play.errors import ExitCode
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from dce_play.system.counted import counted

_CHANNEL = click.option("--channel", "channels", multiple=True, metavar="ID", help="Only this channel; repeatable.")


@click.command(short_help="Record what an archive is.")
@click.argument("root", type=EXISTING_FOLDER)
@click.option("--output", required=True, type=ANY_FILE, help="The file to write.")
@_CHANNEL
@format_option
def snapshot(root: Path, output: Path, channels: tuple[str, ...], *, output_format: str) -> int:
    """Record what every channel file under ROOT is: count, ids, hashes.

    Files that did not change since the last snapshot are not read again. Changes nothing under ROOT and takes no lock;
    a file that is being appended to is recorded as it was before.

    \b
    Example:
      dce-play archive snapshot ~/archive --output before.json
      dce-play archive prove before.json ~/archive

    Exit 0: written. Exit 1: written, but a file could not be read and was left out.
    """
    taken = _take(root.absolute(), channels)
    digest = write_snapshot(taken, output.absolute())
    count = sum(file.message_count for file in taken.files)
    for path, reason in taken.skipped:
        complain(f"WARN: skipping invalid JSON during snapshot: {shown(root / path)} ({reason})")
    facts = {
        "snapshot": str(output.absolute()),
        "sha256": digest,
        "file_count": len(taken.files),
        "message_count": count,
        "skipped": [shown(path) for path, _ in taken.skipped],
    }
    held = f"{counted(len(taken.files), 'channel file')}, {counted(count, 'message')}"
    line = f"Snapshot of {held}: {output} (sha256 {digest})"
    tell(output_format, [line], facts)
    return ExitCode.FAILED if taken.skipped else ExitCode.OK


@click.command(short_help="Prove that an archive only grew since.")
@click.argument("before", type=ANY_FILE)
@click.argument("after", type=EXISTING, metavar="ROOT")
@_CHANNEL
@click.option("--deep", is_flag=True, help="Read files that look unchanged, too.")
@click.option("--allow-new", is_flag=True, help="Channels may have got their first file since.")
@click.option("--accept-edits", is_flag=True, help="Old messages may have been replaced by newer copies.")
@format_option
def prove(
    before: Path,
    after: Path,
    channels: tuple[str, ...],
    *,
    deep: bool,
    allow_new: bool,
    accept_edits: bool,
    output_format: str,
) -> int:
    """Prove that the channel files under ROOT only grew since the snapshot BEFORE.

    Every old file must be there, with every byte before its old end as it was, and what was added must go on after it.
    ROOT may also be a later snapshot: then only paths and counts are compared. Snapshots of the old scripts (three
    columns) are read, too. Changes nothing and takes no lock.

    \b
    Example:
      dce-play archive prove before.json ~/archive

    Exit 0: proved. Exit 1: violated, or there was nothing to prove. Exit 3: BEFORE is no snapshot.
    """
    old = load_snapshot(before.absolute())
    rules = ProofRules(
        channels=tuple(map(ChannelId, channels)),
        new_channels=None if allow_new else (),
        accept_edits=accept_edits,
        deep=deep,
    )
    if after.is_file():
        proof = compare_snapshots(old, load_snapshot(after.absolute()), rules=rules)
    else:
        proof = _prove(old, after.absolute(), rules)
    _tell(proof, len(channels), output_format)
    return ExitCode.OK if proof.verdict is Verdict.PASSED else ExitCode.FAILED


def _take(root: Path, channels: tuple[str, ...]) -> Snapshot:
    return take_snapshot(
        root,
        now=SystemClock().now(),
        folders=target_folders(root),
        channels=tuple(map(ChannelId, channels)),
        store=store_for(root, os.environ),
        prune=not channels,
        on_progress=LateProgress("snapshot"),
    )


def _prove(old: Snapshot, root: Path, rules: ProofRules) -> Proof:
    return prove_append(
        old,
        root,
        folders=target_folders(root),
        rules=rules,
        store=store_for(root, os.environ),
        on_progress=LateProgress("prove"),
    )


def _tell(proof: Proof, channel_count: int, output_format: str) -> None:
    facts = {
        "verdict": proof.verdict.value,
        "grown": proof.grown,
        "unchanged": proof.unchanged,
        "appended": proof.appended,
        "files": [_facts(file) for file in proof.files],
    }
    lines = proof.lines()
    if channel_count:
        lines.append(f"Channel-scoped proof for {channel_count} channel(s).")
    if proof.verdict is Verdict.PASSED:
        lines.append(f"Snapshot comparison passed. (grown {proof.grown}, unchanged {proof.unchanged})")
    if proof.verdict is Verdict.INCONCLUSIVE:
        lines.append("Snapshot comparison inconclusive: there is no channel file to compare.")
    tell(output_format, lines, facts)


def _facts(file: Comparison) -> dict[str, object]:
    return {
        "path": shown(file.path),
        "channel_id": file.channel_id,
        "ok": file.ok,
        "state": file.state.value,
        "before_count": file.before_count,
        "after_count": file.after_count,
        "appended": file.appended,
        "detail": file.detail,
    }
