"""``dce-play archive salvage``: the whole messages of one damaged file, or of all that dead runs left under a root."""

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import click

from dce_play.cli.app.guarded import guarded
from dce_play.cli.app.verb import (
    ANY_FILE,
    EXISTING,
    EXISTING_FOLDER,
    format_option,
    lock_wait_option,
    new_run_id,
    tell,
)
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.places import layout_of, target_folders
from dce_play.discord.archive.records.recover import settled
from dce_play.discord.archive.salvage.repair import Boundary, find_boundary, salvage_file
from dce_play.discord.archive.salvage.report import SalvageReport
from dce_play.discord.archive.salvage.salvage import salvage_target
from dce_play.errors import ExitCode, UsageError
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.source import did_you_mean
from dce_play.system.clock import SystemClock, file_stamp
from dce_play.system.durable.named_outputs import replaceable
from dce_play.system.durable.whole_files import sync_folder


@click.command(short_help="Save every whole message of truncated exports.")
@click.argument("partial", type=EXISTING, required=False)
@click.option(
    "--into", type=ANY_FILE, help="The new file; without it PARTIAL is replaced and kept as PARTIAL.bak.TIME."
)
@click.option("--root", type=EXISTING_FOLDER, help="Salvage what dead runs left under this archive root.")
@click.option("--target", "targets", multiple=True, metavar="NAME", help="With --root: only this folder; repeatable.")
@click.option("--channel", "channels", multiple=True, metavar="ID", help="With --root: only this one; repeatable.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done; change nothing, lock nothing.")
@lock_wait_option
@format_option
def salvage(
    partial: Path | None,
    into: Path | None,
    root: Path | None,
    targets: tuple[str, ...],
    channels: tuple[str, ...],
    *,
    dry_run: bool,
    lock_wait_s: float,
    output_format: str,
) -> int:
    """Save every whole message of a truncated export, or of all exports that dead runs left under a root.

    With PARTIAL the whole messages go into a new file, which is sound. With --root each left export goes into its
    channel's archive; one that cannot be used is moved to .dce-temp/quarantine, never deleted; one that somebody may
    still be writing is left alone. Needs no token and makes no request.

    \b
    Examples:
      dce-play archive salvage export.json --into whole.json
      dce-play archive salvage --root ~/archive --dry-run

    Exit 0: salvaged, or there was nothing to do. Exit 1: nothing to recover, or an archive could not take an export.
    """
    if partial is not None and root is None and partial.is_dir():
        partial, root = None, partial
    if (partial is None) == (root is None):
        raise click.UsageError("name one PARTIAL file, or --root DIR")
    if partial is not None:
        if targets or channels:
            raise click.UsageError("--target and --channel go with --root")
        return _one(partial.resolve(), into, dry_run=dry_run, lock_wait_s=lock_wait_s, output_format=output_format)
    assert root is not None  # noqa: S101 - one of the two is given
    root = root.absolute()
    folders = _chosen(root, targets)
    with guarded(root, root=None, lock_wait_s=lock_wait_s, dry_run=dry_run):
        reports = [_target(folder, root, channels, dry_run=dry_run, output_format=output_format) for folder in folders]
    if not folders:
        tell(output_format, [f"No target folder under {shown(root)}"], {"folder": str(root), "examined": 0})
    return ExitCode.OK if all(report.ok for report in reports) else ExitCode.FAILED


