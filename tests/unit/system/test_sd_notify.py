"""Datagrams to the service manager: by path and abstract, and a socket that is gone is nobody's failure."""

import os
import socket
from pathlib import Path

import pytest

from dce_play.system.sd_notify import Notifier, notifier_from


@pytest.mark.parametrize("abstract", [False, True])
def test_messages_arrive_by_path_and_abstract(tmp_path: Path, abstract: bool) -> None:
    address = f"@dce-play-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0") if abstract else address)
        manager.settimeout(5)
        notifier = notifier_from({"NOTIFY_SOCKET": address})
        notifier.ready("two\nlines")
        notifier.watchdog()
        assert manager.recv(100) == b"READY=1\nSTATUS=two lines"
        assert manager.recv(100) == b"WATCHDOG=1"


def test_a_socket_that_comes_back_is_fed_again(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    notifier = Notifier(str(address))
    notifier.watchdog()  # nobody is there
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            manager.settimeout(5)
            notifier.stopping()
            assert manager.recv(100) == b"STOPPING=1"
        address.unlink()
        notifier.watchdog()


def test_a_manager_that_does_not_read_does_not_stop_us(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        for _ in range(5_000):
            Notifier(str(address)).watchdog()
        manager.settimeout(5)
        assert manager.recv(100) == b"WATCHDOG=1"
