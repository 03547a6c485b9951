"""The index of a tar waits on a disk: nobody reads there what it holds."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from dce_play.backup.tree.spool import SealedSpool


def opened() -> set[int]:
    """Return the open descriptors of plain files."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own is closed by now
            if stat.S_ISREG(os.fstat(int(each.name)).st_mode):
                found.add(int(each.name))
    return found


def test_what_waits_is_on_no_disk_in_plain_and_comes_back_as_it_was() -> None:
    line = b'{"path":"customers/somebody.txt"}\n'
    before = opened()
    spool = SealedSpool()
    try:
        for _ in range(50_000):
            spool.write(line)
        assert b"".join(spool.read_all()) == line * 50_000
        (descriptor,) = opened() - before
        assert os.fstat(descriptor).st_size == spool.size_bytes == len(line) * 50_000
        assert os.fstat(descriptor).st_nlink == 0
        stored = os.pread(descriptor, 1 << 20, 0)
        assert len(stored) == 1 << 20
        assert b"customers" not in stored
        assert b"path" not in stored
    finally:
        spool.close()
