"""The validation and catch-up playbooks, as operators run them."""

from pathlib import Path

import pytest

from tests.support.channel_files import ids_in
from tests.support.operators import OTHER, ROOM, THIRD, Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.fixture
def three(operator: Operator) -> Operator:
    """The targets demo, broken and zoo; the second one's channel fails."""
    for name, channel in (("broken", OTHER), ("zoo", THIRD)):
        operator.target(name)
        operator.archive(name, channel, [1])
    operator.answers(OTHER, "boom")
    return operator


class TestValidation:
    @pytest.mark.contract("O-09", "R-8.02", "R-8.07")
    def test_a_dry_run_goes_through_every_target_and_writes_nothing(self, three: Operator) -> None:
        before = three.tree()
        said = three.run("validation", "--dry-run", "--continue-on-error")
        assert said.code == 0, said.out
        assert "Operator validation finished." in said.out
        assert "JSON summary file:" not in said.out
        assert three.tree() == before
        assert three.calls() == []

    @pytest.mark.contract("O-10", "R-8.07", "R-6.03")
    def test_salvage_only_salvages_and_audits_and_asks_nobody(self, operator: Operator) -> None:
        operator.partial("demo", ROOM)
        said = operator.run("validation", "--salvage-only", "--target", "demo", DISCORD_TOKEN="")
        assert said.code == 0, said.out
        assert "salvage completed" in said.out
        assert "All checked archive JSON files are valid." in said.out
        assert "Operator validation finished." in said.out
        assert ids_in(operator.room) == [1, 2, 3]
        assert operator.calls() == []

    @pytest.mark.contract("R-8.05")
    def test_with_continue_on_error_all_targets_are_tried_and_the_run_fails(self, three: Operator) -> None:
        said = three.run("validation", "--continue-on-error")
        assert said.code == 1
        assert {summary["target"] for summary in three.summaries()} == {"demo", "broken", "zoo"}

    @pytest.mark.contract("T6")
    def test_targets_that_are_validated_at_once_end_as_one_after_another(self, three: Operator) -> None:
        said = three.run("validation", "--continue-on-error", "--jobs", "2")
        assert said.code == 1
        assert {summary["target"] for summary in three.summaries()} == {"demo", "broken", "zoo"}
        at_once = [(step["id"], step["status"]) for step in three.report()["steps"] if "[" in step["id"]]
        three.run("validation", "--continue-on-error")
        one_by_one = [(step["id"], step["status"]) for step in three.report()["steps"] if "[" in step["id"]]
        assert [each for each, _ in at_once] == [each for each, _ in one_by_one]
        assert {each.rpartition("[")[2] for each, status in at_once if status == "failed"} >= {"broken]"}, at_once

    @pytest.mark.contract("R-8.05")
    def test_without_it_the_first_failure_is_the_last_target(self, three: Operator) -> None:
        said = three.run("validation")
        assert said.code == 1
        assert {summary["target"] for summary in three.summaries()} == {"demo", "broken"}

    @pytest.mark.contract("R-8.07")
    def test_after_a_scrape_a_damaged_archive_fails_the_audit(self, operator: Operator) -> None:
        damaged = operator.archive("demo", OTHER, [1, 2])
        damaged.write_bytes(damaged.read_bytes()[:-40])
        said = operator.run("validation", "--channel", ROOM)
        assert said.code == 1
        assert any("INVALID" in line and str(damaged) in line for line in said.out.splitlines())

    @pytest.mark.contract("R-8.01", "R-8.07")
    def test_without_a_scrape_there_is_no_audit(self, operator: Operator) -> None:
        said = operator.run("validation", "--skip-scrape")
        assert said.code == 0, said.out
        assert "Skip scrape requested." in said.out
        assert {step["uses"] for step in operator.report()["steps"] if step["status"] == "ok"} <= {
            "assert.that",
            "operator.ready",
            "archive.verify",
            "report.say",
        }
        assert operator.calls() == []

    @pytest.mark.contract("R-8.04", "R-6.07", "R-9.01")
    def test_the_report_has_every_step_with_how_it_ended_and_how_long_it_took(self, operator: Operator) -> None:
        operator.run("validation")
        steps = operator.report()["steps"]
        names = [step["uses"] for step in steps]
        assert [name for name in ("operator.ready", "scrape.run", "archive.audit") if name not in names] == []
        assert all(step["status"] and step["duration_s"] >= 0 for step in steps)
        (ready,) = (step for step in steps if step["uses"] == "operator.ready")
        verdicts = {check["name"]: check["verdict"] for check in ready["outputs"]["checks"]}
        assert (verdicts["disk"], verdicts["auth"]) == ("ok", "ok")


class TestCatchingUp:
    @pytest.mark.contract("O-16", "R-8.10")
    def test_a_dry_run_shows_target_and_plan_and_writes_nothing(self, operator: Operator) -> None:
        before = operator.tree()
        said = operator.run("catchup", "--target", "demo", "--channel", ROOM, "--dry-run")
        assert said.code == 0, said.out
        assert "=== Channel catch-up run plan ===" in said.out
        assert f"  - demo → {operator.archives}/demo" in said.out
        assert "JSON summary file:" not in said.out
        assert operator.tree() == before

    @pytest.mark.contract("R-8.10")
    def test_any_channel_is_salvaged_scraped_proved_and_audited(self, operator: Operator) -> None:
        operator.archive("demo", OTHER, [1])
        operator.partial("demo", ROOM)
        operator.answers(ROOM, ids=(1, 2, 3, 4, 5))
        said = operator.run("catchup", "--target", "demo", "--channel", ROOM)
        assert said.code == 0, said.out
        assert f"OK: appended 3 messages in {operator.room}" in said.out
        assert "All checked archive JSON files are valid." in said.out
        assert ids_in(operator.room) == [1, 2, 3, 4, 5]
        assert {call[call.index("--channel") + 1] for call in operator.calls() if call[0] == "export"} == {ROOM}

    @pytest.mark.contract("O-17", "R-8.10", "R-8.01")
    def test_it_says_what_it_needs(self, operator: Operator) -> None:
        assert "--channel" in operator.run("catchup", "--help").out
        said = operator.run("catchup", "--target", "demo")
        assert said.code == 4
        assert "--target NAME --channel ID" in said.out
