"""The proof that an archive only grew."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.append.append import AppendOptions, EditPolicy, append
from dce_play.discord.archive.proof.compare import FileState
from dce_play.discord.archive.proof.fingerprint_store import FingerprintStore
from dce_play.discord.archive.proof.prove import Proof, ProofRules, Verdict, compare_snapshots, prove_append
from dce_play.discord.archive.proof.snapshot import Snapshot, load_snapshot, take_snapshot
from dce_play.layout import TargetLayout
from dce_play.snowflake import ChannelId
from dce_play.system.clock import SystemClock
from dce_play.system.durable.disk import facts_from
from tests.support.bounds import at_most
from tests.support.channel_files import channel_bytes, write_channel

NOW = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)
ROOM = ChannelId("1573508731788951644")
OTHER = ChannelId("1573508731788951645")


class Archive:
    """A target's folder with one channel, and its snapshot."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "root"
        self.store = FingerprintStore(tmp_path / "state")
        self.room = self.root / f"room [{ROOM}].json"
        self.deltas = 0
        self.tmp_path = tmp_path

    def write(self, ids: list[int], **facts: str) -> None:
        write_channel(self.room, ids, channel_id=ROOM, **facts)

    def append(
        self, ids: list[int], *, options: AppendOptions | None = None, contents: dict[int, str] | None = None
    ) -> None:
        """Append as a run does."""
        self.deltas += 1
        delta = self.tmp_path / f"delta{self.deltas}.json"
        delta.write_bytes(
            channel_bytes(ids, channel_id=ROOM, contents=contents, exported_at="2027-01-01T00:00:00+00:00")
        )
        append(
            self.room,
            [delta],
            options or AppendOptions(run_id="r1"),
            layout=TargetLayout(self.root),
            clock=SystemClock(),
        )

    def snapshot(self, *, keep: bool = True) -> Snapshot:
        return take_snapshot(self.root, now=NOW, store=self.store if keep else None)

    def prove(self, before: Snapshot, **rules: object) -> Proof:
        return prove_append(before, self.root, rules=ProofRules(**rules), store=self.store)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    made.write([1, 2])
    return made


@pytest.mark.contract("R-7.04", "R-7.13")
def test_an_append_is_proved(archive: Archive) -> None:
    before = archive.snapshot()
    archive.append([3])
    proof = archive.prove(before, exported=[ROOM])
    assert proof.verdict is Verdict.PASSED
    assert (proof.grown, proof.unchanged, proof.appended) == (1, 0, 1)
    assert proof.lines() == [f"OK: appended 1 messages in {archive.room}"]


def test_a_file_that_did_not_change_is_proved_unchanged(archive: Archive) -> None:
    proof = archive.prove(archive.snapshot(), exported=[ROOM])
    assert proof.verdict is Verdict.PASSED
    assert (proof.grown, proof.unchanged) == (0, 1)
    assert proof.lines() == [f"OK: unchanged {archive.room} (2 messages)"]


@pytest.mark.contract("R-7.09", "D-18")
def test_when_nothing_was_exported_nothing_is_proved(archive: Archive) -> None:
    assert archive.prove(archive.snapshot(), exported=[]).verdict is Verdict.INCONCLUSIVE


def test_without_a_run_the_files_alone_decide(archive: Archive) -> None:
    assert archive.prove(archive.snapshot()).verdict is Verdict.PASSED


def test_an_empty_archive_proves_nothing(tmp_path: Path) -> None:
    empty = Archive(tmp_path)
    empty.root.mkdir()
    assert empty.prove(empty.snapshot()).verdict is Verdict.INCONCLUSIVE


def failure(proof: Proof) -> tuple[FileState, str]:
    assert proof.verdict is Verdict.FAILED
    [found] = proof.failures
    assert proof.lines()[-1] == "1 archive integrity check(s) failed."
    return found.state, found.line()


@pytest.mark.contract("R-7.02", "R-2.12")
def test_a_file_that_is_gone_has_disappeared(archive: Archive) -> None:
    before = archive.snapshot()
    archive.room.unlink()
    state, line = failure(archive.prove(before, exported=[ROOM]))
    assert state is FileState.DISAPPEARED
    assert line == f"FAIL: archive disappeared: {archive.room}"


@pytest.mark.contract("R-7.02", "R-7.04")
def test_a_file_with_fewer_messages_shrank(archive: Archive) -> None:
    before = archive.snapshot()
    archive.write([1])
    state, line = failure(archive.prove(before, exported=[ROOM]))
    assert state is FileState.SHRANK
    assert line.startswith(f"FAIL: message count shrank for {archive.room} (2 -> 1)")


@pytest.mark.contract("R-7.02", "R-7.05")
@pytest.mark.parametrize("content", [b"", b"not-json", b'{"channel": {"id": "1573508731788951644"}, "messages": ['])
def test_a_file_that_cannot_be_read_any_more_is_invalid_not_gone(archive: Archive, content: bytes) -> None:
    before = archive.snapshot()
    archive.room.write_bytes(content)
    state, line = failure(archive.prove(before, exported=[ROOM]))
    assert state is FileState.INVALID
    assert line.startswith(f"FAIL: archive is invalid now: {archive.room}: ")


