"""The order in which the receiver makes things durable, as the kernel was asked: a kill shows none of it.

What a PUT does is in ``test_receive_crashes``; here is what takes several requests, and what its verbs write.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.system.durable.disk import Disk
from dce_play.transfer.receiving.index_file import FileIndex
from dce_play.transfer.wire import IndexRow
from tests.support.call_order import changes, strace
from tests.support.receiver import Receiver, archive, offer_headers

RECORD = ["fsync uploads/*/.upload.json.*.tmp", "rename uploads/*/.upload.json.*.tmp to uploads/*/upload.json"]
RECORDED = [*RECORD, "fsync uploads/*"]
PIECE = {"Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?0"}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver whose folders are all there and whose calls are seen; its log is ``calls``."""
    with Receiver(folder=tmp_path) as one:
        assert one.put("ep-0", archive("ep-0")).status == 201
        assert one.stop() == 0
        one.wrapper = (*strace(tmp_path / "calls", "sendto", "sendmsg"), "-D")
        one.start()
        yield one


@pytest.mark.strace
@pytest.mark.contract("V2", "V4")
def test_an_upload_in_pieces_is_durable_before_each_answer_and_its_bytes_go_last(receiver: Receiver) -> None:
    data = archive(files={"a": os.urandom(50_000)})
    offer = {**offer_headers(data), "Upload-Complete": "?0", "Upload-Length": str(len(data)), "Content-Length": "0"}
    path = receiver.request("POST", "/v1/episodes/ep-1/uploads", offer).headers["location"]
    assert receiver.request("PATCH", path, PIECE, data[:1000]).status == 204
    last = {**PIECE, "Upload-Offset": "1000", "Upload-Complete": "?1"}
    assert receiver.request("PATCH", path, last, data[1000:]).status == 201
    receiver.stop()
    assert changes(receiver.folder / "calls", receiver.store, sends="HTTP/1.1 2") == [
        "fsync uploads",
        *RECORDED,
        "HTTP/1.1 201",
        "ftruncate uploads/*/data",
        "fsync uploads/*/data",
        *RECORDED,
        "HTTP/1.1 204",
        "ftruncate uploads/*/data",
        "fsync uploads/*/data",
        *RECORDED,
        "fsync store/.ep-1.receipt.json.*.tmp",
        "rename store/.ep-1.receipt.json.*.tmp to store/ep-1.receipt.json",
        "fsync store",
        "link uploads/*/data to store/ep-1.tar.zst",
        "fsync store",
        "unlink uploads/*/data",
        "fsync index.jsonl",
        *RECORDED,
        "HTTP/1.1 201",
    ]


@pytest.mark.strace
@pytest.mark.contract("V2")
def test_a_token_is_durable_before_it_is_told(receiver: Receiver) -> None:
    log = receiver.folder / "calls-of-token"
    argv = [sys.executable, "-m", "dce_play", "receive", "token", "add", "lab-2", "--config", str(receiver.toml)]
    words = strace(log, "write")
    subprocess.run([*words, *argv], cwd=receiver.folder, check=True, timeout=60, stdout=subprocess.PIPE)
    assert changes(log, receiver.store) == [
        "fsync .tokens.json.*.tmp",
        "rename .tokens.json.*.tmp to tokens.json",
        "fsync .",
    ]
    lines = log.read_text(errors="replace").splitlines()
    durable = max(at for at, line in enumerate(lines) if " fsync(" in line and str(receiver.store) in line)
    assert any(" write(1<" in line and "dcp_" in line for line in lines[durable:])


class Counting(Disk):
    """Remembers what was made durable, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self.calls.append("truncate")
        super().truncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        self.calls.append(f"sync {self.facts(descriptor).size_bytes > 0}")
        super().sync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        self.calls.append("sync folder")
        super().sync_folder(folder)


def row(identifier: str) -> IndexRow:
    return IndexRow(v=1, id=identifier, host_id="lab-1", size=1, sha256="", manifest_digest="", files=1,
                    bytes=1, stored_at="", source="put")  # fmt: skip


def test_an_index_is_durable_under_its_name_and_a_torn_line_is_cut_durably_before_one_is_added(tmp_path: Path) -> None:
    disk = Counting()
    index = FileIndex(tmp_path / "index.jsonl", disk=disk)
    assert index.add_missing(row("a"))
    assert disk.calls == ["sync folder", "sync True"]
    with (tmp_path / "index.jsonl").open("ab") as file:
        file.write(b'{"id": "torn')
    disk.calls.clear()
    assert index.add_missing(row("b"))
    assert disk.calls == ["truncate", "sync True", "sync True"]
    assert [each.id for each in FileIndex(tmp_path / "index.jsonl").rows()] == ["a", "b"]
