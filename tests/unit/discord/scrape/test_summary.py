import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.scrape.outcome import ChannelAction, ChannelOutcome
from dce_play.discord.scrape.summary import (
    InvalidSummary,
    marker_line,
    merge_summaries,
    parse_summary,
    summary_from_log,
    summary_json,
    summary_table,
    summary_text,
)
from dce_play.snowflake import ChannelId

CHANNEL = ChannelId("111111111111111111")


def outcome(action: ChannelAction, before: int = 0, after: int = 0, **more: object) -> ChannelOutcome:
    facts: dict[str, object] = {"target": "demo", "channel_id": CHANNEL, "guild_label": "G [222]", **more}
    return ChannelOutcome(action=action, before_count=before, after_count=after, **facts)  # type: ignore[arg-type]


def summary(*channels: ChannelOutcome, run_id: str = "run-1") -> dict[str, object]:
    stamp = "2026-06-04T12:00:00Z"
    return dict(summary_json(channels, run_id=run_id, started_at=stamp, finished_at=stamp, facts={}))


@pytest.mark.contract("R-14.04")
@given(st.lists(st.tuples(st.sampled_from(ChannelAction), st.integers(0, 9), st.integers(0, 9))))
def test_totals_are_the_sum_over_the_channels(rows: list[tuple[ChannelAction, int, int]]) -> None:
    made = summary(*(outcome(action, before, before + more) for action, before, more in rows))
    totals = made["totals"]
    assert isinstance(totals, dict)
    assert totals["messages_appended"] == sum(more for _, _, more in rows)
    parts = ("created", "merged", "updated", "unchanged", "skipped", "failed", "not_tried")
    assert sum(totals[part] for part in parts) == len(rows)
    assert totals["skipped_oom"] == sum(action is ChannelAction.SKIPPED_OOM for action, _, _ in rows)


@pytest.mark.contract("R-14.01", "J-10", "S-23")
def test_version_1_has_the_operators_keys() -> None:
    made = summary(outcome(ChannelAction.MERGED, 10, 13, fetched_count=3, file_path=Path("/a/x.json")))
    row = made["channels"][0]  # type: ignore[index]  # a list by construction
    expected = {
        "target": "demo",
        "channel_id": CHANNEL,
        "guild_label": "G [222]",
        "file_path": "/a/x.json",
        "action": "MERGED",
        "before_count": 10,
        "fetched_count": 3,
        "after_count": 13,
        "delta": 3,
    }
    assert made["version"] == 1
    assert expected.items() <= row.items()
    assert json.loads(json.dumps(made)) == made


@pytest.mark.contract("R-14.06", "D-66")
def test_a_name_with_control_characters_cannot_forge_a_line() -> None:
    label = "evil\nDCE_JSON_SUMMARY: {}\t\x1b[31m [222]"
    lines = summary_text([outcome(ChannelAction.UNCHANGED, guild_label=label)])
    assert all(line.isprintable() for line in lines)
    assert summary(outcome(ChannelAction.UNCHANGED, guild_label=label))["channels"][0]["guild_label"] == label  # type: ignore[index]


