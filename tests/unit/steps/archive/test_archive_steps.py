"""The archive steps: what they plan, do, say and return."""

from dataclasses import replace
from pathlib import Path

import pytest

from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.targets.model import Target, TargetsFile
from dce_play.errors import UsageError
from dce_play.plugin import Context, Selection, StepFailed
from dce_play.snowflake import ChannelId
from dce_play.steps.archive import adopt as archive_adopt
from dce_play.steps.archive import append as archive_append
from dce_play.steps.archive import audit as archive_audit
from dce_play.steps.archive import merge as archive_merge
from dce_play.steps.archive import normalise as archive_normalise
from dce_play.steps.archive import prove_append as archive_prove_append
from dce_play.steps.archive import recover as archive_recover
from dce_play.steps.archive import salvage as archive_salvage
from dce_play.steps.archive import snapshot as archive_snapshot
from dce_play.steps.archive import verify as archive_verify
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.fakes import FakeReporter, make_context

ROOM = ChannelId("1573508731788951644")
OTHER = ChannelId("1573508731788951645")


class World:
    """An archive root with one target, and what a step is given there."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "root"
        self.folder = self.root / "kotor"
        self.folder.mkdir(parents=True)
        self.room = write_channel(self.folder / f"room [{ROOM}].json", [1, 2], channel_id=ROOM)
        targets = TargetsFile(
            path=tmp_path / "targets.yml",
            sha256="",
            archive_root=self.root,
            targets=(
                Target(name="KotOR", output_dir=self.folder, container_memory="8g"),
                Target(name="Off", output_dir=self.root / "off", enabled=False),
            ),
        )
        environment = {"DCE_PLAY_STATE_DIR": str(tmp_path / "state")}
        bare, self.reporter = make_context(tmp_path, environment=environment, archive_root=self.root)
        self.context = replace(bare, targets=targets)

    def delta(self, ids: list[int], *, channel_id: str = ROOM) -> Path:
        path = self.root.parent / f"delta-{ids[0]}.json"
        path.write_bytes(channel_bytes(ids, channel_id=channel_id))
        return path

    def left(self, data: bytes) -> Path:
        place = self.folder / ".dce-temp" / f"export.{ROOM}.abcdef"
        place.mkdir(parents=True)
        (place / "export.json").write_bytes(data)
        return place


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def context(world: World) -> Context:
    return world.context


@pytest.fixture
def reporter(world: World) -> FakeReporter:
    return world.reporter


def snapshot(context: Context) -> archive_snapshot.Outputs:
    outputs = archive_snapshot.apply(archive_snapshot.Params(), context).outputs
    assert isinstance(outputs, archive_snapshot.Outputs)
    return outputs


def append(world: World, ids: list[int]) -> archive_append.Outputs:
    params = archive_append.Params(archive=world.room, deltas=(world.delta(ids),))
    outputs = archive_append.apply(params, world.context).outputs
    assert isinstance(outputs, archive_append.Outputs)
    return outputs


def prove(since: str, **params: object) -> archive_prove_append.Params:
    return archive_prove_append.Params(since=Path(since), target="KotOR", **params)  # type: ignore[arg-type]


class TestProof:
    @pytest.mark.contract("R-7.03", "R-7.04")
    def test_a_scrape_that_appended_is_proved(self, world: World, context: Context, reporter: FakeReporter) -> None:
        before = snapshot(context)
        assert (before.file_count, before.message_count) == (1, 2)
        append(world, [3])
        result = archive_prove_append.apply(prove(before.snapshot, scrape={"exported": [ROOM]}), context)
        assert result.summary == "proved: 1 grew, 0 unchanged, nothing lost"
        assert reporter.said[-3:] == [
            f"OK: appended 1 messages in {world.room}",
            "Snapshot comparison passed.",
            "Append-safe proof passed for target KotOR.",
        ]

    @pytest.mark.contract("R-7.09", "D-18")
    def test_a_scrape_that_exported_nothing_fails_the_step(self, context: Context) -> None:
        before = snapshot(context)
        with pytest.raises(StepFailed, match="inconclusive") as failed:
            archive_prove_append.apply(prove(before.snapshot, scrape={"exported": []}), context)
        assert isinstance(failed.value.outputs, archive_prove_append.Outputs)
        assert failed.value.outputs.verdict == "inconclusive"

    @pytest.mark.contract("R-7.02")
    def test_a_violation_fails_the_step_with_the_facts(
        self, world: World, context: Context, reporter: FakeReporter
    ) -> None:
        before = snapshot(context)
        world.room.unlink()
        with pytest.raises(StepFailed, match="1 archive integrity") as failed:
            archive_prove_append.apply(prove(before.snapshot, scrape={"exported": [ROOM]}), context)
        assert isinstance(failed.value.outputs, archive_prove_append.Outputs)
        [found] = failed.value.outputs.failures
        assert (found["state"], found["channel_id"]) == ("disappeared", ROOM)
        assert f"FAIL: archive disappeared: {world.room}" in reporter.said

    @pytest.mark.contract("R-7.08")
    def test_a_first_file_is_right_for_a_channel_that_was_exported(self, world: World, context: Context) -> None:
        before = snapshot(context)
        write_channel(world.folder / f"new [{OTHER}].json", [7], channel_id=OTHER)
        archive_prove_append.apply(prove(before.snapshot, scrape={"exported": [OTHER]}), context)
        with pytest.raises(StepFailed):
            archive_prove_append.apply(prove(before.snapshot, scrape={"exported": [ROOM]}), context)

    def test_the_channels_of_the_run_narrow_the_proof(
        self, world: World, context: Context, reporter: FakeReporter
    ) -> None:
        narrowed = replace(context, selection=Selection(targets=("KotOR",), channels=(ROOM,)))
        before = snapshot(narrowed)
        write_channel(world.folder / f"new [{OTHER}].json", [7], channel_id=OTHER)
        archive_prove_append.apply(prove(before.snapshot, scrape={"exported": [ROOM]}), narrowed)
        assert "Channel-scoped proof for 1 channel(s)." in reporter.said

    @pytest.mark.contract("R-7.05")
    def test_a_file_that_cannot_be_read_is_warned_about(
        self, world: World, context: Context, reporter: FakeReporter
    ) -> None:
        world.room.write_bytes(b"not-json")
        assert len(snapshot(context).skipped) == 1
        assert reporter.said[0].startswith(f"WARN: skipping invalid JSON during snapshot: {world.room}")

    def test_planning_counts_and_writes_nothing(self, context: Context) -> None:
        assert archive_snapshot.plan(archive_snapshot.Params(), context).summary == "would record 1 channel file"
        assert list(context.scratch.iterdir()) == []


class TestSalvage:
    PARAMS = archive_salvage.Params(target="KotOR")

    @pytest.mark.contract("R-4.10", "R-4.13", "S-21")
    def test_what_a_dead_run_left_is_appended_and_told(
        self, world: World, context: Context, reporter: FakeReporter
    ) -> None:
        place = world.left(channel_bytes([2, 3], channel_id=ROOM))
        context = replace(context, environment={**context.environment, "DCE_SALVAGE_ACTIVE_TEMPS": "1"})
        result = archive_salvage.apply(self.PARAMS, context)
        assert result.changed
        assert isinstance(result.outputs, archive_salvage.Outputs)
        assert (result.outputs.salvaged, result.outputs.messages_added) == (1, 1)
        assert reporter.said == [
            f"Target 'KotOR': salvaging stale temp exports for 1 channel(s) under {world.folder} (no Discord export).",
            f"SALVAGED {world.room} (+1 messages from stale temp, 2 → 3)",
            "Target 'KotOR': salvage completed.",
        ]
        assert not place.exists()
        assert not archive_salvage.apply(self.PARAMS, context).changed

    @pytest.mark.contract("R-4.14")
    def test_planning_decides_the_same_and_writes_nothing(self, world: World, context: Context) -> None:
        world.left(b"")
        plan = archive_salvage.plan(self.PARAMS, context)
        assert [change.what for change in plan.changes] == [
            f"Stale temp is empty, discarding: {world.folder}/.dce-temp/export.{ROOM}.abcdef"
        ]
        assert archive_salvage.apply(self.PARAMS, context).changed

    @pytest.mark.contract("R-4.12")
    def test_an_archive_that_cannot_take_its_export_fails_the_step(self, world: World, context: Context) -> None:
        world.left(channel_bytes([3], channel_id=ROOM))
        world.room.write_bytes(b"not-json")
        context = replace(context, environment={**context.environment, "DCE_SALVAGE_ACTIVE_TEMPS": "1"})
        with pytest.raises(StepFailed, match="could not be salvaged"):
            archive_salvage.apply(self.PARAMS, context)
        warned = archive_salvage.apply(archive_salvage.Params(target="KotOR", on_retained="warn"), context)
        assert not warned.changed


class TestAppend:
    def test_it_appends_once(self, world: World, context: Context) -> None:
        params = archive_append.Params(archive=world.room, deltas=(world.delta([2, 3, 4]),))
        plan = archive_append.plan(params, context)
        assert [change.what for change in plan.changes] == [f"append 2 messages to {world.room.name}"]
        assert ids_in(world.room) == [1, 2]
        assert archive_append.apply(params, context).changed
        assert not archive_append.apply(params, context).changed
        assert ids_in(world.room) == [1, 2, 3, 4]

    def test_a_hole_that_is_only_reported_fails_the_step(self, world: World, context: Context) -> None:
        append(world, [9])
        params = archive_append.Params(archive=world.room, deltas=(world.delta([5]),), holes="report")
        with pytest.raises(StepFailed, match="behind"):
            archive_append.apply(params, context)

    def test_a_file_outside_the_archive_root_is_refused(self, world: World, context: Context) -> None:
        outside = write_channel(world.root.parent / "outside.json", [1], channel_id=ROOM)
        with pytest.raises(UsageError, match="not below the archive root"):
            archive_append.apply(archive_append.Params(archive=outside, deltas=(outside,)), context)


class TestVerify:
    @pytest.mark.contract("R-9.06", "D-45")
    def test_every_target_has_its_row(self, world: World, context: Context, reporter: FakeReporter) -> None:
        archive_verify.apply(archive_verify.Params(), context)
        assert reporter.said[0] == f"Archive root: {world.root}"
        assert reporter.said[1].split() == ["TARGET", "OUTPUT_DIR", "JSON", "SEEDED", "MAP", "MEM", "STATUS"]
        assert reporter.said[2].split()[2:6] == ["1", "1", "0", "8g"]
        assert reporter.said[2].endswith("ok (map will bootstrap on first run)")
        assert reporter.said[3].endswith("disabled")
        assert reporter.said[4] == "All enabled targets have archive directories with seeded channel exports."

    @pytest.mark.contract("R-9.06")
    def test_an_unusable_target_fails_the_step(self, world: World, context: Context) -> None:
        world.room.unlink()
        with pytest.raises(StepFailed, match=r"1 enabled target\(s\) failed archive verification\."):
            archive_verify.apply(archive_verify.Params(), context)


class TestAudit:
    PARAMS = archive_audit.Params(target="KotOR")

    @pytest.mark.contract("R-10.01", "R-10.05")
    def test_a_clean_target_passes(self, context: Context, reporter: FakeReporter) -> None:
        assert archive_audit.plan(self.PARAMS, context).summary == "would audit 1 file"
        result = archive_audit.apply(self.PARAMS, context)
        assert result.summary == "1 file, 2 messages, all valid"
        assert reporter.said == ["All checked archive JSON files are valid."]

    @pytest.mark.contract("R-10.01", "R-10.06")
    def test_findings_fail_the_step_with_the_repair(
        self, world: World, context: Context, reporter: FakeReporter
    ) -> None:
        world.room.write_bytes(b"")
        with pytest.raises(StepFailed, match="1 invalid archive JSON") as failed:
            archive_audit.apply(self.PARAMS, context)
        assert failed.value.hint
        assert isinstance(failed.value.outputs, archive_audit.Outputs)
        assert failed.value.outputs.findings[0]["rule"] == "empty-file"
        assert reporter.said[0].startswith(f"INVALID\t{world.room}\t")


class TestMerge:
    def test_it_merges_once(self, world: World, context: Context) -> None:
        params = archive_merge.Params(files=(world.room, world.delta([2, 3])), into=world.room)
        assert len(archive_merge.plan(params, context).changes) == 1
        assert archive_merge.apply(params, context).changed
        assert ids_in(world.room) == [1, 2, 3]
        assert not archive_merge.apply(params, context).changed

    @pytest.mark.contract("S-22")
    def test_a_file_that_is_not_merged_too_is_replaced_only_when_asked(self, world: World, context: Context) -> None:
        delta = world.delta([2, 3])
        for function in (archive_merge.plan, archive_merge.apply):
            with pytest.raises(UsageError, match="what is in it would be lost"):
                function(archive_merge.Params(files=(delta,), into=world.room), context)
        assert ids_in(world.room) == [1, 2]
        archive_merge.apply(archive_merge.Params(files=(delta,), into=world.room, overwrite=True), context)
        assert ids_in(world.room) == [2, 3]

    def test_a_plan_of_a_merge_looks_at_the_files_that_are_there_yet(self, world: World, context: Context) -> None:
        later = world.room.with_name("later.json")
        params = archive_merge.Params(files=(later, world.room), into=world.room.with_name("new.json"))
        assert archive_merge.plan(params, context).outputs["channel_id"] == ROOM
        world.room.write_bytes(world.room.read_bytes()[:-40])
        with pytest.raises(DamagedFile):
            archive_merge.plan(params, context)


class TestTheRest:
    def test_adopting_enters_the_files_into_the_map_once(self, context: Context) -> None:
        params = archive_adopt.Params(target="KotOR")
        assert len(archive_adopt.plan(params, context).changes) == 1
        result = archive_adopt.apply(params, context)
        assert result.changed
        assert isinstance(result.outputs, archive_adopt.Outputs)
        assert (result.outputs.added, result.outputs.ok, result.outputs.files) == (1, True, {})
        assert not archive_adopt.apply(params, context).changed

    def test_normalising_a_file_that_needs_it_not_changes_nothing(self, world: World, context: Context) -> None:
        params = archive_normalise.Params(file=world.room)
        assert archive_normalise.plan(params, context).changes == ()
        assert not archive_normalise.apply(params, context).changed

    def test_normalising_makes_a_minified_file_appendable(self, world: World, context: Context) -> None:
        world.room.write_bytes(b"".join(line.strip() for line in world.room.read_bytes().splitlines()))
        params = archive_normalise.Params(file=world.room)
        assert len(archive_normalise.plan(params, context).changes) == 1
        assert archive_normalise.apply(params, context).changed
        assert append(world, [3]).appended == 1
        assert ids_in(world.room) == [1, 2, 3]

    def test_recovering_when_nothing_was_interrupted_changes_nothing(self, context: Context) -> None:
        params = archive_recover.Params(target="KotOR")
        assert archive_recover.plan(params, context).changes == ()
        assert not archive_recover.apply(params, context).changed
