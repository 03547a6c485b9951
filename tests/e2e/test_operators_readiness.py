"""Handoff, bootstrap and the readiness checks, as operators run them."""

import os
import stat
from pathlib import Path

import pytest

from tests.support.channel_files import ids_in
from tests.support.operators import OTHER, ROOM, STANDINS, Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


CHECKS = """
    name: checks
    steps:
      - operator.ready: {disk_only: true}
"""


class TestHandoff:
    @pytest.mark.contract("O-01", "O-02", "R-6.01", "R-6.02", "V-13")
    @pytest.mark.parametrize("words", [(), ("--target", "demo", "--channel", ROOM)])
    def test_it_shows_everything_in_order_and_changes_nothing(self, operator: Operator, words: tuple[str, ...]) -> None:
        operator.partial("demo", ROOM)
        before = operator.tree()
        said = operator.run("handoff", *words)
        assert said.code == 0, said.out
        marks = [
            "=== Operator handoff run plan ===",
            "Disk summary",
            "Operator readiness checks",
            "Scrape lock status",
            "TARGET  OUTPUT_DIR",
            "Handoff complete.",
        ]
        places = [said.out.index(mark) for mark in marks]
        assert places == sorted(places)
        assert operator.tree() == before
        assert operator.calls() == []

    @pytest.mark.contract("O-01")
    def test_the_disk_summary_can_be_left_out(self, operator: Operator) -> None:
        said = operator.run("handoff", "--skip-df")
        assert (said.code, "Disk summary" in said.out) == (0, False)

    @pytest.mark.contract("M1")
    def test_it_says_loudly_whose_media_are_not_kept(self, operator: Operator) -> None:
        said = operator.run("handoff", "--target", "demo")
        assert "! Media are not kept for demo" in said.out
        operator.target("kept", media="attachments", channel_ids=[OTHER])
        assert "! Media are not kept" not in operator.run("handoff", "--target", "kept").out

    @pytest.mark.contract("O-03", "R-6.03")
    def test_salvage_only_salvages(self, operator: Operator) -> None:
        operator.partial("demo", ROOM)
        said = operator.run("handoff", "--salvage-only", "--target", "demo", DISCORD_TOKEN="")
        assert said.code == 0, said.out
        assert "Handoff complete (salvage-only)" in said.out
        assert "salvage completed" in said.out
        assert ids_in(operator.room) == [1, 2, 3]

    @pytest.mark.contract("O-04", "V-05", "R-6.06")
    def test_it_ends_with_the_exact_commands_for_the_same_targets_and_channels(self, operator: Operator) -> None:
        operator.target("other room")
        operator.archive("other room", OTHER, [1])
        said = operator.run("handoff", "--target", "other room", "--channel", OTHER)
        config = operator.folder / "scrape-targets.json"
        for command in ("proof", "schedule --dry-run", "catchup"):
            words = f"dce-play run {command} --config {config} --target 'other room' --channel {OTHER}"
            assert words in said.out, said.out

    @pytest.mark.contract("R-1.12")
    def test_a_disabled_target_is_left_out_unless_it_is_named_and_then_shown_with_the_reason(
        self, operator: Operator
    ) -> None:
        operator.target("off", enabled=False, disabled_reason="no access yet", channel_ids=[OTHER])
        assert "  - off → " not in operator.run("handoff").out
        named = operator.run("handoff", "--target", "off")
        assert named.code == 0, named.out
        assert f"  - off → {operator.archives}/off (disabled: no access yet)" in named.out

    @pytest.mark.contract("R-6.05", "R-6.04")
    def test_a_channel_needs_exactly_one_target(self, operator: Operator) -> None:
        operator.target("two")
        said = operator.run("handoff", "--channel", ROOM)
        assert said.code == 2
        assert "need exactly one target; 2 are selected" in said.err

    @pytest.mark.contract("R-6.01", "R-9.01", "V-06", "R-9.02")
    def test_it_stops_where_the_machine_is_not_ready(self, operator: Operator) -> None:
        said = operator.run("handoff", DCE_MIN_FREE_MB="999999999")
        assert said.code == 1
        assert "Insufficient disk space" in said.out
        assert "auth: token from" in said.out
        assert "Handoff complete" not in said.out