@pytest.mark.contract("R-7.02")
def test_an_id_lost_while_the_count_stays_is_found(archive: Archive) -> None:
    archive.write([1, 2, 3])
    before = archive.snapshot()
    archive.write([1, 3, 4])
    state, line = failure(archive.prove(before, exported=[ROOM]))
    assert state in {FileState.IDS_LOST, FileState.BYTES_CHANGED}
    assert str(archive.room) in line


@pytest.mark.contract("R-7.02")
def test_an_old_message_with_other_content_is_found(archive: Archive) -> None:
    before = archive.snapshot()
    archive.room.write_bytes(archive.room.read_bytes().replace(b"message 1", b"massage 1"))
    state, _ = failure(archive.prove(before, exported=[ROOM]))
    assert state in {FileState.CONTENT_CHANGED, FileState.BYTES_CHANGED}


@pytest.mark.contract("R-7.02")
def test_another_channel_s_messages_are_found(archive: Archive) -> None:
    before = archive.snapshot()
    write_channel(archive.room, [1, 2], channel_id=OTHER)
    state, _ = failure(archive.prove(before, exported=[ROOM]))
    assert state is FileState.WRONG_CHANNEL


@pytest.mark.contract("R-7.02")
def test_an_id_that_comes_again_is_found(archive: Archive) -> None:
    before = archive.snapshot()
    archive.write([1, 2, 2])
    state, _ = failure(archive.prove(before, exported=[ROOM]))
    assert state is FileState.DUPLICATE_IDS


def test_a_count_that_does_not_fit_the_messages_is_found(archive: Archive) -> None:
    before = archive.snapshot()
    archive.append([3])
    archive.room.write_bytes(archive.room.read_bytes().replace(b'"messageCount": 3', b'"messageCount": 4'))
    state, line = failure(archive.prove(before, exported=[ROOM]))
    assert state is FileState.INVALID
    assert "messageCount says 4, there are 3" in line


@pytest.mark.contract("R-7.08", "R-2.01")
def test_a_second_file_for_a_known_channel_is_never_right(archive: Archive) -> None:
    before = archive.snapshot()
    twin = write_channel(archive.root / f"twin [{ROOM}].json", [9], channel_id=ROOM)
    state, line = failure(archive.prove(before, exported=[ROOM], new_channels=None))
    assert state is FileState.UNEXPECTED
    assert line.startswith(f"FAIL: unexpected new archive path (not pre-existing): {twin}")


@pytest.mark.contract("R-7.08")
@pytest.mark.parametrize(("allowed", "verdict"), [((), "failed"), ([OTHER], "passed"), (None, "passed")])
def test_a_new_channel_is_right_only_when_it_was_asked_for(
    archive: Archive, allowed: list[ChannelId] | None, verdict: str
) -> None:
    before = archive.snapshot()
    new = write_channel(archive.root / f"new [{OTHER}].json", [5, 6], channel_id=OTHER)
    proof = archive.prove(before, exported=[OTHER], new_channels=allowed)
    assert proof.verdict == verdict
    if verdict == "passed":
        assert f"NEW: {new} (2 messages)" in proof.lines()


@pytest.mark.contract("R-7.05")
def test_a_file_that_was_invalid_before_is_no_new_one(archive: Archive) -> None:
    bad = archive.root / f"bad [{OTHER}].json"
    bad.write_bytes(b"not-json")
    before = archive.snapshot()
    assert archive.prove(before, exported=[ROOM]).verdict is Verdict.PASSED


@pytest.mark.contract("R-7.06")
def test_with_a_channel_filter_other_channels_may_change(archive: Archive) -> None:
    other = write_channel(archive.root / f"other [{OTHER}].json", [5, 6], channel_id=OTHER)
    before = archive.snapshot()
    other.unlink()
    assert archive.prove(before, exported=[ROOM], channels=[ROOM]).verdict is Verdict.PASSED
    assert archive.prove(before, exported=[ROOM]).verdict is Verdict.FAILED


@pytest.mark.contract("R-7.10")
def test_a_snapshot_of_the_old_scripts_can_be_proved_against(archive: Archive, tmp_path: Path) -> None:
    table = tmp_path / "before.tsv"
    table.write_text(f"{archive.room}\t{ROOM}\t2\n", encoding="utf-8")
    archive.append([3])
    assert archive.prove(load_snapshot(table)).lines() == [f"OK: appended 1 messages in {archive.room}"]
    archive.write([1])
    assert failure(archive.prove(load_snapshot(table)))[0] is FileState.SHRANK


@pytest.mark.contract("R-7.10", "R-7.04")
def test_two_snapshots_can_be_compared(archive: Archive, tmp_path: Path) -> None:
    before = archive.snapshot()
    archive.append([3])
    after = archive.snapshot()
    assert compare_snapshots(before, after).lines() == [f"OK: appended 1 messages in {archive.room}"]
    assert compare_snapshots(after, before).lines()[0] == f"FAIL: message count shrank for {archive.room} (3 -> 2)"


