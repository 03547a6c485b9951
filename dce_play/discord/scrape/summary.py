"""The run summary that operators and their scripts read: text, JSON version 1, and its marker line in a log."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome
from dce_play.errors import DcePlayError
from dce_play.source import JsonValue
from dce_play.system.counted import counted
from dce_play.system.foreign_text import blanked

MARKER = "DCE_JSON_SUMMARY:"


class InvalidSummary(DcePlayError):
    """A file is not a run summary that we can read."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"invalid or unsupported summary JSON: {place}: {reason}", hint="expected version 1")


def summary_json(
    channels: Sequence[ChannelOutcome], *, run_id: str, started_at: str, finished_at: str, facts: dict[str, JsonValue]
) -> dict[str, JsonValue]:
    """Return the summary, version 1: the operators' keys, and ours beside them.

    ``facts`` are further top-level keys, such as the targets file and its hash. Times are ``2026-11-21T01:15:07Z``.
    """
    rows: list[JsonValue] = [_row(channel) for channel in channels]
    return {
        "version": 1,
        "run_id": run_id,
        "started_at": started_at,
        "finished_at": finished_at,
        **facts,
        "totals": cast("dict[str, JsonValue]", totals(cast("list[dict[str, JsonValue]]", rows))),
        "channels": rows,
    }


def totals(rows: Iterable[dict[str, JsonValue]]) -> dict[str, int]:
    """Return the totals of a summary's channel rows; ``skipped`` includes ``skipped_oom``."""
    sums = dict.fromkeys(
        ("created", "merged", "updated", "unchanged", "skipped", "skipped_oom", "failed", "not_tried"), 0
    )
    appended = salvaged = 0
    for row in rows:
        action = str(row.get("action", "")).lower()
        if action in sums:
            sums[action] += 1
        appended += _number(row.get("delta"))
        salvaged += _number(row.get("salvaged_count"))
    sums["skipped"] += sums["skipped_oom"]
    return {**sums, "messages_appended": appended, "messages_salvaged": salvaged}


def summary_text(channels: Sequence[ChannelOutcome]) -> list[str]:
    """Return the summary's lines for people."""
    lines = ["=== Scrape run summary ==="]
    if not channels:
        return [*lines, "  No channel activity recorded."]
    lines += [_line(channel) for channel in channels]
    sums = totals(_row(channel) for channel in channels)
    told = [f"{sums[name]} {name}" for name in ("created", "merged", "unchanged", "skipped")]
    told += [f"{sums[name]} {name.replace('_', ' ')}" for name in ("updated", "failed", "not_tried") if sums[name]]
    lines.append(f"Totals: {', '.join(told)}; +{sums['messages_appended']} messages appended")
    if sums["skipped_oom"]:
        lines.append(
            "Hint: for OOM/aborted channels, raise container memory (container_memory or DCE_CONTAINER_MEMORY), "
            "run with --salvage-before-scrape, then retry with --channel."
        )
    return lines


def marker_line(summary: dict[str, JsonValue]) -> str:
    """Return the one line that lets a log give the summary back."""
    return f"{MARKER} {json.dumps(summary, ensure_ascii=True, separators=(',', ':'))}"


def summary_from_log(log: Path, *, run_id: str | None) -> dict[str, JsonValue]:
    """Return the summary of this run in a log, of the last run when ``run_id`` is ``None``.

    A run over several targets wrote a line for each; of one target the last line counts.
    Raises: InvalidSummary, when there is no such line or one does not parse.
    """
    found: dict[str, dict[str, JsonValue]] = {}
    run = run_id
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            _, marker, text = line.partition(MARKER)
            if not marker:
                continue
            summary = parse_summary(text, place=str(log))
            if run_id is None and summary.get("run_id") != run:
                run = cast("str | None", summary.get("run_id"))
                found.clear()
            if summary.get("run_id") == run:
                found[str(summary.get("target"))] = summary
    if not found:
        raise InvalidSummary(str(log), "no summary line of this run")
    return merge_summaries(list(found.values()))


def parse_summary(text: str, *, place: str) -> dict[str, JsonValue]:
    """Return a version 1 summary with its totals computed again where they are missing.

    Raises: InvalidSummary.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidSummary(place, f"not JSON ({error})") from error
    if not isinstance(value, dict) or value.get("version") != 1:
        raise InvalidSummary(place, "not version 1")
    rows = value.get("channels")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidSummary(place, "no list of channels")
    given = value.get("totals")
    return {**value, "totals": {**totals(rows), **(given if isinstance(given, dict) else {})}}


def merge_summaries(summaries: Sequence[dict[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return one parsed summary over several, with the rows of all and the totals computed anew."""
    if len(summaries) == 1:
        return summaries[0]
    rows = [row for each in summaries for row in cast("list[dict[str, JsonValue]]", each["channels"])]
    finished = sorted(str(each.get("finished_at", "")) for each in summaries)
    return {
        "version": 1,
        "runs": [each.get("run_id") for each in summaries],
        "finished_at": finished[-1],
        "totals": cast("dict[str, JsonValue]", totals(rows)),
        "channels": cast("list[JsonValue]", rows),
    }


