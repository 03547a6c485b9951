"""The record of what an archive was."""

import hashlib
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dce_play.discord.archive.proof.fingerprint import BLOCK_BYTES, MessageIndex, take_fingerprint
from dce_play.discord.archive.proof.fingerprint_store import SETTLED_NS, FingerprintStore
from dce_play.discord.archive.proof.snapshot import DamagedSnapshot, load_snapshot, take_snapshot, write_snapshot
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.snowflake import ChannelId
from dce_play.system.durable.disk import FileFacts, facts_from
from tests.support.channel_files import channel_bytes, write_channel

NOW = datetime(2026, 11, 21, 1, 15, 7, tzinfo=UTC)
ROOM = ChannelId("1573508731788951644")
OTHER = ChannelId("1573508731788951645")


def room(root: Path, ids: list[int], *, channel_id: str = ROOM) -> Path:
    return write_channel(root / f"room [{channel_id}].json", ids, channel_id=channel_id)


@pytest.mark.contract("R-7.01")
def test_a_snapshot_tells_what_each_file_was(tmp_path: Path) -> None:
    path = room(tmp_path, [3, 10, 999])
    [file] = take_snapshot(tmp_path, now=NOW).files
    data = path.read_bytes()
    assert file.fingerprint is not None
    mark = file.fingerprint
    assert (file.path, file.channel_id, file.message_count) == (Path(path.name), ROOM, 3)
    assert (mark.first_id, mark.last_id, mark.size_bytes, mark.ordered) == ("3", "999", len(data), True)
    assert data[mark.cut :] == b'\n  ],\n  "messageCount": 3\n}'
    assert mark.blocks == (hashlib.sha256(data[: mark.cut]).hexdigest(),)
    assert mark.tail_sha256 == hashlib.sha256(data[mark.cut :]).hexdigest()


def test_the_smallest_and_the_greatest_id_are_found_by_value(tmp_path: Path) -> None:
    room(tmp_path, [1000000000000000000, 999999999999999999])
    [file] = take_snapshot(tmp_path, now=NOW).files
    assert file.fingerprint is not None
    assert (file.fingerprint.first_id, file.fingerprint.last_id) == ("999999999999999999", "1000000000000000000")
    assert not file.fingerprint.ordered


def test_a_long_file_is_hashed_in_blocks(tmp_path: Path) -> None:
    contents = dict.fromkeys(range(1, 15), "x" * 700000)
    path = tmp_path / f"room [{ROOM}].json"
    path.write_bytes(channel_bytes(contents, contents=contents, channel_id=ROOM))
    [file] = take_snapshot(tmp_path, now=NOW).files
    assert file.fingerprint is not None
    whole = path.read_bytes()[: file.fingerprint.cut]
    parts = [whole[start : start + BLOCK_BYTES] for start in range(0, len(whole), BLOCK_BYTES)]
    assert len(parts) == 3
    assert file.fingerprint.blocks == tuple(hashlib.sha256(part).hexdigest() for part in parts)


@pytest.mark.contract("R-7.05")
def test_a_file_that_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / f"bad [{ROOM}].json"
    path.write_bytes(b"not-json")
    snapshot = take_snapshot(tmp_path, now=NOW)
    assert snapshot.files == ()
    [(skipped, reason)] = snapshot.skipped
    assert skipped == Path(path.name)
    assert "is damaged at byte 0" in reason


@pytest.mark.contract("R-7.06")
def test_with_a_channel_filter_only_those_channels_are_in_it(tmp_path: Path) -> None:
    room(tmp_path, [1])
    room(tmp_path, [1], channel_id=OTHER)
    snapshot = take_snapshot(tmp_path, now=NOW, channels=[OTHER])
    assert [file.channel_id for file in snapshot.files] == [OTHER]
    assert snapshot.channels == (OTHER,)


def test_the_targets_folders_can_be_named(tmp_path: Path) -> None:
    room(tmp_path / "one", [1])
    room(tmp_path / "two", [1], channel_id=OTHER)
    snapshot = take_snapshot(tmp_path, now=NOW, folders=[tmp_path / "two"])
    assert [file.path for file in snapshot.files] == [Path("two") / f"room [{OTHER}].json"]


