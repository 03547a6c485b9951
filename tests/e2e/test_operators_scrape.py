"""The scrape and salvage playbooks, as operators run them."""

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.channel_files import ids_in
from tests.support.operators import OTHER, ROOM, TOKEN, Operator
from tests.support.processes import running


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def held(operator: Operator) -> Iterator[Path]:
    """The archive root's lock, held by somebody else."""
    path = operator.archives / ".dce-scrape.lock"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


class TestADryRun:
    @pytest.mark.contract("W-03", "W-04", "R-8.02", "R-3.26", "R-3.25")
    @pytest.mark.parametrize("words", [(), ("--target", "demo", "--channel", ROOM)])
    def test_it_shows_the_plan_asks_nobody_and_writes_nothing(self, operator: Operator, words: tuple[str, ...]) -> None:
        operator.partial("demo", ROOM)
        before = operator.tree()
        said = operator.run("scrape", "--salvage-before-scrape", "--dry-run", *words)
        assert said.code == 0, said.err
        assert "=== Scrape run plan ===" in said.out
        assert f"export what is new of channel {ROOM}" in said.out
        assert "JSON summary file:" not in said.out
        assert operator.tree() == before
        assert operator.calls() == []
        assert operator.summaries() == []

    @pytest.mark.contract("R-6.04", "D-14", "E-13")
    def test_a_target_that_is_not_there_fails_as_it_would_for_real(self, operator: Operator) -> None:
        for mode in ((), ("--dry-run",)):
            said = operator.run("scrape", "--target", "dmeo", *mode)
            assert said.code == 5
            assert "no target named 'dmeo'" in said.err

    @pytest.mark.contract("R-8.02", "R-5.14")
    @pytest.mark.usefixtures("held")
    def test_it_reports_a_held_lock_and_takes_none(self, operator: Operator) -> None:
        said = operator.run("scrape", "--dry-run")
        assert said.code == 0
        assert "lock held; a dry run takes nothing" in said.out


