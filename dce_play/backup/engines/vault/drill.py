"""A drill of class C: a second server on loopback, the snapshot forced upon it, unsealed with the original keys.

Without the keys nobody can look inside a snapshot: the drill stops at its sums and says so.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dce_play.backup.drills import differences, drill_folder
from dce_play.backup.engines.vault.server import VaultPlace, force_snapshot, health
from dce_play.backup.engines.vault.snapshot import checking
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Drilled, EngineFacts
from dce_play.backup.http_api import Answer, HttpApi
from dce_play.backup.protocols import DrillOptions, OpenBackup, Services
from dce_play.backup.streams import chunks, push_all
from dce_play.errors import ExitCode
from dce_play.source import JsonValue
from dce_play.system.process.dying import dying_with_us
from dce_play.system.process.executor import Command, NoSuchProgram

_PROGRAMS = ("bao", "openbao", "vault")
_PATIENCE_S = 90.0
_PAUSE_S = 0.1
_LIFE_S = 3600.0
_CONFIG = """\
storage "raft" {{
  path                   = "{folder}/data"
  node_id                = "drill"
  performance_multiplier = 1
}}
listener "tcp" {{
  address     = "127.0.0.1:{port}"
  tls_disable = true
}}
api_addr      = "http://127.0.0.1:{port}"
cluster_addr  = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
ui            = false
"""


class DrillServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where the throw-away server lies and how it is started."""

    argv: tuple[str, ...]
    place: VaultPlace
    folder: Path
    version: str


def drill_snapshot(backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
    """Restore the snapshot into a second server, or read its sums where the unseal keys are not given.

    Raises: BackupError: ``no-tool``, ``verify-failed``, ``truncated``, ``engine-failed``, ``timeout``.
    """
    reader = checking()
    push_all(backup.plain(), reader)
    expected: dict[str, JsonValue] = dict(backup.manifest.counts)
    restored = {key: value for key, value in reader.result.counts().items() if key in expected}
    if options.unseal is None:
        return Drilled(
            engine=EngineFacts(name=backup.manifest.engine.name),
            expected=expected,
            restored=restored,
            differences=differences(expected, restored),
            level=2,
            note="without the unseal keys (--unseal) the drill stops at the snapshot's sums",
        )
    keys = tuple(filter(None, re.split(r"[\s,]+", services.secret(options.unseal))))
    with drill_folder(services, options) as folder:
        server = _new_server(services, folder)
        with _running(server, services):
            _replace_all(server.place, backup)
        with _left_running(server, services) if options.keep else _running(server, services):
            expected["unsealed"] = True
            restored["unsealed"] = _unseal(server.place, keys)
    return Drilled(
        engine=EngineFacts(name=backup.manifest.engine.name, server_version=server.version, tool=server.argv[0]),
        expected=expected,
        restored=restored,
        differences=differences(expected, restored),
        kept=f"{server.place.address}, in {folder}; end it with: kill $(cat {folder}/pid)" if options.keep else "",
    )


def _new_server(services: Services, folder: Path) -> DrillServer:
    program, version = _program(services)
    port, cluster_port = _free_ports(2)
    (folder / "data").mkdir(mode=0o700)
    config = folder / "drill.hcl"
    config.write_text(_CONFIG.format(folder=folder, port=port, cluster_port=cluster_port), encoding="utf-8")
    return DrillServer(
        argv=(program, "server", f"-config={config}", "-log-level=error"),
        place=VaultPlace(address=f"http://127.0.0.1:{port}", namespace="", ca_file=""),
        folder=folder,
        version=version,
    )


def _program(services: Services) -> tuple[str, str]:
    for program in _PROGRAMS:
        try:
            said = services.executor.run(Command(argv=(program, "version"), timeout_s=30.0))
        except NoSuchProgram:
            continue
        if said.exit_code == 0:
            version = re.search(r"v(\d+\.\d+\.\d+)", said.stdout)
            return program, version[1] if version else ""
    raise BackupError(
        ErrorId.NO_TOOL,
        "a drill needs the program bao or vault, which also is the server",
        hint="install openbao or vault, or pip install 'dce-play[test-engines]'; without --unseal only sums are read",
    )


@contextmanager
def _running(server: DrillServer, services: Services) -> Iterator[None]:
    """Run the server while the block runs, from when it answers."""
    # It is told nothing of the live server: neither its address nor a token.
    argv = dying_with_us(server.argv)
    command = Command(argv=argv, timeout_s=_LIFE_S, cwd=server.folder, env=_forgotten(services))
    with services.streams.open(command) as program:
        _wait_until_up(server, program.last_words)
        yield


@contextmanager
def _left_running(server: DrillServer, services: Services) -> Iterator[None]:
    """Start the server for good: it outlives us, and its process id lies in its folder."""
    script = 'echo $$ >"$0/pid"; exec "$@" >"$0/log" 2>&1'
    argv = ("setsid", "--fork", "sh", "-c", script, str(server.folder), *server.argv)
    services.executor.run(Command(argv=argv, timeout_s=30.0, cwd=server.folder, env=_forgotten(services)))
    _wait_until_up(server, lambda: f"see {server.folder}/log")
    yield


def _wait_until_up(server: DrillServer, last_words: Callable[[], str]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with server.place.connect(silence_s=5.0) as api:
                health(api, total_s=5.0)
        except BackupError:
            if time.monotonic() > deadline:
                raise _late(f"the drill's server did not start: {last_words()[-300:]}") from None
            time.sleep(_PAUSE_S)
        else:
            return


def _forgotten(services: Services) -> dict[str, str]:
    return {name: "" for name in services.environment if name.startswith(("VAULT_", "BAO_"))}


def _replace_all(place: VaultPlace, backup: OpenBackup) -> None:
    """Make a new cluster and force the snapshot upon it; its own keys are worth nothing afterwards."""
    with place.connect() as api:
        made = _asked(api, "PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1}, total_s=_PATIENCE_S)
        body = made.body
        keys = body.get("keys_base64") if isinstance(body, dict) else None
        if not isinstance(keys, list) or not keys:
            raise BackupError(ErrorId.ENGINE_FAILED, "the drill's server gave no unseal key")
        _asked(api, "PUT", "/v1/sys/unseal", {"key": keys[0]}, total_s=_PATIENCE_S)
        _wait_until_active(api)

    def content() -> Iterator[bytes]:
        with backup.plain() as plain:
            yield from chunks(plain)

    force_snapshot(place, made.text("root_token"), content)


def _unseal(place: VaultPlace, keys: tuple[str, ...]) -> bool:
    """Unseal the restarted server; return whether these were the keys of what was restored."""
    with place.connect() as api:
        for key in keys:
            answer = api.ask("PUT", "/v1/sys/unseal", {"key": key}, total_s=_PATIENCE_S)
            if answer.status != 200:
                return False
        if health(api).sealed:
            return False
        _wait_until_active(api)
        return True


def _wait_until_active(api: HttpApi) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while api.ask("GET", "/v1/sys/health").status != 200:
        if time.monotonic() > deadline:
            raise _late("the drill's server did not become active")
        time.sleep(_PAUSE_S)


def _asked(api: HttpApi, method: str, path: str, body: JsonValue, *, total_s: float) -> Answer:
    answer = api.ask(method, path, body, total_s=total_s)
    if answer.status != 200:
        raise BackupError(ErrorId.ENGINE_FAILED, f"the drill's server answers {answer.status}: {answer.said()}")
    return answer


def _late(message: str) -> BackupError:
    return BackupError(ErrorId.TIMEOUT, message, exit_code=ExitCode.FAILED)


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that the kernel gave; somebody may take one before the server does."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