def summary_table(summary: dict[str, JsonValue], *, oom_only: bool = False) -> list[str]:
    """Return a parsed summary's lines for people; ``oom_only`` lists what ran out of memory or was aborted."""
    rows = cast("list[dict[str, JsonValue]]", summary["channels"])
    if oom_only:
        aborted = [row for row in rows if row.get("action") == ChannelAction.SKIPPED_OOM]
        if not aborted:
            return ["No OOM/aborted channel skips recorded."]
        listed = [
            f"  channel {row.get('channel_id')}  {blanked(str(row.get('guild_label')))}  target={row.get('target')}"
            for row in aborted
        ]
        return ["OOM/aborted skips:", *listed]
    sums = cast("dict[str, JsonValue]", summary["totals"])
    lines = [
        f"Scrape summary (finished {summary.get('finished_at')})",
        (
            f"Totals: {sums['created']} created, {sums['merged']} merged, {sums['unchanged']} unchanged, "
            f"{sums['skipped']} skipped ({sums['skipped_oom']} OOM); +{sums['messages_appended']} messages appended"
        ),
        "",
    ]
    if not rows:
        return [*lines, "No channel activity recorded."]
    table = [("ACTION", "CHANNEL", "LABEL", "DELTA", "FILE")]
    for row in rows:
        action = "SKIPPED(OOM)" if row.get("action") == ChannelAction.SKIPPED_OOM else str(row.get("action"))
        channel, label, path = (blanked(str(row.get(key))) for key in ("channel_id", "guild_label", "file_path"))
        reason = f"  ({blanked(str(row['reason']))})" if row.get("reason") else ""
        table.append((action, channel, label, f"{_number(row.get('delta')):+d}", path + reason))
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    return lines + ["  ".join([*map(str.ljust, row, widths), row[4]]).rstrip() for row in table]


def _row(channel: ChannelOutcome) -> dict[str, JsonValue]:
    return {
        "target": channel.target,
        "channel_id": channel.channel_id,
        "guild_label": channel.guild_label,
        "file_path": str(channel.file_path) if channel.file_path else "n/a",
        "action": channel.action.value,
        "before_count": channel.before_count,
        "fetched_count": channel.fetched_count,
        "after_count": channel.after_count,
        "delta": channel.delta,
        "salvaged_count": channel.salvaged_count,
        "edit_count": channel.edit_count,
        "reason": channel.reason,
        "cursor_before": channel.cursor_before,
        "cursor_after": channel.cursor_after,
        "fetched_bytes": channel.fetched_bytes,
        "duration_s": round(channel.duration_s, 3),
        "temp_kept": str(channel.temp_kept) if channel.temp_kept else None,
        "unfinished": channel.unfinished,
        "unproven": channel.unproven,
        "odd_count": len(channel.odd),
        "behind": channel.behind,
    }


def _line(channel: ChannelOutcome) -> str:
    end = f"channel {channel.channel_id}  {blanked(channel.guild_label)}"
    path = blanked(str(channel.file_path))
    grown = f"({channel.before_count} → {channel.after_count}, fetched {channel.fetched_count})"
    match channel.action:
        case ChannelAction.CREATED:
            return f"  CREATED  {path}  +{channel.after_count} messages (0 → {channel.after_count})  {end}"
        case ChannelAction.MERGED:
            return f"  MERGED   {path}  +{channel.delta} messages {grown}  {end}"
        case ChannelAction.UPDATED:
            edits = counted(channel.edit_count, "edit")
            return f"  UPDATED  {path}  {edits} kept beside {channel.after_count} messages  {end}"
        case ChannelAction.UNCHANGED:
            return f"  UNCHANGED {path}  {channel.after_count} messages  {end}"
        case ChannelAction.SKIPPED_OOM:
            return f"  SKIPPED (OOM/aborted)  {end}  (partial temp preserved under .dce-temp when present)"
        case ChannelAction.SKIPPED:
            return f"  SKIPPED  {end}  ({blanked(channel.reason)})"
        case ChannelAction.FAILED:
            return f"  FAILED   {end}  ({blanked(channel.reason)})"
        case ChannelAction.NOT_TRIED:
            return f"  NOT TRIED  {end}  ({blanked(channel.reason)})"


def _number(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
