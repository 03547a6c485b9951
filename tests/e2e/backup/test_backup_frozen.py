"""A real file system that is frozen while it is read: it thaws when whoever froze it is killed, and when time is up.

Somebody writes there all the time. A write to a frozen file system waits, so that his count stands still.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backups import Yard, wait_for, yard_in

pytestmark = [pytest.mark.root, pytest.mark.slow]
RUN = ("run", "kuma", "--allow-unattended", "--format", "json")
STILL_S = 0.5
WRITER = """
import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
while True:
    os.pwrite(file, b"x", 0)
    os.fsync(file)
    os.write(1, b".")
    time.sleep(0.02)
"""


class Writer:
    """Somebody who writes a byte again and again."""

    def __init__(self, path: Path) -> None:
        self.count = 0
        self._program = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self._program.stdout is not None
        while dots := os.read(self._program.stdout.fileno(), 4096):
            self.count += len(dots)

    def stands_still(self) -> bool:
        before = self.count
        time.sleep(STILL_S)
        return self.count == before

    def end(self) -> None:
        self._program.kill()
        self._program.wait(timeout=20)
        self._thread.join(timeout=20)
        assert self._program.stdout is not None
        self._program.stdout.close()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Mount a small file system of its own; it is thawed and unmounted in the end, whatever a test left."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, check=False)
    if made.returncode or subprocess.run(["mount", "-o", "loop", image, place], capture_output=True).returncode:  # noqa: PLW1510 - looked at
        pytest.skip("no file system can be mounted from a file here")
    try:
        yield place
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], capture_output=True, check=False)
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def writer(mounted: Path) -> Iterator[Writer]:
    found = Writer(mounted / "counter")
    yield found
    subprocess.run(["fsfreeze", "--unfreeze", mounted], capture_output=True, check=False)
    found.end()


@pytest.fixture
def yard(tmp_path: Path, mounted: Path) -> Iterator[Yard]:
    """Give a yard whose data are on the file system, and whose compressor waits until it may go on."""
    bin_folder, go = tmp_path / "bin", tmp_path / "go"
    bin_folder.mkdir()
    for name in ("pigz", "gzip"):
        (bin_folder / name).write_text(f"#!/bin/sh\nuntil [ -e {go} ]; do sleep 0.05; done\nexec /bin/gzip -c\n")
        (bin_folder / name).chmod(0o755)
    (mounted / "data").mkdir()
    (mounted / "data" / "large").write_bytes(os.urandom(8 << 20))  # more than waits in pipes
    yield yard_in(tmp_path, PATH=f"{bin_folder}:{os.environ['PATH']}")
    go.touch()


def define(yard: Yard, mounted: Path, *, max_s: int) -> None:
    freeze = {"mode": "fsfreeze", "mountpoint": str(mounted), "max": f"{max_s}s"}
    yard.define(files={"paths": [str(mounted / "data")]}, quiesce=freeze, container_engine="none")


@pytest.mark.contract("B4", "N6")
def test_a_frozen_file_system_thaws_when_the_run_is_killed(yard: Yard, mounted: Path, writer: Writer) -> None:
    define(yard, mounted, max_s=300)
    process = yard.start(*RUN)
    try:
        wait_for(writer.stands_still, within_s=60, what="a frozen file system")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
    frozen_at = writer.count
    wait_for(lambda: writer.count > frozen_at + 5, within_s=10, what="a thawed one")
    wait_for(lambda: not (yard.root / ".dce-backup" / "kuma.quiesce.json").exists(), within_s=10, what="no note")
    assert yard.ask("list")[1]["backups"] == []


@pytest.mark.contract("B4", "N6")
def test_a_frozen_file_system_thaws_when_its_time_is_up_and_the_backup_is_none(
    yard: Yard, mounted: Path, writer: Writer, tmp_path: Path
) -> None:
    define(yard, mounted, max_s=3)
    process = yard.start(*RUN)
    try:
        wait_for(writer.stands_still, within_s=60, what="a frozen file system")
        frozen_at = writer.count
        wait_for(lambda: writer.count > frozen_at + 5, within_s=13, what="a thawed one, while it is still read")
        assert process.poll() is None
        (tmp_path / "go").touch()
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate(timeout=20)
    assert process.returncode == 1
    assert b'"quiesce-failed"' in out
    assert yard.names() == []
