"""A receiver that takes the connection and says nothing is looked up in its files instead."""

import json
import socket
from pathlib import Path

import pytest

from dce_play.cli.receive import status


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_receiver_that_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], family: str
) -> None:
    monkeypatch.setattr(status, "_TIMEOUT_S", 0.3)
    if family == "tcp":
        listening = socket.create_server(("127.0.0.1", 0))
        admin = f"127.0.0.1:{listening.getsockname()[1]}"
    else:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(tmp_path / "admin"))
        listening.listen()
        admin = f"unix:{tmp_path / 'admin'}"
    (tmp_path / "store").mkdir()
    config = tmp_path / "receive.toml"
    config.write_text(f'store_dir = "store"\nadmin_bind = "{admin}"\n[version_gate]\nenabled = false\n')
    with listening:
        assert status.status_told(config, "json") == 0
    assert json.loads(capsys.readouterr().out)["running"] is False
