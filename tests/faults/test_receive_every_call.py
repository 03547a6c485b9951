"""The receiver killed, or its disk failing, at every file call that storing one episode makes.

strace counts a call's occurrences in each thread by itself. One thread does all the work of a body here, so that its
n-th call is one certain call of the PUT; the other threads make one call of a kind each.
"""

import itertools
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.receiver import Receiver, archive

pytestmark = [pytest.mark.strace, pytest.mark.soak]

CALLS = ["openat", "pwrite64", "rename", "link", "unlink", "fsync"]
FAULTS = ["signal=SIGKILL", "error=EIO", "error=ENOSPC"]
LEAST = {"openat": 5, "pwrite64": 3, "rename": 1, "link": 1, "unlink": 1, "fsync": 5}
"""How many of each a PUT makes: of the archive, the receipt, the name and the row; `write` only goes to the log."""


def threads_of(receiver: Receiver, log: Path) -> tuple[list[int], list[int]]:
    """Return the thread that works on bodies, and all the others, as a PUT shows them."""
    assert receiver.process is not None
    running = sorted(int(path.name) for path in Path(f"/proc/{receiver.process.pid}/task").iterdir())
    with tracing(running, log, "-etrace=link"):
        assert receiver.put("ep-0", archive("ep-0")).status == 201
    (body,) = {int(found) for found in re.findall(r"^(\d+) +link\(", log.read_text(), re.MULTILINE)}
    return [body], [each for each in running if each != body]


@contextmanager
def tracing(threads: list[int], log: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Attach strace to some threads while the block runs."""
    argv = ["strace", "-y", "-o", str(log), *(f"-p{thread}" for thread in threads), *words]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for _ in threads:
            line = process.stderr.readline()
            assert "attached" in line, line
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(20)


def fault_at(
    folder: Path, call: str, fault: str, *, in_body: bool, number: int, noise_bytes: int = 50_000
) -> str | None:
    """Let one call of a PUT fail, and heal; return the call as strace shows it, None if there is none."""
    folder.mkdir()
    log = folder / "strace.log"
    data = archive(files={"a": os.urandom(noise_bytes)})
    with Receiver(folder=folder, limits="max_inflight = 1\n") as one:
        assert one.put("ep-00", archive("ep-00")).status == 201  # its threads are there from now on
        body, others = threads_of(one, log)
        words = (f"-einject={call}:{fault}:when={number}", f"-etrace={call}")
        with tracing(body if in_body else others, log, *words) as tracer:
            try:
                status = one.put("ep-1", data).status
            except OSError:
                status = 0
                tracer.wait(20)  # it ends with what it traces
        came = re.search(r"^.*\(INJECTED\)$|^.*killed by SIGKILL.*$", log.read_text(), re.MULTILINE)
        if came is None:
            assert status == 201
            return None
        assert one.process is not None
        if "KILL" in fault:
            one.process.wait(20)
        else:
            assert one.admin("/healthz").status == 200
            one.kill()
        one.start()
        again = one.put("ep-1", data)
        assert again.status in ({200} if status == 201 else {200, 201}), again.body
        assert sorted(row["id"] for row in one.rows()) == ["ep-0", "ep-00", "ep-1"]
        assert one.verb("verify", "--deep")[1]["broken"] == []
        code, report = one.verb("backfill")
        assert (code, report["added"], report["rows"]) == (0, 0, 3)
    return came[0]


@pytest.mark.contract("V2", "V4", "V5")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_receiver_whose_call_fails_stores_once_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], call: str, fault: str
) -> None:
    came: list[str] = []
    for in_body in (True, False):
        for number in itertools.count(1):
            seen = fault_at(tmp_path / f"{in_body}-{number}", call, fault, in_body=in_body, number=number)
            if seen is None:
                break
            came.append(seen)
    with capsys.disabled():
        print(f"\nreceiver, {call}, {fault}: {len(came)} faults, {len(came)} episodes, 0 lost, 0 doubled")
    assert len(came) >= LEAST[call], came


@pytest.mark.contract("V2", "V5")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_long_body_whose_write_fails_is_stored_once_in_the_end(tmp_path: Path, fault: str) -> None:
    """Whole pages of it go around the page cache, and its first and last bytes through it."""
    came = []
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        seen = fault_at(folder, "pwrite64", fault, in_body=True, number=number, noise_bytes=(3 << 20) + 777)
        if seen is None:
            break
        came.append(seen)
    assert len(came) >= 4 + 2, came  # of the archive, and of the receipt and the row