class TestARun:
    @pytest.mark.contract("W-05", "W-06", "R-8.03", "S-23", "R-3.25")
    def test_only_the_channel_asked_for_is_scraped_and_the_log_tells_where_everything_is(
        self, operator: Operator
    ) -> None:
        operator.archive("demo", OTHER, [1])
        said = operator.run("scrape", "--target", "demo", "--channel", ROOM, "--log-file", "logs/x.log")
        assert said.code == 0, said.out
        log = (operator.folder / "logs/x.log").read_text()
        summary = operator.terminal.runs()[-1] / "demo.summary.json"
        assert f"Log file: {operator.folder}/logs/x.log" in log
        assert f"JSON summary file: {summary}" in log
        assert f"JSON summary file: {summary}" in said.out
        assert {call[call.index("--channel") + 1] for call in operator.calls() if call[0] == "export"} == {ROOM}
        (row,) = json.loads(summary.read_bytes())["channels"]
        assert (row["action"], row["delta"]) == ("MERGED", 1)
        assert ids_in(operator.room) == [1, 2, 3]

    @pytest.mark.contract("W-01", "R-11.01", "R-8.12", "D-67")
    def test_a_token_that_only_a_file_has_is_found_and_not_copied(self, operator: Operator) -> None:
        (operator.folder / ".discord-token").write_text(f"{TOKEN}\n")
        (operator.folder / ".discord-token").chmod(0o600)
        assert operator.run("scrape", DISCORD_TOKEN="").code == 0
        holders = [path.name for path in operator.folder.rglob("*") if path.is_file() and TOKEN in _text(path)]
        assert holders == [".discord-token"]

    @pytest.mark.contract("R-8.11", "R-8.12", "D-67", "R-11.08")
    def test_the_log_grows_has_all_that_was_said_and_never_the_token(self, operator: Operator) -> None:
        first = operator.run("scrape", "--log-file", "x.log")
        log = operator.folder / "x.log"
        before = log.read_text()
        operator.run("scrape", "--log-file", "x.log")
        assert log.read_text().startswith(before)
        said = [line.split("│", 1)[1] for line in first.out.splitlines() if "│ " in line]
        assert len(said) > 10
        assert [line for line in said if line not in before] == []
        written = [path for path in operator.folder.parent.rglob("*") if path.is_file()]
        assert [path for path in written if TOKEN in _text(path)] == []
        assert TOKEN not in first.out + first.err

    @pytest.mark.contract("R-8.13")
    def test_a_log_that_cannot_be_written_does_not_hide_how_the_run_ended(self, operator: Operator) -> None:
        operator.answers(ROOM, "boom")
        assert operator.run("scrape", "--skip-preflight", "--log-file", "/dev/full").code == 1
        operator.answers(ROOM)
        said = operator.run("scrape", "--skip-preflight", "--log-file", "/dev/full")
        assert said.code == 1  # the run went well, and the log that was asked for is not there
        assert "/dev/full: no space left on device" in said.err
        assert "1 message in 1 channel" in said.out or "ok" in said.out.splitlines()[-1]

    @pytest.mark.contract("S-24", "R-14.05")
    def test_the_summary_line_for_scripts_is_in_the_log_file_once_and_nowhere_else(self, operator: Operator) -> None:
        said = operator.run("scrape", "--log-file", "x.log", DCE_RUN_SUMMARY_JSON="1")
        lines = [line for line in (operator.folder / "x.log").read_text().splitlines() if "DCE_JSON_SUMMARY:" in line]
        assert [json.loads(line.split("DCE_JSON_SUMMARY:")[1])["totals"]["merged"] for line in lines] == [1]
        assert "DCE_JSON_SUMMARY:" not in said.out + said.err

    @pytest.mark.contract("H-11", "H-12", "J-04", "D-43", "R-14.05")
    def test_a_summary_named_by_a_relative_path_is_there_and_a_lost_one_is_in_the_log(self, operator: Operator) -> None:
        variables = {"DCE_RUN_SUMMARY_JSON": "1", "DCE_RUN_SUMMARY_FILE": "deep/down/x.json"}
        assert operator.run("scrape", "--log-file", "x.log", **variables).code == 0
        written = json.loads((operator.folder / "deep/down/x.json").read_bytes())
        again = operator.folder / "again.json"
        assert operator.play("summary", "x.log", "--from-log", "--recover-to", again).code == 0
        assert json.loads(again.read_bytes()) == written

    @pytest.mark.contract("J-08", "R-8.06", "D-42")
    def test_each_target_has_a_summary_of_its_own_even_where_the_environment_names_one_file(
        self, operator: Operator
    ) -> None:
        operator.target("weird name!")
        operator.archive("weird name!", OTHER, [1])
        assert operator.run("scrape", DCE_RUN_SUMMARY_FILE="x.json").code == 0
        targets = {path.name: json.loads(path.read_bytes())["target"] for path in operator.folder.glob("x*.json")}
        assert targets == {"x-demo.json": "demo", "x-weird_name_.json": "weird name!"}

    @pytest.mark.contract("R-14.03", "D-57", "S-17", "R-14.02", "F-D7")
    def test_the_summary_says_for_each_channel_why_it_was_left_out_and_what_was_kept(self, operator: Operator) -> None:
        operator.archive("demo", OTHER, [1, 2])
        operator.answers(ROOM, "forbidden")
        operator.answers(OTHER, "abort")
        said = operator.run("scrape", "--skip-preflight")
        assert said.code == 1
        assert "scrape completed successfully" not in said.out
        assert any("1 unfinished" in line and OTHER in line for line in said.out.splitlines()[-6:])
        (summary,) = operator.summaries()
        forbidden, aborted = summary["channels"]
        assert (forbidden["action"], forbidden["reason"], forbidden["temp_kept"]) == ("SKIPPED", "forbidden", None)
        assert (aborted["action"], aborted["cursor_before"], aborted["cursor_after"]) == ("SKIPPED_OOM", "2", "2")
        assert (Path(aborted["temp_kept"]) / "export.json").stat().st_size > 0
        assert aborted["duration_s"] > 0
        assert f"SKIPPED (OOM/aborted)  channel {OTHER}" in said.out
        assert "Hint: for OOM/aborted channels" in said.out

    @pytest.mark.contract("R-5.03", "D-40")
    def test_the_lock_is_taken_once_before_the_first_step_and_let_go_after_the_last(self, operator: Operator) -> None:
        operator.partial("demo", ROOM)
        said = operator.run("scrape", "--salvage-before-scrape", "--output", "jsonl")
        assert said.code == 0
        kinds = [event["type"] for event in said.events]
        taken = [number for number, kind in enumerate(kinds) if kind == "lock.acquired"]
        released = [number for number, kind in enumerate(kinds) if kind == "lock.released"]
        steps = [number for number, kind in enumerate(kinds) if kind.startswith("step.")]
        assert len(taken) == len(released) == 1
        assert taken[0] < min(steps) < max(steps) < released[0]


