"""What a write to a channel file that fails is told as, by what the kernel says; and that the hint helps."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dce_play.discord.archive.records.write_errors import NotEnoughSpace, WriteFailed, disk_errors

_LIMITED = """
import os, sys
from pathlib import Path
from dce_play.discord.archive.records.write_errors import WriteFailed, disk_errors
path = Path(sys.argv[1])
try:
    with disk_errors(path), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
except WriteFailed as error:
    print(error, error.hint, sep="\\n")
"""


def limit() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


def test_a_file_that_may_not_grow_is_told_as_that(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _LIMITED, str(tmp_path / "channel.json")]
    told = subprocess.run(argv, capture_output=True, text=True, preexec_fn=limit, check=True).stdout.splitlines()
    assert "File too large" in told[0]
    assert "ulimit -f" in told[1]
    assert "dmesg" not in told[1]


@pytest.mark.parametrize(("number", "kind"), [(28, NotEnoughSpace), (122, NotEnoughSpace), (5, WriteFailed)])
def test_a_full_disk_and_a_used_up_quota_are_told_apart_from_a_broken_one(
    tmp_path: Path, number: int, kind: type[Exception]
) -> None:
    with pytest.raises((NotEnoughSpace, WriteFailed)) as failed, disk_errors(tmp_path / "channel.json"):
        raise OSError(number, "said the kernel")
    assert type(failed.value) is kind
