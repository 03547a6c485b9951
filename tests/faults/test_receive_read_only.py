"""A store that the kernel has made read-only, as after errors of its disk: nothing is lost, all is told, it heals."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.receiver import Receiver, archive, offer_headers

FOLDERS = ("incoming", "uploads", "store")
pytestmark = [
    pytest.mark.contract("V2", "V9"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root"),
]


def mount(receiver: Receiver, *words: str) -> None:
    """Run mount or umount where the receiver alone sees it."""
    assert receiver.process is not None
    subprocess.run(["nsenter", "--mount", "--target", str(receiver.process.pid), *words], check=True)


def make_read_only(receiver: Receiver) -> None:
    for name in FOLDERS:
        folder = str(receiver.store / name)
        mount(receiver, "mount", "--bind", folder, folder)
        mount(receiver, "mount", "-o", "remount,bind,ro", folder)


def test_what_is_stored_stays_acknowledged_and_nothing_new_is_until_it_heals(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path, wrapper=("unshare", "--mount")) as one:
        assert one.put("ep-1", archive()).status == 201
        make_read_only(one)
        assert one.put("ep-1", archive()).status == 200
        refused = one.put("ep-2", archive("ep-2"))
        assert (refused.status, refused.json["retry"], refused.headers["retry-after"]) == (500, "after", "10")
        begin = {**offer_headers(archive("ep-3")), "Upload-Complete": "?0", "Upload-Length": "9", "Content-Length": "0"}
        assert one.request("POST", "/v1/episodes/ep-3/uploads", begin).status == 500
        health = one.admin("/healthz")
        assert (health.status, health.body) == (503, f"{one.store}/incoming: cannot be written\n".encode())
        assert "Read-only file system" in one.log()
        for name in FOLDERS:
            mount(one, "umount", str(one.store / name))
        assert one.put("ep-2", archive("ep-2")).status == 201
        assert one.admin("/healthz").status == 200
        assert [row["id"] for row in one.rows()] == ["ep-1", "ep-2"]


def test_a_receiver_does_not_begin_on_a_store_that_it_cannot_write(tmp_path: Path) -> None:
    with Receiver(folder=tmp_path) as one:
        one.kill()
        folder = one.store / "store"
        script = f'mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec "$@"'
        one.wrapper = ("unshare", "--mount", "sh", "-c", script, "sh")
        one.admin_bind = ""
        with pytest.raises(AssertionError, match="cannot be written"):
            one.start()
        assert one.process is not None
        assert one.process.wait(20) == 4
        assert "receive.ready" not in one.log().splitlines()[-1]
