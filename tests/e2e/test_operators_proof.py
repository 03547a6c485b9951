"""The proof playbook and its snapshots, as operators use them."""

import json
from pathlib import Path

import pytest

from tests.support.channel_files import ids_in
from tests.support.operators import OTHER, ROOM, THIRD, Operator


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


class TestModes:
    @pytest.mark.contract("O-05", "R-7.12", "R-8.02", "R-6.01")
    def test_a_dry_run_hands_over_and_claims_no_proof(self, operator: Operator) -> None:
        before = operator.tree()
        said = operator.run("proof", "--dry-run")
        assert said.code == 0, said.out
        assert "=== Operator handoff run plan ===" in said.out
        assert "Dry run complete (no Discord scrape)." in said.out
        assert "JSON summary file:" not in said.out
        assert "Operator proof passed" not in said.out
        assert operator.tree() == before

    @pytest.mark.contract("O-06", "R-7.12", "R-6.03")
    def test_salvage_only_salvages_and_asks_nobody(self, operator: Operator) -> None:
        operator.partial("demo", ROOM)
        said = operator.run("proof", "--salvage-only", DISCORD_TOKEN="")
        assert said.code == 0, said.out
        assert "Salvage-only proof complete" in said.out
        assert "JSON summary file:" not in said.out
        assert ids_in(operator.room) == [1, 2, 3]
        assert operator.calls() == []

    @pytest.mark.contract("O-07", "R-7.03", "D-19", "R-8.07")
    def test_what_was_salvaged_before_the_scrape_is_part_of_the_proof_and_there_is_one_scrape(
        self, operator: Operator
    ) -> None:
        operator.partial("demo", ROOM)
        operator.answers(ROOM, ids=(1, 2, 3, 4))
        said = operator.run("proof", "--salvage-before-scrape")
        assert said.code == 0, said.out
        assert "salvage completed" in said.out
        assert "JSON summary file:" in said.out
        assert f"OK: appended 2 messages in {operator.room}" in said.out
        assert "Operator proof passed for demo" in said.out
        assert said.out.count("=== Scrape run summary ===") == 1

    @pytest.mark.contract("R-8.01", "R-7.12")
    @pytest.mark.parametrize("playbook", ["proof", "validation"])
    @pytest.mark.parametrize(
        ("words", "text", "code"),
        [
            (("--salvage-only", "--dry-run"), "--salvage-only cannot be combined with --dry-run.", 4),
            (("--salvage-only", "--salvage-before-scrape"), "cannot go together", 2),
        ],
    )
    def test_modes_that_exclude_each_other_are_refused(
        self, operator: Operator, playbook: str, words: tuple[str, ...], text: str, code: int
    ) -> None:
        said = operator.run(playbook, *words)
        assert said.code == code
        assert text in said.out + said.err
        assert operator.calls() == []


class TestVerdicts:
    @pytest.mark.contract("R-7.07", "D-17", "R-7.03")
    def test_every_target_is_tried_and_one_failure_makes_the_run_fail(self, operator: Operator) -> None:
        operator.target("broken")
        operator.archive("broken", OTHER, [1])
        operator.answers(OTHER, "boom")
        operator.target("zoo")
        operator.archive("zoo", THIRD, [1])
        said = operator.run("proof")
        assert said.code == 1
        assert [name for name in ("demo", "broken", "zoo") if f"Operator proof passed for {name}" in said.out] == [
            "demo",
            "zoo",
        ]
        assert {summary["target"] for summary in operator.summaries()} == {"demo", "broken", "zoo"}

    @pytest.mark.contract("W-02", "R-7.09", "D-18")
    @pytest.mark.parametrize("case", ["nothing", "forbidden"])
    def test_a_scrape_that_could_fetch_nothing_proves_nothing(self, operator: Operator, case: str) -> None:
        operator.answers(ROOM, "forbidden")
        variables = {"DCE_CLI_BIN": "/bin/true"} if case == "nothing" else {}
        said = operator.run("proof", **variables)
        assert said.code == 1
        assert "Operator proof passed" not in said.out

    @pytest.mark.contract("R-7.02", "D-33", "R-7.08")
    def test_a_channel_that_nobody_asked_for_fails_the_proof(self, operator: Operator) -> None:
        assert operator.play("archive", "snapshot", operator.archives, "--output", "before.json").code == 0
        operator.archive("demo", OTHER, [1])
        said = operator.play("archive", "prove", "before.json", operator.archives)
        assert said.code == 1
        assert "unexpected new archive path" in said.out + said.err


class TestSnapshots:
    @pytest.fixture
    def snapshot(self, operator: Operator) -> Path:
        operator.archive("demo", THIRD, [1])
        damaged = operator.archive("demo", OTHER, [1, 2])
        damaged.write_bytes(damaged.read_bytes()[:-40])
        return operator.folder / "before.json"

    @pytest.mark.contract("O-11", "R-7.05", "R-7.01")
    def test_a_damaged_file_is_left_out_with_a_warning(self, operator: Operator, snapshot: Path) -> None:
        said = operator.play("archive", "snapshot", operator.archives, "--output", snapshot)
        assert f"[{OTHER}].json" in said.out + said.err
        text = snapshot.read_text()
        assert (ROOM in text, THIRD in text) == (True, True)
        files = json.loads(text)["files"]
        assert sorted(each["channel_id"] for each in files) == [ROOM, THIRD]

    @pytest.mark.contract("O-12", "R-7.06")
    def test_with_a_channel_only_that_one_is_in_it(self, operator: Operator, snapshot: Path) -> None:
        said = operator.play("archive", "snapshot", operator.archives, "--channel", ROOM, "--output", snapshot)
        assert said.code == 0, said.err
        assert ROOM in snapshot.read_text()
        assert THIRD not in snapshot.read_text()

    @pytest.mark.contract("O-13", "O-14", "R-7.04")
    def test_growth_passes_and_the_same_the_other_way_round_fails(self, operator: Operator) -> None:
        for name in ("before.json", "after.json"):
            assert operator.play("archive", "snapshot", operator.archives, "--output", name).code == 0
            operator.archive("demo", ROOM, [1, 2, 3])
        forth = operator.play("archive", "prove", "before.json", "after.json")
        assert (forth.code, "Snapshot comparison passed." in forth.out) == (0, True)
        back = operator.play("archive", "prove", "after.json", "before.json")
        assert back.code == 1
        assert "message count shrank" in back.out + back.err

    @pytest.mark.contract("O-15", "R-8.01")
    def test_help_tells_how_to_narrow_a_proof_to_channels(self, operator: Operator) -> None:
        for words in (("run", "proof", "--help"), ("archive", "snapshot", "--help")):
            said = operator.play(*words)
            assert (said.code, "--channel" in said.out) == (0, True)