def test_a_snapshot_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    room(tmp_path / "a", [1, 2])
    write_channel(tmp_path / "a" / os.fsdecode(b"caf\xe9 [1573508731788951645].json"), [5], channel_id=OTHER)
    (tmp_path / "a" / "bad [1573508731788951646].json").write_bytes(b"")
    snapshot = take_snapshot(tmp_path / "a", now=NOW, channels=())
    digest = write_snapshot(snapshot, tmp_path / "deep" / "S.json")
    assert load_snapshot(tmp_path / "deep" / "S.json") == snapshot
    assert digest == hashlib.sha256((tmp_path / "deep" / "S.json").read_bytes()).hexdigest()
    assert snapshot.taken == "2026-11-21T01:15:07Z"


@pytest.mark.contract("R-7.10")
def test_the_old_scripts_snapshot_is_read(tmp_path: Path) -> None:
    path = tmp_path / "before.tsv"
    path.write_text(f"/root/t/a [{ROOM}].json\t{ROOM}\t2\n/root/t/b [{OTHER}].json\t{OTHER}\t7\n", encoding="utf-8")
    snapshot = load_snapshot(path)
    assert [(file.channel_id, file.message_count) for file in snapshot.files] == [(ROOM, 2), (OTHER, 7)]
    assert snapshot.files[0].path == Path(f"/root/t/a [{ROOM}].json")
    assert snapshot.files[0].fingerprint is None


@pytest.mark.parametrize("text", ["", "a\tb\n", "a\tb\tc\n", "{", '{"version": 99}', '{"version": 1}'])
def test_what_is_no_snapshot_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "S.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DamagedSnapshot):
        load_snapshot(path)


def test_a_missing_snapshot_is_told(tmp_path: Path) -> None:
    with pytest.raises(DamagedSnapshot, match="Missing snapshot"):
        load_snapshot(tmp_path / "none.json")


def settle(path: Path) -> None:
    """Wait until the kernel's clock has moved on from the file's last change."""
    ticking = path.with_name("tick")
    while True:
        ticking.write_bytes(b"x")
        if ticking.stat().st_ctime_ns - path.stat().st_ctime_ns > 40_000_000:
            ticking.unlink()
            return


def test_the_store_answers_for_an_unchanged_file_until_it_changes(tmp_path: Path) -> None:
    path = room(tmp_path / "root", [1, 2])
    settle(path)
    store = FingerprintStore(tmp_path / "state")
    [file] = take_snapshot(tmp_path / "root", now=NOW, store=store).files
    assert store.get(_facts(path)) == file.fingerprint
    path.chmod(0o600)
    assert store.get(_facts(path)) is None


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    path = room(tmp_path / "root", [1, 2])
    settle(path)
    store = FingerprintStore(tmp_path / "state")
    [file] = take_snapshot(tmp_path / "root", now=NOW, store=store).files
    assert file.fingerprint is not None
    told = replace(file.fingerprint, message_count=99)
    store.put(told, _index(path), read_at_ns=time.time_ns())
    [again] = take_snapshot(tmp_path / "root", now=NOW, store=store).files
    assert again.fingerprint == told


def test_a_file_that_changed_a_moment_ago_is_not_kept(tmp_path: Path) -> None:
    path = room(tmp_path / "root", [1, 2])
    [file] = take_snapshot(tmp_path / "root", now=NOW).files
    assert file.fingerprint is not None
    store = FingerprintStore(tmp_path / "state")
    store.put(file.fingerprint, _index(path), read_at_ns=file.fingerprint.ctime_ns + SETTLED_NS - 1)
    assert not store.folder.exists()
    store.put(file.fingerprint, _index(path), read_at_ns=file.fingerprint.ctime_ns + SETTLED_NS)
    assert store.get(_facts(path)) == file.fingerprint


def test_a_pruning_snapshot_forgets_files_that_are_gone(tmp_path: Path) -> None:
    store = FingerprintStore(tmp_path / "state")
    path = room(tmp_path / "root", [1, 2])
    settle(path)
    take_snapshot(tmp_path / "root", now=NOW, store=store)
    assert len(list(store.folder.iterdir())) == 2
    path.unlink()
    take_snapshot(tmp_path / "root", now=NOW, store=store)
    assert len(list(store.folder.iterdir())) == 2
    take_snapshot(tmp_path / "root", now=NOW, store=store, prune=True)
    assert list(store.folder.iterdir()) == []


def _facts(path: Path) -> FileFacts:
    return facts_from(path.stat())


def _index(path: Path) -> MessageIndex:
    with open_bytes(path) as channel:
        return take_fingerprint(channel, _facts(path))[1]