def _one(partial: Path, into: Path | None, *, dry_run: bool, lock_wait_s: float, output_format: str) -> int:
    goal = partial if into is None else replaceable(into.absolute(), what="what is salvaged")
    if goal != partial and goal.exists():
        raise UsageError(f"{goal} exists", hint="choose another --into; to add to an archive: dce-play archive append")
    lines = []
    with guarded(goal, root=None, lock_wait_s=lock_wait_s, dry_run=dry_run), ExitStack() as stack:
        boundary = find_boundary(partial)
        if goal == partial and not dry_run and not boundary.complete:
            stack.enter_context(settled(goal, boundary.head.channel_id, layout=layout_of(goal)))
            boundary = find_boundary(partial)  # an append that had not finished is no damage: now it has
        before, after = partial.stat().st_size, _size_after(boundary)
        if boundary.complete and goal == partial:
            tell(output_format, [f"Already valid JSON: {shown(partial)}"], _facts(goal, boundary, changed=False))
            return ExitCode.OK
        if dry_run:
            line = f"Would salvage {shown(partial)} ({before} -> {after} bytes)"
            tell(output_format, [line], _facts(goal, boundary, changed=True))
            return ExitCode.OK
        if goal == partial:
            lines.append(f"Backup: {shown(_back_up(partial))}")
        done = salvage_file(partial, goal)
    lines.append(f"Salvaged: {shown(goal)} ({before} -> {done.size_bytes} bytes)")
    lines.append(f"Valid JSON with {done.message_count} messages.")
    tell(output_format, lines, _facts(goal, boundary, changed=True))
    return ExitCode.OK


def _back_up(partial: Path) -> Path:
    """Keep the damaged file under another name, without copying it: the new file comes by a rename."""
    backup = partial.with_name(f"{partial.name}.bak.{file_stamp(SystemClock().now())}")
    try:
        backup.hardlink_to(partial)
    except PermissionError:  # where the kernel protects links, to a file that is not ours none can be made
        shutil.copy2(partial, backup)
    sync_folder(partial.parent)
    return backup


def _size_after(boundary: Boundary) -> int:
    envelope = boundary.envelope
    return len(envelope.header) + boundary.cut - boundary.head.start + len(envelope.trailer)


def _facts(path: Path, boundary: Boundary, *, changed: bool) -> dict[str, object]:
    return {
        "path": str(path),
        "changed": changed,
        "channel_id": boundary.head.channel_id,
        "message_count": boundary.message_count,
        "first_id": boundary.first_id,
        "last_id": boundary.last_id,
        "lost_bytes": boundary.lost_bytes,
    }


def _chosen(root: Path, names: tuple[str, ...]) -> list[Path]:
    folders = target_folders(root)
    if not names:
        return folders
    known = {name: folder for folder in folders for name in (folder.name, str(folder.relative_to(root)))}
    for name in names:
        if name not in known:
            raise UsageError(f"no target folder {name!r} under {root}", hint=did_you_mean(name, known))
    return list(dict.fromkeys(known[name] for name in names))


def _target(folder: Path, root: Path, channels: tuple[str, ...], *, dry_run: bool, output_format: str) -> SalvageReport:
    report = salvage_target(
        TargetLayout(folder),
        run_id=new_run_id(),
        clock=SystemClock(),
        environment=os.environ,
        channels=tuple(map(ChannelId, channels)),
        dry_run=dry_run,
    )
    name = "." if folder == root else str(folder.relative_to(root))
    counters = report.counters()
    place = shown(folder)
    count = len({item.channel_id for item in report.items})
    lines = [
        f"Target '{name}': salvaging stale temp exports for {count} channel(s) under {place} (no Discord export).",
        *(f"  {line}" for line in report.lines),
        "  " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in counters.items()),
        f"Target '{name}': salvage {'would be ' if dry_run else ''}completed.",
    ]
    if report.stopped is not None:
        lines[-1] = f"Target '{name}': salvage stopped: {report.stopped}"
    facts: dict[str, object] = {"folder": str(folder), "dry_run": dry_run, **counters}
    facts["items"] = [
        {
            "place": shown(item.place),
            "channel_id": item.channel_id,
            "fate": item.fate.value,
            "archive": None if item.archive is None else shown(item.archive),
            "messages_added": item.messages_added,
            "line": item.line,
        }
        for item in report.items
    ]
    tell(output_format, lines, facts)
    return report