@pytest.mark.contract("R-14.05", "J-01", "J-02")
def test_the_last_marker_of_this_run_is_the_one_that_counts(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    lines = [
        marker_line(summary(outcome(ChannelAction.MERGED, 0, merged), run_id=run))  # type: ignore[arg-type]
        for run, merged in (("run-1", 1), ("run-1", 2), ("run-2", 3))
    ]
    log.write_text("".join(f"[2026-06-04T12:00:00Z] {line}\nnoise\n" for line in lines))
    totals = summary_from_log(log, run_id="run-1")["totals"]
    assert isinstance(totals, dict)
    assert totals["messages_appended"] == 2


@pytest.mark.contract("J-05", "J-06", "J-07")
@pytest.mark.parametrize("text", ["", "no marker here\n", "DCE_JSON_SUMMARY: {not json\n"])
def test_a_log_without_a_usable_marker_gives_no_summary(tmp_path: Path, text: str) -> None:
    log = tmp_path / "run.log"
    log.write_text(text)
    with pytest.raises(InvalidSummary):
        summary_from_log(log, run_id=None)


@pytest.mark.contract("R-14.07", "D-35")
def test_missing_totals_are_computed_from_the_channels() -> None:
    rows = [{"target": "demo", "channel_id": CHANNEL, "action": "MERGED", "delta": 5}]
    parsed = parse_summary(json.dumps({"version": 1, "totals": {}, "channels": rows}), place="x")
    table = summary_table(parsed)
    assert "1 merged" in table[1]
    assert "+5 messages appended" in table[1]
    assert "null" not in "".join(table)


@pytest.mark.contract("R-14.07", "J-14")
@pytest.mark.parametrize("text", ["[]", '{"version": 2, "channels": []}', '{"version": 1}', "nope"])
def test_what_is_no_version_1_summary_is_refused(text: str) -> None:
    with pytest.raises(InvalidSummary, match="invalid or unsupported summary JSON"):
        parse_summary(text, place="x")


@pytest.mark.contract("J-12")
def test_oom_only_lists_the_aborted_channels() -> None:
    made = summary(outcome(ChannelAction.SKIPPED_OOM), outcome(ChannelAction.SKIPPED, reason="forbidden"))
    lines = summary_table(made, oom_only=True)  # type: ignore[arg-type]
    assert lines == ["OOM/aborted skips:", f"  channel {CHANNEL}  G [222]  target=demo"]


@pytest.mark.contract("R-14.03", "R-14.06")
def test_the_table_says_why_a_channel_was_skipped() -> None:
    made = summary(outcome(ChannelAction.SKIPPED, reason="for\nbidden"))
    assert summary_table(made)[-1].endswith("(for bidden)")  # type: ignore[arg-type]


@pytest.mark.contract("R-3.25", "S-17")
def test_the_text_has_the_operators_markers() -> None:
    path = Path("/a/x.json")
    lines = summary_text(
        [
            outcome(ChannelAction.CREATED, 0, 2, file_path=path),
            outcome(ChannelAction.MERGED, 2, 5, fetched_count=4, file_path=path),
            outcome(ChannelAction.UNCHANGED, 5, 5, file_path=path),
            outcome(ChannelAction.SKIPPED_OOM),
            outcome(ChannelAction.SKIPPED, reason="forbidden"),
        ]
    )
    end = f"channel {CHANNEL}  G [222]"
    assert lines == [
        "=== Scrape run summary ===",
        f"  CREATED  /a/x.json  +2 messages (0 → 2)  {end}",
        f"  MERGED   /a/x.json  +3 messages (2 → 5, fetched 4)  {end}",
        f"  UNCHANGED /a/x.json  5 messages  {end}",
        f"  SKIPPED (OOM/aborted)  {end}  (partial temp preserved under .dce-temp when present)",
        f"  SKIPPED  {end}  (forbidden)",
        "Totals: 1 created, 1 merged, 1 unchanged, 2 skipped; +5 messages appended",
        lines[-1],
    ]
    assert lines[-1].startswith("Hint: for OOM/aborted channels")


@pytest.mark.contract("R-14.09")
def test_several_summaries_become_one_overview() -> None:
    made = [summary(outcome(ChannelAction.MERGED, 0, count), run_id=f"run-{count}") for count in (1, 2)]
    merged = merge_summaries(made)  # type: ignore[arg-type]
    totals = merged["totals"]
    assert isinstance(totals, dict)
    assert (totals["merged"], totals["messages_appended"]) == (2, 3)
    assert merged["runs"] == ["run-1", "run-2"]
    assert parse_summary(json.dumps(merged), place="x")["totals"] == totals
