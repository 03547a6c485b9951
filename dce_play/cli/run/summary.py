"""``dce-play summary``: show what scrapes did, from their summary files or from a log."""

import json
import sys
from pathlib import Path
from typing import cast

import click

from dce_play.discord.scrape.summary import (
    InvalidSummary,
    merge_summaries,
    parse_summary,
    summary_from_log,
    summary_table,
)
from dce_play.errors import ExitCode, UsageError
from dce_play.source import JsonValue
from dce_play.system.durable.named_outputs import write_named


@click.command("summary")
@click.argument("files", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a single file as it is, several as one overview.")
@click.option("--oom-only", is_flag=True, help="List only the channels that ran out of memory or were aborted.")
@click.option("--retry-options", is_flag=True, help="Print the aborted channels as --target and --channel options.")
@click.option("--from-log", is_flag=True, help="The files are logs: take the last summary line of each.")
@click.option("--run", "run_id", help="With --from-log: only of this run.")
@click.option(
    "--recover-to", type=click.Path(path_type=Path), help="With --from-log: write it here, never over a file."
)
def command(
    files: tuple[str, ...],
    run_id: str | None,
    recover_to: Path | None,
    *,
    as_json: bool,
    oom_only: bool,
    retry_options: bool,
    from_log: bool,
) -> int:
    """Show run summaries: totals and one row a channel. Several files become one overview; - is standard input.

    Example: dce-play summary logs/*.summary.json --oom-only

    Exit 0: told. Exit 1: a file cannot be read. Exit 2: wrong call.
    """
    if len(files) == 1 and as_json and not from_log:
        text = _text(files[0])
        parse_summary(text, place=files[0])
        click.echo(text, nl=False)
        return ExitCode.OK
    summary = merge_summaries([_read(name, run_id=run_id, from_log=from_log) for name in files])
    if recover_to is not None:
        _recover(summary, recover_to, files[0])
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    elif retry_options:
        for line in _retry_options(summary):
            click.echo(line)
    else:
        for line in summary_table(summary, oom_only=oom_only):
            click.echo(line)
    return ExitCode.OK


def _read(name: str, *, run_id: str | None, from_log: bool) -> dict[str, JsonValue]:
    if from_log:
        path = Path(name)
        if not path.is_file():
            raise InvalidSummary(name, "no such log")
        return summary_from_log(path, run_id=run_id)
    return parse_summary(_text(name), place=name)


def _text(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"Summary file not found: {name}", hint="summaries lie in the run folder and in logs/"
        ) from error


def _recover(summary: dict[str, JsonValue], path: Path, source: str) -> None:
    if path.exists() and path.stat().st_size > 0:
        click.echo(f"{path} is there already and stays as it is", err=True)
        return
    write_named(path, (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode(), what="the summary")
    click.echo(f"JSON summary recovered from log: {path} (from {source})", err=True)


def _retry_options(summary: dict[str, JsonValue]) -> list[str]:
    """One line a target: what to add to the command that retries its aborted channels."""
    channels: dict[str, list[str]] = {}
    for row in cast("list[dict[str, JsonValue]]", summary["channels"]):
        if row.get("action") == "SKIPPED_OOM":
            channels.setdefault(str(row.get("target")), []).append(str(row.get("channel_id")))
    return [
        " ".join([f"--target {target}", *(f"--channel {channel}" for channel in ids)])
        for target, ids in channels.items()
    ]