class TestALongExport:
    @pytest.mark.contract("D-54", "H-05", "R-3.19", "R-3.23")
    def test_the_exporters_lines_are_seen_while_it_runs_and_a_stop_is_passed_on(self, operator: Operator) -> None:
        operator.answers(ROOM, "hangs")
        terminal = operator.terminal
        argv = terminal.argv("run", "scrape", "--skip-preflight", "-v")
        with running(argv, cwd=operator.folder, env=terminal.environment) as process:
            assert any("Exporting 1 channel(s)..." in line for line in process.stdout or ())
            assert process.poll() is None
            process.terminate()
            process.communicate()
            assert process.returncode == 143
        assert list(operator.archives.glob("demo/.dce-temp/export.*/export.json"))
        (summary,) = operator.summaries()
        assert [row["action"] for row in summary["channels"]] == ["NOT_TRIED"]


class TestHowARunEnds:
    @pytest.mark.contract("R-3.18", "D-50", "R-3.17", "R-3.22")
    @pytest.mark.parametrize(
        ("case", "words", "code"),
        [
            ("ok", ("--strict",), 0),
            ("forbidden", (), 0),
            ("forbidden", ("--strict",), 8),
            ("boom", (), 1),
            ("disk_full", (), 1),
            ("bad_token", (), 7),
            ("ok", ("--no-such-option",), 2),
        ],
    )
    def test_the_exit_code_tells_skips_failures_and_a_dead_token_apart(
        self, operator: Operator, case: str, words: tuple[str, ...], code: int
    ) -> None:
        operator.answers(ROOM, case)
        assert operator.run("scrape", "--skip-preflight", *words).code == code

    @pytest.mark.contract("R-3.25")
    def test_an_old_exporters_empty_increment_without_a_file_is_unchanged(self, operator: Operator) -> None:
        operator.target("demo", channel_ids=[ROOM, OTHER])
        operator.answers(ROOM, "old_empty")
        operator.answers(OTHER, "old_empty")
        before = operator.room.read_bytes()
        said = operator.run("scrape", "--skip-preflight")
        assert said.code == 0, said.out
        (summary,) = operator.summaries()
        assert [(row["channel_id"], row["action"]) for row in summary["channels"]] == [
            (ROOM, "UNCHANGED"),
            (OTHER, "SKIPPED"),
        ]
        assert operator.room.read_bytes() == before
        assert not list(operator.archives.glob("demo/.dce-temp/export.*"))

    @pytest.mark.contract("R-8.03", "D-41", "D-04", "R-14.02")
    def test_a_failing_step_is_named_at_the_end_and_the_summary_is_written_all_the_same(
        self, operator: Operator
    ) -> None:
        operator.answers(ROOM, "boom")
        said = operator.run("scrape", "--skip-preflight", "--log-file", "x.log")
        assert said.code == 1
        log = (operator.folder / "x.log").read_text()
        for text in (said.out, log):
            assert "JSON summary file: " in text
            assert "Scrape demo" in "".join(text.splitlines()[-6:])
        (summary,) = operator.summaries()
        assert summary["totals"]["failed"] == 1

    @pytest.mark.contract("R-8.03", "E-10")
    def test_what_is_not_ready_fails_before_anything_is_asked_or_written(self, operator: Operator) -> None:
        before = operator.tree()
        said = operator.run("scrape", DISCORD_TOKEN="")
        assert said.code == 7
        assert "Check readiness" in "".join(said.out.splitlines()[-6:])
        assert operator.calls() == []
        assert {name: data for name, data in operator.tree().items() if "lock" not in name} == before

    @pytest.mark.contract("R-1.15", "R-1.01", "E-05", "E-06", "E-02")
    def test_a_bad_targets_file_starts_nothing_and_makes_no_archive_root(self, operator: Operator) -> None:
        other = operator.folder / "other.json"
        root = operator.folder / "no-such-root"
        other.write_text(
            json.dumps({"archive_root": str(root), "targets": [{"name": "x", "output_dir": "/elsewhere"}]})
        )
        assert operator.run("scrape", "--config", other).code == 3
        other.write_text("{not json")
        assert operator.run("scrape", "--config", other).code == 3
        assert operator.run("scrape", "--config", "missing.json").code == 2
        assert not root.exists()
        assert operator.calls() == []

    @pytest.mark.contract("W-09", "O-08", "R-12.11", "R-8.09", "L-01", "L-03", "R-5.02")
    @pytest.mark.parametrize("words", [("salvage",), ("scrape",), ("validation",), ("proof", "--salvage-only")])
    def test_a_held_lock_ends_it_before_the_first_step(
        self, operator: Operator, held: Path, words: tuple[str, ...]
    ) -> None:
        said = operator.run(*words)
        assert said.code == 75
        assert "Scrape lock is held" in said.out
        assert f"Another scrape is already running (lock: {held})" in said.out
        assert operator.calls() == []


