"""The folders of a shipper: what is ours in them, what is not, and files that are there whole or not at all."""

import stat
from pathlib import Path

import pytest

from dce_play.system.lock.file_lock import FileBusy, flock_file
from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.episodes import spool as module
from dce_play.transfer.sending.episodes.episode import REASON
from dce_play.transfer.sending.episodes.spool import Outbox, PackRecord, Spool, Suffix, split_file_name
from dce_play.transfer.sending.settings import load_config
from tests.support.lab_hosts import lab_host

ONE = EpisodeId("one")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(load_config(lab_host(tmp_path, "http://127.0.0.1:1").config))
    for folder in spool.folders:
        folder.mkdir(exist_ok=True)
    return spool


def record(identifier: str = "one") -> PackRecord:
    return PackRecord(
        id=identifier, size=4, sha256="00", manifest_digest="sha256:1", commit=None, seal="s", packed_at="now"
    )


@pytest.mark.parametrize("suffix", list(Suffix))
def test_a_file_of_ours_is_known_by_its_name(spool: Spool, suffix: Suffix) -> None:
    path = spool.file(ONE, suffix)
    assert path.parent == spool.outbox
    assert split_file_name(path.name) == (ONE, suffix)


@pytest.mark.parametrize(
    "name", ["one", "one.tar", ".tar.zst", "-.tar.zst", "one.json.tar.zst", "one.part.receipt.json"]
)
def test_other_names_are_none_of_ours(name: str) -> None:
    assert split_file_name(name) is None


def test_the_outbox_is_listed_by_episode(spool: Spool) -> None:
    names = ["one.tar.zst", "one.pack.json", "two.receipt.json", ".one.pack.json.tmp", ".hidden", "strange", ".x.tmp2"]
    for name in names:
        (spool.outbox / name).touch()
    files = {ONE: frozenset({Suffix.TAR, Suffix.PACK}), EpisodeId("two"): frozenset({Suffix.RECEIPT})}
    assert spool.list_outbox() == Outbox(files=files, temporaries=(".one.pack.json.tmp",))


def test_what_is_no_episode_is_told_and_what_is_hidden_is_passed_over(spool: Spool) -> None:
    for name in ("one", ".hidden", "bad name", "two", "z\udcff"):
        (spool.episodes / name).mkdir()
    (spool.episodes / "file").touch()
    (spool.episodes / "link").symlink_to("one")
    found, bad = spool.list_episodes()
    assert sorted(found) == ["one", "two"]
    assert bad == ["bad name", "file", "link", "z\\xff"]


@pytest.mark.contract("S6")
def test_a_tarball_gets_its_name_after_its_record(spool: Spool) -> None:
    spool.file(ONE, Suffix.PART).write_bytes(b"data")
    (spool.outbox / ".one.pack.json.tmp").write_bytes(
        b"left by one that was killed, and longer than what comes now" * 9
    )
    spool.publish_tar(record())
    assert sorted(path.name for path in spool.outbox.iterdir()) == ["one.pack.json", "one.tar.zst"]
    assert spool.file(ONE, Suffix.TAR).read_bytes() == b"data"
    assert spool.read_pack(ONE) == record()
    assert stat.S_IMODE(spool.file(ONE, Suffix.PACK).stat().st_mode) == 0o600


@pytest.mark.parametrize("data", [None, b"", b'{"id": "one"', b'{"id": "one"}', b"\xff"])
def test_a_record_that_is_not_whole_is_none(spool: Spool, data: bytes | None) -> None:
    if data is not None:
        spool.file(ONE, Suffix.PACK).write_bytes(data)
    assert spool.read_pack(ONE) is None


def test_a_record_of_another_episode_is_none(spool: Spool) -> None:
    spool.file(EpisodeId("two"), Suffix.PART).touch()
    spool.publish_tar(record("two"))
    spool.file(EpisodeId("two"), Suffix.PACK).rename(spool.file(ONE, Suffix.PACK))
    assert spool.read_pack(ONE) is None


def test_small_files_are_written_for_us_alone_and_read(spool: Spool) -> None:
    assert spool.read_file(ONE, Suffix.UPLOAD) is None
    spool.write_file(ONE, Suffix.UPLOAD, b"where")
    (spool.outbox / ".one.receipt.json.tmp").write_bytes(b"left by one that was killed")
    spool.write_receipt(ONE, b"receipt")
    assert sorted(path.name for path in spool.outbox.iterdir()) == ["one.receipt.json", "one.upload.json"]
    assert spool.read_file(ONE, Suffix.UPLOAD) == b"where"
    assert spool.read_file(ONE, Suffix.RECEIPT) == b"receipt"
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.outbox.iterdir()} == {0o600}
    spool.file(ONE, Suffix.TAR).mkdir()
    with pytest.raises(IsADirectoryError):
        spool.read_file(ONE, Suffix.TAR)


def test_removing_an_episodes_files_leaves_the_others(spool: Spool) -> None:
    for name in ("one.tar.zst", "one.upload.json", "one2.tar.zst", "other"):
        (spool.outbox / name).touch()
    assert spool.remove_files(ONE) == ["one.tar.zst", "one.upload.json"]
    assert sorted(path.name for path in spool.outbox.iterdir()) == ["one2.tar.zst", "other"]
    assert spool.remove_files(ONE) == []


def test_shipped_folders_without_a_receipt_are_found_under_all_their_names(spool: Spool) -> None:
    for name in ("one", "one~2", "one~3", "one~1", "two", "one.x"):
        (spool.shipped / name).mkdir()
    (spool.shipped / "one~2.receipt.json").touch()
    assert spool.shipped_names(ONE) == ["one", "one~3"]


@pytest.mark.parametrize("kind", [None, "file", "dangling link"])
def test_an_episode_has_a_reason_when_anything_stands_under_its_name(spool: Spool, kind: str | None) -> None:
    reason = spool.episode(ONE) / REASON
    reason.parent.mkdir()
    if kind == "file":
        reason.touch()
    if kind == "dangling link":
        reason.symlink_to("nowhere")
    assert spool.has_reason(ONE) == (kind is not None)


def test_episodes_are_moved_by_one_at_a_time(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOVES_WAIT_S", 0.05)
    with spool.moving():
        lock = next(spool.private.iterdir())
        assert lock.name == "moves.lock"
        with pytest.raises(FileBusy), spool.moving():
            pytest.fail("two at a time")
    with flock_file(lock, wait_s=0), pytest.raises(FileBusy), spool.moving():
        pytest.fail("two at a time")
    with spool.moving():
        pass
