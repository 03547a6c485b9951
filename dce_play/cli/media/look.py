"""``dce-play media verify``, ``status`` and ``gc``: whether a store is sound, what it has, and what is of no use."""

from collections import Counter
from pathlib import Path

import click

from dce_play.cli.app.guarded import guarded
from dce_play.cli.app.step_verb import declared
from dce_play.cli.app.verb import format_option, lock_wait_option, tell
from dce_play.cli.media.chosen import chosen_targets, target_options
from dce_play.discord.archive.folder.naming import shown
from dce_play.discord.media.garbage import find_garbage
from dce_play.discord.media.summary import summarise
from dce_play.discord.media_store.verify import verify_store
from dce_play.errors import ExitCode
from dce_play.layout import TargetLayout
from dce_play.steps.media.verify import Params
from dce_play.system.counted import counted
from dce_play.system.foreign_text import visible


@declared(Params, "deep")
@click.command(short_help="Check that store and ledger agree.")
@target_options
@format_option
def verify(target: str | None, *, config: Path | None, deep: bool, output_format: str) -> int:
    """Check that every kept file is there with its size, and that every file has a line; with --deep its bytes.

    \b
    Example:
      dce-play media verify my-server --deep

    Exit 0: sound. Exit 1: there are findings, a line each.
    """
    _, targets = chosen_targets(target, config)
    found = 0
    for each in targets:
        count = 0
        for finding in verify_store(TargetLayout(each.output_dir), deep=deep):
            count += 1
            facts = {"target": each.name, "fault": finding.fault.value, "path": shown(finding.path)}
            line = f"{finding.fault.value}: {visible(finding.detail)} ({shown(finding.path)})"
            tell(output_format, [line], {**facts, "detail": finding.detail})
        found += count
        summary = f"Target '{each.name}': {counted(count, 'finding') if count else 'media are sound'}"
        tell(output_format, [summary], {"target": each.name, "findings": count})
    return ExitCode.FAILED if found else ExitCode.OK


@click.command(short_help="Show what is kept and what is missing.")
@target_options
@format_option
def status(target: str | None, *, config: Path | None, output_format: str) -> int:
    """Show for each target which media it keeps, how many there are of each state, and how many bytes.

    \b
    Example:
      dce-play media status --format json

    Exit 0: told. Exit 5: no such target.
    """
    _, targets = chosen_targets(target, config)
    for each in targets:
        summary = summarise(TargetLayout(each.output_dir))
        states: Counter[str] = summary.states
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nothing yet"
        kept = f"{counted(summary.kept_bytes, 'byte')} kept"
        lines = [f"Target '{each.name}': media: {each.media.mode.value}; {counts}; {kept}"]
        if not each.media.on:
            lines.append("! the URLs of its attachments expire, and nobody keeps their bytes (media: off)")
        facts = {"target": each.name, "media": each.media.mode.value, "states": dict(states)}
        tell(output_format, lines, {**facts, "kept_bytes": summary.kept_bytes})
    return ExitCode.OK


@click.command(short_help="Show, and with --apply remove, files that no line names.")
@target_options
@click.option("--apply", "apply_it", is_flag=True, help="Remove them.")
@lock_wait_option
@format_option
def gc(target: str | None, *, config: Path | None, apply_it: bool, lock_wait_s: float, output_format: str) -> int:
    """Show what is in the store and of no use: files that no line of media.jsonl names, and unfinished fetches.

    What a line names is never removed, nor is anything while a URL in a channel file has no bytes that are kept: the
    file may be theirs. Without --apply nothing is removed.

    \b
    Example:
      dce-play media gc my-server --apply

    Exit 0: told or removed. Exit 1: the ledger is damaged or missing, or files may be needed: nothing is
    removed. Exit 5: no such target. Exit 75: the archive is locked.
    """
    targets_file, targets = chosen_targets(target, config)
    root = targets_file.archive_root
    with guarded(root, root=root, lock_wait_s=lock_wait_s, dry_run=not apply_it):
        for each in targets:
            garbage = find_garbage(each)
            word = "removed" if apply_it else "would remove"
            for path in garbage.paths:
                if apply_it:
                    path.unlink(missing_ok=True)
                tell(output_format, [f"{word} {shown(path)}"], {"target": each.name, "path": shown(path)})
            what = f"{counted(len(garbage.paths), 'file')}, {counted(garbage.size_bytes, 'byte')}"
            line = f"Target '{each.name}': {word} {what}"
            facts = {"target": each.name, "files": len(garbage.paths), "bytes": garbage.size_bytes}
            tell(output_format, [line], {**facts, "applied": apply_it})
    return ExitCode.OK