class TestTheTargetsFile:
    @pytest.mark.contract("R-1.13", "D-38", "D-56")
    def test_the_file_that_was_named_last_is_used_throughout_and_shown_with_its_hash(self, operator: Operator) -> None:
        named = operator.folder / "elsewhere" / "mine.json"
        named.parent.mkdir()
        named.write_text((operator.folder / "scrape-targets.json").read_text().replace('"demo"', '"mine"', 1))
        said = operator.run("proof", "--config", "scrape-targets.json", "--config", named)
        assert said.code == 0, said.out
        (summary,) = operator.summaries()
        assert (summary["config"], summary["target"]) == (str(named), "mine")
        assert said.out.count(f"Config: {named} (sha256 {summary['config_sha256'][:12]})") == 1
        assert "Operator proof passed for mine" in said.out


class TestSalvage:
    @pytest.mark.usefixtures("held")
    def test_a_held_lock_is_told_with_every_line_of_the_advice_indented(self, operator: Operator) -> None:
        said = operator.play("archive", "salvage", "--root", operator.archives)
        assert said.code == 75
        first, *advice = said.err.splitlines()
        assert first.startswith("error: ")
        assert len(advice) > 1
        assert all(line.startswith("  ") for line in advice)

    @pytest.mark.contract("W-07", "S-21", "R-4.10", "R-4.13")
    def test_it_needs_neither_token_nor_exporter(self, operator: Operator) -> None:
        place = operator.partial("demo", ROOM)
        said = operator.run("salvage", DISCORD_TOKEN="", DCE_CLI_BIN="/no/such/program")
        assert said.code == 0, said.out
        assert "salvage completed" in said.out
        assert "JSON summary file:" not in said.out
        assert "Exporting channel" not in said.out
        assert ids_in(operator.room) == [1, 2, 3]
        assert not place.exists()

    @pytest.mark.contract("W-08", "S-20")
    def test_before_a_scrape_it_moves_the_cursor(self, operator: Operator) -> None:
        operator.partial("demo", ROOM)
        said = operator.run("scrape", "--salvage-before-scrape", "--skip-preflight")
        assert said.code == 0, said.out
        assert said.out.index("salvage completed") < said.out.index("after message 3")
        assert "JSON summary file:" in said.out
        assert ids_in(operator.room) == [1, 2, 3]


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