@pytest.mark.contract("R-7.04")
def test_two_snapshots_with_other_files_do_not_pass(archive: Archive) -> None:
    before = archive.snapshot()
    archive.room.rename(archive.root / f"moved [{ROOM}].json")
    after = archive.snapshot()
    states = {file.state for file in compare_snapshots(before, after).failures}
    assert states == {FileState.DISAPPEARED, FileState.UNEXPECTED}


def test_a_deep_proof_reads_files_that_look_unchanged(archive: Archive) -> None:
    before = archive.snapshot()
    proof = archive.prove(before, exported=[ROOM], deep=True)
    assert proof.verdict is Verdict.PASSED
    assert proof.unchanged == 1


def test_a_moved_root_is_proved_by_its_bytes(archive: Archive) -> None:
    before = archive.snapshot()
    moved = archive.root.rename(archive.root.with_name("moved"))
    proof = prove_append(before, moved, rules=ProofRules())
    assert proof.lines() == [f"OK: unchanged {moved / archive.room.name} (2 messages)"]


class TestRewritten:
    """Files that were written anew, compared message by message."""

    @pytest.fixture
    def before(self, archive: Archive) -> Snapshot:
        archive.write([1, 2, 5, 6])
        settled = archive.root / "tick"
        while True:
            settled.write_bytes(b"x")
            if settled.stat().st_ctime_ns - archive.room.stat().st_ctime_ns > 40_000_000:
                settled.unlink()
                return archive.snapshot()

    def test_a_filled_hole_keeps_every_old_message(self, archive: Archive, before: Snapshot) -> None:
        archive.append([2, 3, 4, 7])
        proof = archive.prove(before, exported=[ROOM])
        assert proof.verdict is Verdict.PASSED
        [file] = proof.files
        assert (file.state, file.appended) == (FileState.REWRITTEN, 3)

    def test_a_lost_message_is_named(self, archive: Archive, before: Snapshot) -> None:
        archive.write([1, 2, 3, 6])
        state, line = failure(archive.prove(before, exported=[ROOM]))
        assert state is FileState.IDS_LOST
        assert line.endswith("1 lost, such as 5")

    @pytest.mark.contract("R-7.02")
    def test_edits_pass_only_when_they_are_accepted(self, archive: Archive, before: Snapshot) -> None:
        archive.append([5, 7], options=AppendOptions(run_id="r1", edits=EditPolicy.REWRITE), contents={5: "newer"})
        state, line = failure(archive.prove(before, exported=[ROOM]))
        assert state is FileState.CONTENT_CHANGED
        assert line.endswith("1 message, such as 5")

    @pytest.mark.contract("R-7.02")
    def test_accepted_edits_are_counted(self, archive: Archive, before: Snapshot) -> None:
        archive.append([5, 7], options=AppendOptions(run_id="r1", edits=EditPolicy.REWRITE), contents={5: "newer"})
        [file] = archive.prove(before, exported=[ROOM], accept_edits=True).files
        assert (file.state, file.appended) == (FileState.REWRITTEN, 1)
        assert "1 edit taken" in file.detail

    def test_without_the_kept_index_a_rewritten_file_is_not_proved(self, archive: Archive, before: Snapshot) -> None:
        archive.append([2, 3, 4, 7])
        state, _ = failure(prove_append(before, archive.root))
        assert state is FileState.BYTES_CHANGED

    def test_after_a_proof_the_next_snapshot_has_the_grown_file(self, archive: Archive, before: Snapshot) -> None:
        archive.append([7])
        assert archive.prove(before, exported=[ROOM]).verdict is Verdict.PASSED
        kept = archive.store.get(facts_from(archive.room.stat()))
        [file] = take_snapshot(archive.root, now=NOW).files
        assert kept == file.fingerprint


@given(st.lists(st.integers(1, 40), unique=True), st.lists(st.integers(1, 40), unique=True), st.booleans())
def test_the_verdict_is_that_of_the_ids(
    tmp_path_factory: pytest.TempPathFactory, old: list[int], new: list[int], keep: bool
) -> None:
    archive = Archive(tmp_path_factory.mktemp("archive"))
    archive.write(sorted(old))
    before = archive.snapshot(keep=False)
    archive.write(sorted(new))
    passed = archive.prove(before, exported=[ROOM]).verdict is Verdict.PASSED
    grew = set(old) <= set(new) and all(identifier > max(old, default=0) for identifier in set(new) - set(old))
    assert passed is grew


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_blanks_may_part_old_messages_from_new_ones(archive: Archive, beyond: int) -> None:
    before = archive.snapshot()
    blanks = b" " * (at_most("discord.archive.proof.compare:_LONGEST_SEPARATOR_BYTES") + beyond)
    whole = channel_bytes([1, 2, 3], channel_id=ROOM)
    at = whole.rindex(b",\n    {")
    archive.room.write_bytes(whole[:at] + blanks + whole[at:])
    proof = archive.prove(before)
    assert proof.verdict is (Verdict.FAILED if beyond else Verdict.PASSED)
