"""``dce-play archive audit``: read channel files from end to end, and tell what is wrong with them."""

import os
from pathlib import Path

import click

from dce_play.cli.app.verb import EXISTING, LateProgress, format_option, tell
from dce_play.discord.archive.audit.audit import FileAudit, audit_file
from dce_play.discord.archive.audit.findings import Finding, Level
from dce_play.discord.archive.audit.index import AuditIndex, index_in
from dce_play.discord.archive.audit.tree import TreeAudit, audit_tree
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.archive.folder.places import target_folders
from dce_play.errors import ExitCode
from dce_play.layout import TargetLayout
from dce_play.system.clock import SystemClock
from dce_play.system.counted import counted


@click.command(short_help="Read channel files from end to end and report findings.")
@click.argument("paths", type=EXISTING, nargs=-1, required=True, metavar="PATH...")
@click.option("--full", is_flag=True, help="Read every byte, also of files that did not change since the last audit.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes read.")
@format_option
def audit(paths: tuple[Path, ...], *, full: bool, jobs: int, output_format: str) -> int:
    """Read channel files from end to end and report findings. PATH is a file, a target's folder or an archive root.

    Without --full, files that did not change since their last audit are not read, and of those that only our own
    appends made longer the new messages are; each answer says when every byte was read last. Put --full into a
    schedule. Never writes to the archive and takes no lock. With --format json, one object a file and a line.

    \b
    Examples:
      dce-play archive audit ~/archive
      dce-play archive audit --full --jobs 2 ~/archive

    Exit 0: clean. Exit 1: there are findings.
    """
    clean = True
    index = index_in(os.environ)
    for path in (path.absolute() for path in paths):
        if path.is_file():
            file = audit_file(path, now=SystemClock().now(), index=index, full=full, jobs=jobs)
            _tell_file(file, [], output_format)
            clean = clean and file.ok
        else:
            clean = _tree(path, index, full=full, jobs=jobs, output_format=output_format) and clean
    if clean and output_format == "text":
        click.echo("All checked archive JSON files are valid.")
    return ExitCode.OK if clean else ExitCode.FAILED


def _tree(root: Path, index: AuditIndex | None, *, full: bool, jobs: int, output_format: str) -> bool:
    progress = LateProgress("audit")
    tree = audit_tree(
        [TargetLayout(folder) for folder in target_folders(root) or [root]],
        now=SystemClock().now(),
        index=index,
        full=full,
        jobs=jobs,
        progress=lambda done, total: progress(done, total, "bytes"),
    )
    for file in tree.files:
        _tell_file(file, [finding for finding in tree.around if finding.path == file.path], output_format)
    files = {file.path for file in tree.files}
    for finding in tree.around:
        if output_format == "text" or finding.path not in files:
            tell(output_format, _lines(finding), _object(finding.path, None, [finding]))
    _sum_up(tree, output_format)
    return tree.ok


def _tell_file(file: FileAudit, around: list[Finding], output_format: str) -> None:
    """Tell of one file; as JSON with the findings around it that name it, so that each path comes once."""
    verdict = "ok" if file.ok else "INVALID"
    lines = [
        f"{verdict}\t{shown(file.path)}\t{counted(file.message_count, 'message')}, verified: {file.verified.text()}"
    ]
    lines += [line for finding in file.findings for line in _lines(finding)]
    tell(output_format, lines, _object(file.path, file, [*file.findings, *around]))


def _object(path: Path, file: FileAudit | None, findings: list[Finding]) -> dict[str, object]:
    """Return what JSON says of a path: always the same keys, ``null`` where no channel file was read."""
    return {
        "path": shown(path),
        "ok": all(finding.level is Level.NOTE for finding in findings),
        "channel_id": file and file.channel_id,
        "message_count": file and file.message_count,
        "first_id": file and file.first_id,
        "last_id": file and file.last_id,
        "verified": file and file.verified.text(),
        "findings": [_facts(finding) for finding in findings],
    }


def _lines(finding: Finding) -> list[str]:
    place = "" if finding.offset is None else f" at byte {finding.offset}"
    return [
        f"  {finding.level.value}: {finding.rule.value}{place}: {finding.detail}",
        f"    {finding.repair}",
    ]


def _facts(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule.value,
        "level": finding.level.value,
        "offset": finding.offset,
        "message_id": finding.message_id,
        "detail": finding.detail,
        "repair": finding.repair,
    }


def _sum_up(tree: TreeAudit, output_format: str) -> None:
    invalid = sum(not file.ok for file in tree.files)
    if output_format == "text" and invalid:
        click.echo(f"{counted(invalid, 'invalid archive JSON file')}.", err=True)
