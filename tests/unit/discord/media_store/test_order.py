"""What the media store keeps is durable: bytes before their name, a line before anybody hears of it."""

import errno
import os
from pathlib import Path

import pytest

from dce_play.discord.media_store.ledger import Ledger, MediaLine
from dce_play.discord.media_store.store import MediaStore
from dce_play.layout import TargetLayout
from dce_play.system.durable.disk import Disk

DIGEST = "ab" * 32


class Remembering(Disk):
    """Remembers what changes a disk, in order, and fails the syncs of data when told so."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails = False

    def write_at(self, descriptor: int, data: bytes, offset: int) -> None:
        self.calls.append("write")
        super().write_at(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self.calls.append("sync")
        super().sync(descriptor)

    def sync_data(self, descriptor: int) -> None:
        self.calls.append("sync data")
        if self.fails:
            raise OSError(errno.EIO, "no")
        super().sync_data(descriptor)

    def sync_folder(self, folder: Path) -> None:
        self.calls.append(f"sync folder {folder.name}")
        super().sync_folder(folder)

    def rename(self, source: Path, destination: Path) -> None:
        self.calls.append(f"rename to {destination.name}")
        super().rename(source, destination)


@pytest.fixture
def disk() -> Remembering:
    return Remembering()


def line(number: int) -> MediaLine:
    return MediaLine(url=f"u{number}", sha256=None, size=None, content_type=None, name="n", message_id=None,
                     channel_id=None, kind="attachment", fetched_at="", state="failed")  # fmt: skip


def test_fetched_bytes_are_durable_before_they_have_their_name_and_their_folder_has_its(
    tmp_path: Path, disk: Remembering
) -> None:
    store = MediaStore(TargetLayout(tmp_path), disk=disk)
    store.make()
    part = store.part("u")
    descriptor = disk.open(part, os.O_RDWR | os.O_CREAT)
    disk.calls.clear()
    store.adopt_part(part, descriptor, DIGEST)
    disk.close(descriptor)
    assert disk.calls == [f"sync folder {store.content.name}", "sync", f"rename to {DIGEST}", "sync folder ab"]


def test_a_line_is_durable_before_it_is_told_and_the_ledger_has_its_name(tmp_path: Path, disk: Remembering) -> None:
    ledger = Ledger(tmp_path / "media.jsonl", disk=disk)
    assert disk.calls == [f"sync folder {tmp_path.name}"]
    disk.calls.clear()
    ledger.add(line(1), lambda _: disk.calls.append("told"))
    assert disk.calls == ["write", "sync data", "told"]
    ledger.close()


def test_after_a_line_that_could_not_be_made_durable_none_is_told_any_more(tmp_path: Path, disk: Remembering) -> None:
    ledger = Ledger(tmp_path / "media.jsonl", disk=disk)
    told: list[MediaLine] = []
    disk.fails = True
    with pytest.raises(OSError, match="no"):
        ledger.add(line(1), told.extend)
    disk.fails = False
    with pytest.raises(OSError, match="no"):
        ledger.add(line(2), told.extend)
    assert told == []
    ledger.close()
