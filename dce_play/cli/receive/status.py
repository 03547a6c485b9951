"""``dce-play receive status``: asked of the running receiver, else read from the store's files."""

import http.client
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from dce_play import __version__
from dce_play.cli.receive.telling import settings_of, show
from dce_play.errors import ExitCode
from dce_play.system.counted import counted
from dce_play.transfer.receiving.backends import open_storage, open_tokens
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.config_keys import Address
from dce_play.transfer.receiving.gate import Gate
from dce_play.transfer.receiving.gate_sources import ask_sources

_TIMEOUT_S = 5.0


def status_told(config: Path | None, output_format: str) -> int:
    """Tell the status."""
    read = settings_of(config)
    status = _asked(read.admin_bind) or _looked_up(read)
    show(status, lambda: _text(status), output_format)
    return ExitCode.OK


def _asked(address: Address | None) -> dict[str, Any] | None:
    if address is None or (address.path is None and address.port == 0):
        return None
    with suppress(OSError, http.client.HTTPException, ValueError):
        connection = http.client.HTTPConnection(address.host or "localhost", address.port or 80, timeout=_TIMEOUT_S)
        if address.path is not None:
            connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.sock.settimeout(_TIMEOUT_S)
            connection.sock.connect(str(address.path))
        try:
            connection.request("GET", "/status.json")
            response = connection.getresponse()
            status = json.loads(response.read())
        finally:
            connection.close()
        if response.status == 200 and isinstance(status, dict) and "receiver" in status:
            return status
    return None


def _looked_up(config: ReceiveConfig) -> dict[str, Any]:
    from dce_play.services.receiver.context import ReceiverContext  # only when the receiver does not answer
    from dce_play.services.receiver.status import status_of
    from dce_play.services.receiver.tally import Tally

    environment = dict(os.environ)
    tally = Tally()
    storage = open_storage(config, environment, on_row=tally.add_row)
    storage.look()
    gate = Gate(config.gate, ask=lambda: ask_sources(config.gate, environment), monotonic=lambda: 0.0)
    if config.gate.enabled:
        gate.refresh()
    tokens = open_tokens(config, environment)
    context = ReceiverContext(config, storage=storage, tokens=tokens, gate=gate, tally=tally, version=__version__)
    return status_of(context, running=False, certificate_ends=None)


def _text(status: dict[str, Any]) -> str:
    store, gate = status["store"], status["gate"]
    held = f"{counted(store['episodes'], 'episode')}, {counted(store['bytes'], 'byte')}, {store['free_bytes']} free"
    lines = [
        f"{status['receiver']}: {'running' if status['running'] else 'not running'}"
        + (f", {status['problem']}" if status["problem"] else ""),
        f"store: {held}",
        f"gate: {gate['state']}, head {gate['head_commit'] or '-'} from {gate['source'] or '-'}",
    ]
    for host in status["hosts"]:
        refused = ", ".join(f"{code} {count}" for code, count in host["refusals"].items()) or "none"
        lines.append(
            f"{host['host_id']}: {counted(host['episodes'], 'episode')}, {host['episodes_today']} today, "
            f"last seen {host['last_seen'] or '-'}, refused: {refused}"
        )
    return "\n".join(lines)
