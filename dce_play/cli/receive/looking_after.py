"""``dce-play receive backfill``, ``verify`` and ``index export``."""

import os
import sys
from pathlib import Path

import msgspec

from dce_play.cli.receive.telling import settings_of, show
from dce_play.errors import ExitCode
from dce_play.system.counted import counted
from dce_play.transfer.receiving.backends import backfill_store, open_storage, verify_store
from dce_play.transfer.receiving.store_check import BackfillReport, Broken


def backfilled(config: Path | None, output_format: str, *, dry_run: bool) -> int:
    """Make the index whole, and tell what was found."""
    read = settings_of(config)
    report = backfill_store(read, dict(os.environ), dry_run=dry_run)
    show(report, lambda: _backfill_text(report, dry_run=dry_run), output_format)
    return ExitCode.OK if report.sound else ExitCode.FAILED


def verified(config: Path | None, output_format: str, *, deep: bool) -> int:
    """Compare what is stored with its receipts, and tell what differs."""
    read = settings_of(config)
    report = verify_store(read, dict(os.environ), deep=deep)
    text = f"{counted(report.episodes, 'episode')}, {counted(report.bytes, 'byte')}, {len(report.broken)} broken"
    show(report, lambda: "\n".join([text, *_broken_lines(report.broken)]), output_format)
    return ExitCode.OK if report.sound else ExitCode.FAILED


def exported(config: Path | None) -> int:
    """Write the index's lines."""
    storage = open_storage(settings_of(config), dict(os.environ))
    for row in storage.rows():
        sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
    return ExitCode.OK


def _backfill_text(report: BackfillReport, *, dry_run: bool) -> str:
    lines = [f"{counted(report.rows, 'row')}, {report.added} {'to add' if dry_run else 'added'}"]
    if report.cut_bytes:
        lines.append(f"{counted(report.cut_bytes, 'byte')} of a torn last line {'to cut' if dry_run else 'cut'}")
    lines += [f"no file: {each}" for each in report.missing_files]
    lines += [f"line {number} is no row" for number in report.bad_lines]
    lines += [f"listed more than once: {each}" for each in report.repeated]
    return "\n".join([*lines, *_broken_lines(report.broken)])


def _broken_lines(broken: tuple[Broken, ...]) -> list[str]:
    return [f"broken: {each.id}: {each.why}" for each in broken]