class TestReadiness:
    @pytest.mark.contract("W-10", "R-9.07")
    def test_the_disk_alone_needs_neither_token_nor_engine(self, operator: Operator) -> None:
        operator.terminal.write("checks.yml", CHECKS)
        said = operator.run("checks.yml", DISCORD_TOKEN="", PATH=os.environ["PATH"])
        assert said.code == 0, said.out
        assert "disk-only: ok" in said.out

    @pytest.mark.contract("V-01", "V-02", "R-9.05")
    def test_memory_is_told_for_the_target_and_in_the_table_unless_a_global_cap_is_set(
        self, operator: Operator
    ) -> None:
        operator.target("demo", container_memory="4g")
        own = operator.run("handoff")
        assert "Operator ready" in own.out
        assert "target memory: demo → 4g" in own.out
        row = next(line for line in own.out.splitlines() if "│ demo " in line)
        assert row.split()[6] == "4g"
        capped = operator.run("handoff", DCE_CONTAINER_MEMORY="8g")
        assert "container memory: 8g" in capped.out
        assert "target memory" not in capped.out

    @pytest.mark.contract("V-03", "R-9.04")
    def test_a_compose_that_only_tells_its_version_is_enough_to_be_ready(self, operator: Operator) -> None:
        operator.target("demo", exporter="container")
        engine = operator.folder / "docker"
        engine.symlink_to(STANDINS / "engine.py")
        said = operator.run("handoff", DCE_DOCKER_BIN=str(engine))
        assert said.code == 0, said.out
        assert f"compose: {engine} compose" in said.out

    @pytest.mark.contract("V-04", "R-9.08", "R-3.21")
    def test_a_probe_without_an_engine_fails_the_bootstrap(self, operator: Operator) -> None:
        operator.target("demo", exporter="container")
        said = operator.run("bootstrap", DCE_DOCKER_BIN="/no/such/engine")
        assert said.code == 1
        assert "Bootstrap complete" not in said.out

    @pytest.mark.contract("V-12", "V-13", "R-9.06", "R-8.08", "D-45")
    def test_a_missing_folder_fails_unless_the_target_may_be_new_or_is_not_asked_for(self, operator: Operator) -> None:
        operator.target("off", enabled=False)
        operator.target("fresh", guild_ids=["444444444444444444"])
        assert operator.run("handoff").code == 0
        folder = operator.target("lost")
        said = operator.run("handoff")
        assert said.code == 1
        rows = {
            line.split()[1]: line for line in said.out.splitlines() if str(operator.archives) in line and "│ " in line
        }
        assert "off" not in rows
        assert rows["fresh"].endswith("new (no channel file yet)")
        assert rows["lost"].endswith("missing output_dir")
        assert operator.run("handoff", "--target", "demo").code == 0
        folder.mkdir()
        operator.archive("lost", OTHER, [1])
        assert operator.run("handoff").code == 0

    @pytest.mark.contract("R-9.06", "R-2.02", "D-61", "R-3.14")
    def test_twins_and_damaged_files_are_shown_and_stop_nobody_else(self, operator: Operator) -> None:
        operator.archive("demo/deeper", OTHER, [1])
        operator.archive("demo", OTHER, [1])
        said = operator.run("handoff")
        assert said.code == 0, said.out
        assert f"twin archives of channel {OTHER}" in said.out
        assert "WARN: demo: twin archives" in said.out

    @pytest.mark.contract("R-9.10")
    @pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
    def test_a_folder_that_cannot_be_written_is_told(self, operator: Operator) -> None:
        folder = operator.archives / "demo"
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        said = operator.run("handoff")
        folder.chmod(stat.S_IRWXU)
        assert said.code == 1
        assert f"folder: {folder} cannot be read or written" in said.out

    @pytest.mark.contract("R-9.10", "R-4.13")
    def test_what_dead_runs_left_is_counted_in_the_plan(self, operator: Operator) -> None:
        operator.partial("demo", ROOM)
        assert "Exports left by dead runs: 1" in operator.run("handoff").out


class TestBootstrap:
    @pytest.mark.contract("V-09", "E-18")
    def test_help_tells_its_options(self, operator: Operator) -> None:
        assert "--skip-preflight" in operator.run("bootstrap", "--help").out
        schedule = operator.run("schedule", "--help").out
        assert [option for option in ("--interval", "--at", "--cron", "--remove") if option not in schedule] == []

    @pytest.mark.contract("V-10", "V-11", "R-9.09", "R-6.06")
    def test_a_dry_run_touches_nothing_and_says_what_is_next(self, operator: Operator) -> None:
        before = operator.tree()
        said = operator.run("bootstrap", "--dry-run", "--channel", ROOM)
        assert said.code == 0, said.out
        assert "Dry run complete" in said.out
        assert f"dce-play run catchup --config {operator.folder}/scrape-targets.json --channel {ROOM}" in said.out
        assert operator.tree() == before
        assert operator.calls() == []

    @pytest.mark.contract("R-9.09", "R-9.08", "E-09", "E-13", "E-15", "E-16", "R-3.20", "D-46")
    def test_it_probes_through_the_exporter_and_writes_nothing_however_often(self, operator: Operator) -> None:
        before = operator.tree()
        for _ in range(2):
            said = operator.run("bootstrap", "--target", "demo")
            assert said.code == 0, said.out
            assert "Preflight ok for target 'demo': token verified" in said.out
            assert "Bootstrap complete." in said.out
        assert operator.tree() == before

    @pytest.mark.contract("E-01", "E-10", "R-3.20", "R-3.21")
    @pytest.mark.parametrize(
        ("case", "variables", "text"),
        [
            ("ok", {"DISCORD_TOKEN": ""}, "no Discord token"),
            ("bad_token", {}, "Authentication token is invalid"),
            ("abort", {}, "aborted (exit 134)"),
        ],
    )
    def test_a_missing_or_refused_token_and_a_crash_fail_it(
        self, operator: Operator, case: str, variables: dict[str, str], text: str
    ) -> None:
        operator.answers(ROOM, case)
        said = operator.run("bootstrap", **variables)
        assert said.code in {1, 7}
        assert text.lower() in said.out.lower()
        assert "Bootstrap complete" not in said.out


def test_a_file_where_a_targets_folder_should_be_is_named_and_is_no_bug(operator: Operator) -> None:
    place = operator.target("blocked")
    place.write_text("not a folder")
    said = operator.run("scrape", "--target", "blocked")
    assert said.code == 1
    assert f"{place}/.dce-meta/channel-map.json: not a directory" in said.out
    assert "traceback" not in said.out
    assert place.read_text() == "not a folder"
