"""What a store of files acknowledges is durable, also after a step of it had failed."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from dce_play.system.durable.disk import Disk
from dce_play.transfer.receiving.config import read_config
from dce_play.transfer.receiving.file_store import FileStore
from dce_play.transfer.receiving.file_uploads import SYNC_EVERY_BYTES
from dce_play.transfer.receiving.storage import Offer
from dce_play.transfer.receiving.stored_archive import receipt_from_archive
from tests.support.receiver import archive


class FailingDisk(Disk):
    """Fails the calls whose turn it is, and counts what was synced."""

    def __init__(self) -> None:
        self.fail_folder = 0
        self.fail_sync = 0
        self.folders: list[str] = []
        self.syncs = 0

    def sync_folder(self, folder: Path) -> None:
        if self.fail_folder and folder.name == "store":
            self.fail_folder -= 1
            if not self.fail_folder:
                raise OSError(errno.EIO, "no")
        super().sync_folder(folder)
        self.folders.append(folder.name)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.fail_sync:
            self.fail_sync -= 1
            raise OSError(errno.EIO, "no")
        super().sync(descriptor)


def new_store(folder: Path, disk: Disk) -> FileStore:
    path = folder / "receive.toml"
    path.write_text('store_dir = "s"\n[version_gate]\nenabled = false\n')
    store = FileStore(read_config(path), disk=disk)
    store.start()
    return store


def offer_of(data: bytes) -> Offer:
    return Offer(id="ep-1", host_id="lab-1", size=len(data), sha256=hashlib.sha256(data).hexdigest())


def test_a_name_whose_folder_was_not_synced_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = new_store(tmp_path, disk)
    data = archive()
    (tmp_path / "a").write_bytes(data)
    receipt = receipt_from_archive(
        tmp_path / "a", "ep-1", receiver="x", limits=read_config(tmp_path / "receive.toml").limits.archive
    )
    incoming = store.receive(offer_of(data))
    incoming.write(data)
    disk.fail_folder = 2  # the receipt's is the first, the name's the second
    with pytest.raises(OSError, match="no"):
        store.publish(incoming, receipt, source="put")
    disk.fail_folder = 1
    with pytest.raises(OSError, match="no"):
        store.stored("ep-1")
    disk.folders.clear()
    assert store.stored("ep-1") == receipt
    assert disk.folders == ["store"]
    assert store.stored("ep-1") == receipt
    assert disk.folders == ["store"]
    store.close()
    disk.folders.clear()
    again = new_store(tmp_path, disk)
    again.stored("ep-1")
    again.stored("ep-1")
    assert disk.folders.count("store") == 1
    again.close()


def test_an_offset_never_counts_bytes_whose_sync_has_failed(tmp_path: Path) -> None:
    disk = FailingDisk()
    store = new_store(tmp_path, disk)
    state = store.create_upload(offer_of(bytes(64 << 20)))
    writer = store.append_to(state)
    writer.write(b"x" * 1000)
    assert writer.sync().offset == 1000
    disk.fail_sync = 1
    with pytest.raises(OSError, match="no"):
        writer.write(bytes(SYNC_EVERY_BYTES))
    assert writer.sync().offset == 1000
    writer.close()
    found = store.find_upload(state.upload)
    assert found is not None
    assert found.offset == 1000
    assert b"".join(store.read_upload(found)) == b"x" * 1000
    store.close()


@pytest.mark.contract("V2", "V4")
def test_bytes_whose_sync_failed_while_more_came_are_never_published(tmp_path: Path) -> None:
    """The kernel tells a lost page once; a sync that runs ahead may be the one that it tells."""

    class Loses(Disk):
        def sync_data(self, descriptor: int) -> None:  # noqa: ARG002 - as the disk has it
            raise OSError(errno.EIO, "no")

    store = new_store(tmp_path, Loses())
    data = archive(files={"a.bin": os.urandom(9 << 20)})
    incoming = store.receive(offer_of(data))
    incoming.write(data)
    with pytest.raises(OSError, match="no"):
        incoming.finish()
    incoming.discard()
    state = store.create_upload(offer_of(data))
    writer = store.append_to(state)
    writer.write(data)
    with pytest.raises(OSError, match="no"):
        writer.sync()
    writer.close()
    found = store.find_upload(state.upload)
    assert found is not None
    assert found.offset == 0
    store.close()
