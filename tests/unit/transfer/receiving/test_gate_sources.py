"""What Forgejo answers is read so far, and no further."""

import json
import socket
import threading
from pathlib import Path

import pytest

from dce_play.transfer.receiving import gate_sources
from dce_play.transfer.receiving.config import read_config
from dce_play.transfer.receiving.gate_sources import FORGEJO, SourceAnswer, ask_sources

COMMIT = "a1" * 20


def asked(folder: Path, size_bytes: int) -> SourceAnswer:
    """Ask a server whose one page has so many bytes."""
    page = json.dumps([{"sha": COMMIT}]).encode().rjust(size_bytes)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size_bytes

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            try:
                connection.sendall(head + page)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        path = folder / "receive.toml"
        path.write_text(
            f'store_dir = "store"\n[version_gate]\nrepo_path = ""\nwindow = 1\ntimeout_s = 30\n'
            f'forgejo_url = "{url}"\nforgejo_repo = "o/r"\n'
        )
        told = ask_sources(read_config(path).gate, {})
        thread.join(30)
    return told


def test_a_page_of_commits_is_so_large_at_most(tmp_path: Path) -> None:
    whole = asked(tmp_path, gate_sources._LARGEST_PAGE_BYTES)
    assert whole.commits is not None
    assert whole.commits.hashes == (COMMIT,)
    beyond = asked(tmp_path, gate_sources._LARGEST_PAGE_BYTES + 1)
    assert beyond.commits is None
    assert "took too long to answer" in beyond.reasons[FORGEJO]


def test_git_is_asked_and_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(gate_sources, "GIT_TIMEOUT_S", 0.3)
    hashes, reason = gate_sources.read_git(tmp_path, 5, {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert hashes == ()
    assert "0.3" in reason
