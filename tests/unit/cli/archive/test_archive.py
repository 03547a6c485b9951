"""``dce-play archive``: the verbs as a script would call them."""

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.archive.append.append import AppendOptions, ReaderSafe, append
from dce_play.discord.archive.records.journal import pending_journals
from dce_play.discord.lock.archive_lock import archive_lock
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import REAL, Disk
from dce_play.system.lock.note import read_meta
from tests.support import forked
from tests.support.channel_files import channel_bytes, ids_in, write_channel
from tests.support.command_line import Said, Terminal
from tests.support.fakes import FakeClock
from tests.support.processes import eventually

ROOM = "1573508731788951644"
DATA = Path(__file__).parents[3] / "data"


class Dies(BaseException):
    """The process ends here."""


class DyingDisk(Disk):
    """Dies in the middle of the payload."""

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write_at(descriptor, data[:100] if offset else data, offset)
        if offset:
            raise Dies


class Shell:
    """A folder with an archive root of one target and one channel, and the command line in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "root" / "kotor"
        self.room = write_channel(self.target / f"room [{ROOM}].json", [1, 2], channel_id=ROOM)
        self.terminal = Terminal(folder=folder)

    def archive(self, *words: str | Path) -> Said:
        return self.terminal.run("archive", *map(str, words))

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.archive(*words, "--format", "json").out)

    def delta(self, ids: list[int]) -> Path:
        path = self.folder / f"delta{ids[0]}.json"
        path.write_bytes(channel_bytes(ids, channel_id=ROOM))
        return path

    def left(self, data: bytes, *, name: str = f"export.{ROOM}.abcdef") -> Path:
        place = self.target / ".dce-temp" / name
        place.mkdir(parents=True)
        (place / "export.json").write_bytes(data)
        os.utime(place / "export.json", (1, 1))
        return place

    def interrupt_append(self) -> None:
        """Leave an append of message 3 unfinished: journal armed, payload half written."""
        options = AppendOptions(run_id="r", reader_safe=ReaderSafe.OFF)
        layout = TargetLayout(self.target)
        with pytest.raises(Dies):
            append(self.room, [self.delta([3])], options, layout=layout, clock=FakeClock(), disk=DyingDisk())

    def tree(self) -> dict[str, bytes]:
        root = self.folder / "root"
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_every_verb_explains_itself_with_an_example(shell: Shell) -> None:
    listed = shell.archive("--help").out.split("Commands:")[1]
    for verb in (line.split()[0] for line in listed.strip().splitlines()):
        said = shell.archive(verb, "--help")
        assert said.code == 0
        assert "Example" in said.out, verb
        assert "Exit 0" in said.out, verb


class TestAppend:
    def test_new_messages_are_appended_once(self, shell: Shell) -> None:
        delta = shell.delta([2, 3])
        said = shell.archive("append", shell.room, delta)
        assert (said.code, said.out) == (0, f"Appended 1 message to {shell.room} (2 -> 3)\n")
        assert ids_in(shell.room) == [1, 2, 3]
        assert shell.archive("append", shell.room, delta).out == f"Nothing new for {shell.room}\n"
        assert delta.exists()

    def test_a_dry_run_writes_nothing_and_locks_nothing(self, shell: Shell) -> None:
        before = shell.tree()
        facts = shell.json("append", shell.room, shell.delta([3]), "--dry-run")
        assert (facts["dry_run"], facts["appended"], facts["after_count"]) == (True, 1, 3)
        assert shell.tree() == before

    def test_holes_that_are_only_reported_exit_1(self, shell: Shell) -> None:
        shell.archive("append", shell.room, shell.delta([9]))
        said = shell.archive("append", shell.room, shell.delta([5]), "--holes", "report")
        assert said.code == 1
        assert "1 message is missing and stays so" in said.out

    def test_a_delta_of_another_channel_is_refused(self, shell: Shell) -> None:
        other = write_channel(shell.folder / "other.json", [9], channel_id="5")
        said = shell.archive("append", shell.room, other)
        assert said.code == 1
        assert ids_in(shell.room) == [1, 2]


class TestLock:
    def test_the_lock_of_the_archive_root_keeps_a_verb_out(self, shell: Shell) -> None:
        lock = shell.folder / "root" / ".dce-scrape.lock"
        (shell.target / ".dce-meta").mkdir()
        lock.touch()
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            said = shell.archive("append", shell.room, shell.delta([3]))
        assert said.code == 75
        assert ids_in(shell.room) == [1, 2]

    @pytest.mark.parametrize("words", [("salvage",), ("salvage", "--root"), ("adopt",)])
    def test_a_verb_on_a_targets_folder_gives_way_to_a_run_of_the_whole_archive(
        self, shell: Shell, words: tuple[str, ...]
    ) -> None:
        (shell.target / ".dce-meta").mkdir()
        with archive_lock(shell.folder / "root", environment={}, command="pytest").acquire():
            assert shell.archive(*words, shell.target).code == 75

    def test_the_locks_note_names_the_verb_and_the_path_and_no_other_word(self, shell: Shell) -> None:
        lock = shell.folder / "root" / ".dce-scrape.lock"
        lock.touch()
        argv = shell.terminal.argv("archive", "append", str(shell.room), str(shell.delta([3])), "--lock-wait", "9s")
        with shell.room.open("rb") as room:
            fcntl.flock(room, fcntl.LOCK_EX)  # the verb has the archive's lock now, and waits for the file's
            verb = forked.start(argv, cwd=shell.folder, env=shell.terminal.environment)
            assert eventually(lambda: read_meta(lock) is not None)
            meta = read_meta(lock)
        assert meta is not None
        assert meta.cmd == f"dce-play archive append {shell.room}"
        assert verb.wait(60.0) == 0

    def test_another_root_can_be_named(self, shell: Shell) -> None:
        shell.archive("append", shell.room, shell.delta([3]), "--root", shell.folder / "root")
        assert (shell.folder / "root" / ".dce-scrape.lock").exists()
        assert not (shell.target / ".dce-scrape.lock").exists()


class TestProof:
    @pytest.mark.contract("R-7.04", "R-7.07")
    def test_growth_is_proved_and_loss_is_not(self, shell: Shell) -> None:
        assert shell.archive("snapshot", "root", "--output", "before.json").code == 0
        shell.archive("append", shell.room, shell.delta([3]))
        said = shell.archive("prove", "before.json", "root")
        assert said.code == 0
        assert said.out.splitlines() == [
            f"OK: appended 1 messages in {shell.room}",
            "Snapshot comparison passed. (grown 1, unchanged 0)",
        ]
        write_channel(shell.room, [1], channel_id=ROOM)
        said = shell.archive("prove", "before.json", "root")
        assert said.code == 1
        assert said.out.startswith(f"FAIL: message count shrank for {shell.room} (2 -> 1)")

    def test_the_facts_are_there_as_json(self, shell: Shell) -> None:
        facts = shell.json("snapshot", "root", "--output", "before.json")
        assert (facts["file_count"], facts["message_count"]) == (1, 2)
        facts = shell.json("prove", "before.json", "root")
        assert (facts["verdict"], facts["unchanged"], facts["files"][0]["state"]) == ("passed", 1, "unchanged")

    @pytest.mark.contract("R-7.10")
    def test_two_snapshots_of_the_old_scripts_are_compared(self, shell: Shell) -> None:
        for name, count in (("a.tsv", 1), ("b.tsv", 2)):
            (shell.folder / name).write_text(f"{shell.room}\t{ROOM}\t{count}\n", encoding="utf-8")
        assert shell.archive("prove", "a.tsv", "b.tsv").code == 0
        said = shell.archive("prove", "b.tsv", "a.tsv")
        assert (said.code, said.out.splitlines()[0]) == (1, f"FAIL: message count shrank for {shell.room} (2 -> 1)")

    def test_a_missing_snapshot_is_told(self, shell: Shell) -> None:
        said = shell.archive("prove", "none.json", "root")
        assert said.code == 3
        assert "Missing snapshot" in said.err

    def test_an_empty_root_proves_nothing(self, shell: Shell) -> None:
        (shell.folder / "empty").mkdir()
        shell.archive("snapshot", "empty", "--output", "before.json")
        said = shell.archive("prove", "before.json", "empty")
        assert said.code == 1
        assert "inconclusive" in said.out

    def test_a_snapshot_that_leaves_a_file_out_exits_1(self, shell: Shell) -> None:
        shell.room.write_bytes(b"not-json")
        said = shell.archive("snapshot", "root", "--output", "before.json")
        assert said.code == 1
        assert "WARN: skipping invalid JSON during snapshot" in said.err


class TestSalvageOfOneFile:
    @pytest.mark.contract("R-4.15", "D-34")
    def test_in_place_it_is_replaced_with_a_backup_and_only_once(self, shell: Shell) -> None:
        partial = shell.folder / "partial.json"
        data = (DATA / "partials" / "sigterm-truncated.json").read_bytes()
        partial.write_bytes(data)
        partial.chmod(0o640)
        said = shell.archive("salvage", "partial.json")
        assert said.code == 0
        backup, salvaged, valid = said.out.splitlines()
        assert Path(backup.removeprefix("Backup: ")).read_bytes() == data
        assert salvaged.startswith(f"Salvaged: {partial} (2125322 -> ")
        assert valid == f"Valid JSON with {len(ids_in(partial))} messages."
        assert partial.stat().st_mode & 0o777 == 0o640
        assert shell.archive("salvage", "partial.json").out == f"Already valid JSON: {partial}\n"

    @pytest.mark.contract("R-4.15", "R-4.14", "D-34")
    def test_a_dry_run_says_what_it_would_do_and_exits_0(self, shell: Shell) -> None:
        partial = shell.folder / "partial.json"
        partial.write_bytes(channel_bytes([1, 2])[:-40])
        before = partial.read_bytes()
        said = shell.archive("salvage", "partial.json", "--dry-run")
        assert said.code == 0
        assert said.out.startswith(f"Would salvage {partial} (")
        assert partial.read_bytes() == before

    def test_a_write_that_fails_is_told_and_leaves_no_file(self, shell: Shell) -> None:
        (shell.folder / "partial.json").write_bytes(channel_bytes(range(1, 2000))[:-20])
        argv = shell.terminal.argv("archive", "salvage", "partial.json", "--into", "whole.json")
        limited = ["prlimit", "--fsize=100000", *argv]
        done = subprocess.run(
            limited, cwd=shell.folder, env=shell.terminal.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "whole.json failed" in done.stderr
        assert [path.name for path in shell.folder.glob("*whole*")] == []

    def test_into_another_file_it_leaves_the_partial_alone(self, shell: Shell) -> None:
        partial = shell.folder / "partial.json"
        partial.write_bytes(channel_bytes([1, 2, 3])[:-20])
        before = partial.read_bytes()
        assert shell.archive("salvage", "partial.json", "--into", "whole.json").code == 0
        assert partial.read_bytes() == before
        assert ids_in(shell.folder / "whole.json") == [1, 2, 3]
        said = shell.archive("salvage", "partial.json", "--into", "whole.json")
        assert said.code == 2
        assert "exists" in said.err

    @pytest.mark.contract("R-4.15")
    def test_what_is_no_export_is_refused(self, shell: Shell) -> None:
        (shell.folder / "notes.json").write_text('{"a": 1}', encoding="utf-8")
        said = shell.archive("salvage", "notes.json")
        assert said.code == 1
        assert "nothing to recover" in said.err
        assert (shell.folder / "notes.json").read_text(encoding="utf-8") == '{"a": 1}'

    def test_a_folder_is_taken_as_a_root(self, shell: Shell) -> None:
        assert "salvage completed" in shell.archive("salvage", "root").out

    def test_one_of_the_two_ways_must_be_chosen(self, shell: Shell) -> None:
        assert shell.archive("salvage").code == 2
        assert shell.archive("salvage", shell.room, "--root", "root").code == 2
        assert shell.archive("salvage", shell.room, "--target", "kotor").code == 2


class TestSalvageOfARoot:
    @pytest.mark.contract("R-4.10", "R-4.13", "S-21")
    def test_what_dead_runs_left_goes_into_the_archives(self, shell: Shell) -> None:
        shell.left(channel_bytes([2, 3], channel_id=ROOM)[:-20])
        said = shell.archive("salvage", "--root", "root")
        assert said.code == 0
        assert f"SALVAGED {shell.room} (+1 messages from stale temp, 2 → 3)" in said.out
        assert said.out.splitlines()[-1] == "Target 'kotor': salvage completed."
        assert "Exporting channel" not in said.out
        assert ids_in(shell.room) == [1, 2, 3]

    @pytest.mark.contract("R-4.14")
    def test_a_dry_run_changes_nothing(self, shell: Shell) -> None:
        shell.left(channel_bytes([3], channel_id=ROOM))
        before = shell.tree()
        facts = shell.json("salvage", "--root", "root", "--dry-run")
        assert (facts["salvaged"], facts["messages_added"], facts["items"][0]["fate"]) == (1, 1, "salvaged")
        assert shell.tree() == before

    def test_a_target_that_is_not_there_is_told_with_the_nearest(self, shell: Shell) -> None:
        shell.left(b"")
        said = shell.archive("salvage", "--root", "root", "--target", "kotr")
        assert said.code == 2
        assert "kotor" in said.err

    @pytest.mark.contract("R-4.12")
    def test_an_archive_that_cannot_take_its_export_exits_1(self, shell: Shell) -> None:
        shell.left(channel_bytes([3], channel_id=ROOM))
        shell.room.write_bytes(b"not-json")
        assert shell.archive("salvage", "--root", "root").code == 1


class TestAdopt:
    @pytest.mark.contract("R-2.03")
    def test_a_moved_root_is_mended(self, shell: Shell) -> None:
        meta = shell.target / ".dce-meta"
        meta.mkdir()
        (meta / "channel-map.json").write_text(json.dumps({ROOM: f"/old/{shell.room.name}"}), encoding="utf-8")
        said = shell.archive("adopt", "root")
        assert said.code == 0
        assert f"Repaired 1 channel map entries under {shell.target}." in said.out
        assert json.loads((meta / "channel-map.json").read_bytes()) == {ROOM: str(shell.room)}

    @pytest.mark.contract("R-19.05", "R-2.02")
    def test_twins_are_told_and_merged_when_asked_for(self, shell: Shell) -> None:
        twin = write_channel(shell.target / f"twin [{ROOM}].json", [2, 7], channel_id=ROOM)
        said = shell.archive("adopt", "root", "--dry-run")
        assert said.code == 1
        assert said.out.count("twin ") >= 2
        said = shell.archive("adopt", "root", "--merge-twins")
        assert said.code == 0
        [left] = [path for path in (shell.room, twin) if path.exists()]
        assert ids_in(left) == [1, 2, 7]
        assert shell.archive("normalise", "--confirm", left).out.count("Removed") == 2

    def test_a_dry_run_tells_each_file_and_changes_nothing(self, shell: Shell) -> None:
        (shell.target / "notes.json").write_text("{}", encoding="utf-8")
        before = shell.tree()
        facts = shell.json("adopt", "root", "--dry-run")
        assert {file["fitness"] for file in facts["files"]} == {"as-is", "unnamed"}
        assert facts["added"] == 1
        assert shell.tree() == before


class TestAudit:
    @pytest.mark.contract("R-10.01", "R-10.07")
    def test_a_clean_archive_exits_0_and_nothing_is_written_to_it(self, shell: Shell) -> None:
        before = shell.tree()
        said = shell.archive("audit", "root")
        assert said.code == 0
        assert said.out.splitlines()[-1] == "All checked archive JSON files are valid."
        assert shell.tree() == before

    @pytest.mark.contract("R-10.01", "R-10.03", "R-10.06", "D-20", "V-08")
    @pytest.mark.parametrize("data", [b"", b"not-json", channel_bytes([1]) * 2, channel_bytes([1, 1], channel_id=ROOM)])
    def test_a_file_with_findings_exits_1_and_the_repair_is_told(self, shell: Shell, data: bytes) -> None:
        shell.room.write_bytes(data)
        said = shell.archive("audit", shell.room)
        assert said.code == 1
        assert said.out.startswith(f"INVALID\t{shell.room}\t")
        facts = shell.json("audit", shell.room)
        assert (facts["path"], facts["ok"]) == (str(shell.room), False)
        assert set(facts["findings"][0]) >= {"rule", "offset", "message_id", "detail", "repair"}

    def test_as_json_each_path_comes_once_with_the_same_keys(self, shell: Shell) -> None:
        shell.left(b"not-json")
        twin = write_channel(shell.target / f"twin [{ROOM}].json", [1], channel_id=ROOM)
        told = [json.loads(line) for line in shell.archive("audit", "root", "--format", "json").out.splitlines()]
        assert sorted(entry["path"] for entry in told) == sorted({entry["path"] for entry in told})
        assert {entry["path"] for entry in told} > {str(shell.room), str(twin)}
        assert {frozenset(entry) for entry in told} == {frozenset(told[0])}
        assert any(finding["rule"] == "twin-files" for entry in told for finding in entry["findings"])
        assert not all(entry["ok"] for entry in told)

    @pytest.mark.contract("R-10.02", "V-07")
    def test_what_a_dead_run_left_is_a_note(self, shell: Shell) -> None:
        shell.left(b"not-json")
        said = shell.archive("audit", "root")
        assert said.code == 0
        assert "note: left-export" in said.out

    def test_what_was_not_read_again_is_said_and_full_reads_it(self, shell: Shell) -> None:
        first = shell.json("audit", shell.room)["verified"]
        assert first.startswith("full at ")
        shell.archive("append", shell.room, shell.delta([3]))
        facts = shell.json("audit", "--full", shell.room)
        assert (facts["message_count"], facts["last_id"]) == (3, "3")
        assert facts["verified"].startswith("full at ")


class TestOthers:
    def test_the_figures_of_files_are_told(self, shell: Shell) -> None:
        facts = shell.json("stats", "root")
        assert (facts["message_count"], facts["first_id"], facts["last_id"]) == (2, "1", "2")
        assert facts["size_bytes"] == shell.room.stat().st_size
        assert "2 messages, 2015-01 to 2015-01" in shell.archive("stats", shell.room).out

    def test_a_file_is_printed_as_it_is_or_message_by_message(self, shell: Shell) -> None:
        assert shell.archive("cat", shell.room).out.encode() == shell.room.read_bytes()
        lines = shell.archive("cat", "--messages", "--after", "1", shell.room).out.splitlines()
        assert [json.loads(line)["id"] for line in lines] == ["2"]
        assert shell.archive("cat", "--after", "1", shell.room).code == 2

    def test_the_cursor_is_the_greatest_id(self, shell: Shell) -> None:
        assert shell.archive("cursor", shell.room).out == "2\n"
        empty = write_channel(shell.folder / "empty.json", [])
        assert shell.archive("cursor", empty).out == ""

    def test_files_are_merged_into_one(self, shell: Shell) -> None:
        said = shell.archive("merge", shell.delta([1, 3]), shell.delta([2, 3]), "--into", "merged.json")
        assert said.code == 0
        assert ids_in(shell.folder / "merged.json") == [1, 2, 3]
        again = shell.archive("merge", shell.delta([1, 3]), "--into", "merged.json")
        assert again.code == 2

    def test_a_merge_into_a_link_leaves_one_file(self, shell: Shell) -> None:
        link = shell.folder / "link.json"
        link.symlink_to(shell.room)
        assert shell.archive("merge", shell.room, shell.delta([3]), "--into", "link.json").code == 0
        assert link.is_symlink()
        assert ids_in(shell.room) == [1, 2, 3]

    def test_a_merge_waits_for_whoever_holds_the_file_that_it_replaces(self, shell: Shell) -> None:
        lock = shell.target / ".dce-scrape.lock"
        words = ("archive", "merge", str(shell.room), str(shell.delta([3])), "--into", str(shell.room))
        with shell.room.open("rb") as room:
            fcntl.flock(room, fcntl.LOCK_EX)
            verb = forked.start(shell.terminal.argv(*words), cwd=shell.folder, env=shell.terminal.environment)
            assert eventually(lambda: read_meta(lock) is not None)
            with pytest.raises(subprocess.TimeoutExpired):
                verb.wait(1.0)
            assert ids_in(shell.room) == [1, 2]
        assert verb.wait(60.0) == 0
        assert ids_in(shell.room) == [1, 2, 3]

    def test_a_merge_first_finishes_or_undoes_the_append_that_was_interrupted(self, shell: Shell) -> None:
        shell.interrupt_append()
        assert shell.archive("merge", shell.room, shell.delta([3]), "--into", shell.room).code == 0
        assert ids_in(shell.room) == [1, 2, 3]
        assert not pending_journals(TargetLayout(shell.target), disk=REAL)

    def test_a_salvage_in_place_undoes_the_append_that_was_interrupted(self, shell: Shell) -> None:
        before = shell.room.read_bytes()
        shell.interrupt_append()
        assert shell.archive("salvage", shell.room).out == f"Already valid JSON: {shell.room}\n"
        assert shell.room.read_bytes() == before
        assert not pending_journals(TargetLayout(shell.target), disk=REAL)

    def test_an_append_by_a_link_is_recorded_where_the_file_lies(self, shell: Shell) -> None:
        link = shell.folder / "elsewhere" / "link.json"
        link.parent.mkdir()
        link.symlink_to(shell.room)
        assert shell.archive("append", link, shell.delta([3])).code == 0
        assert TargetLayout(shell.target).appends.exists()
        assert [path.name for path in link.parent.iterdir()] == ["link.json"]

    def test_a_dry_merge_fails_where_the_merge_would(self, shell: Shell) -> None:
        damaged = shell.folder / "damaged.json"
        damaged.write_bytes(shell.room.read_bytes()[:-40])
        foreign = write_channel(shell.folder / "foreign.json", [1], channel_id="5")
        for other in (damaged, foreign):
            for way in ([], ["--dry-run"]):
                assert shell.archive("merge", shell.room, other, "--into", "merged.json", *way).code == 1

    def test_a_dry_merge_writes_nothing(self, shell: Shell) -> None:
        assert shell.archive("merge", shell.delta([1]), "--into", "merged.json", "--dry-run").code == 0
        assert not (shell.folder / "merged.json").exists()

    def test_a_minified_file_is_normalised_and_a_sound_one_is_not(self, shell: Shell) -> None:
        assert shell.archive("normalise", shell.room).out == f"Nothing to normalise: {shell.room}\n"
        shell.room.write_bytes(b"".join(line.strip() for line in shell.room.read_bytes().splitlines()))
        assert shell.archive("normalise", shell.room, "--dry-run").out == f"Would normalise {shell.room}\n"
        facts = shell.json("normalise", shell.room)
        assert facts["changed"]
        assert Path(facts["original"]).exists()
        assert shell.archive("append", shell.room, shell.delta([3])).code == 0

    def test_a_sound_file_with_keys_behind_its_messages_is_normalised(self, shell: Shell) -> None:
        value = json.loads(shell.room.read_bytes())
        shell.room.write_text(json.dumps({"messages": value.pop("messages"), **value}, indent=2), encoding="utf-8")
        said = shell.archive("append", shell.room, shell.delta([3]))
        assert said.code == 1
        assert f"archive normalise '{shell.room}'" in said.err
        assert "normalise" in shell.archive("adopt", shell.target, "--dry-run").out
        assert shell.json("normalise", shell.room)["changed"]
        assert shell.archive("append", shell.room, shell.delta([3])).code == 0
        assert ids_in(shell.room) == [1, 2, 3]

    def test_a_dry_run_does_not_promise_to_normalise_a_damaged_file(self, shell: Shell) -> None:
        shell.room.write_bytes(shell.room.read_bytes()[:-40])
        assert shell.archive("normalise", shell.room, "--dry-run").code == 1

    def test_a_wrong_count_is_normalised(self, shell: Shell) -> None:
        shell.room.write_bytes(shell.room.read_bytes().replace(b'"messageCount": 2', b'"messageCount": 7'))
        assert shell.archive("audit", shell.room).code == 1
        assert shell.json("normalise", shell.room)["changed"]
        assert shell.archive("audit", shell.room).code == 0

    def test_recovering_when_nothing_is_pending_says_so(self, shell: Shell) -> None:
        said = shell.archive("recover", "root", shell.room)
        assert said.code == 0
        assert said.out.count("Nothing to recover") == 2
