"""Class C against a real OpenBao: taken, checked, drilled, restored, refused; and answers that are cut on the way."""

import gzip
import io
import os
import signal
import sys
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.definitions.model import Module, ModuleKeys, VaultKeys
from dce_play.backup.engines.vault.engine import ENGINE
from dce_play.backup.engines.vault.server import _MOST_REDIRECTS
from dce_play.backup.engines.vault.snapshot import (
    _LARGEST_SMALL_BYTES,
    META,
    SEAL,
    STATE,
    SUMS,
    SnapshotFacts,
    read_snapshot,
)
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, Health
from dce_play.backup.protocols import DrillOptions
from tests.support.engine_services import EngineServices, Record, StoredBackup, module_of, take
from tests.support.real_engines import OpenBao, free_ports, vault_call
from tests.support.tampering import Last, tampering


def services(token: str, **more: str) -> EngineServices:
    """Give services that find the engines' programs and the token."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return EngineServices({"VAULT_TOKEN": token, "PATH": path, **more})


def module_at(port: int) -> Module:
    keys = ModuleKeys(name="safe", vault=VaultKeys(address=f"http://127.0.0.1:{port}"))
    return module_of(keys, engine="vault", class_name="C")


def taken(bao: OpenBao, path: Path, *, token: str = "", port: int = 0) -> StoredBackup:
    return take(ENGINE, module_at(port or bao.port), services(token or bao.limited), path)


def refused(bao: OpenBao, path: Path, *, token: str = "", port: int = 0) -> BackupError:
    with pytest.raises(BackupError) as caught:
        taken(bao, path, token=token, port=port)
    return caught.value


@pytest.mark.contract("C1")
def test_a_snapshot_is_taken_with_a_token_that_may_do_nothing_else(bao: OpenBao, tmp_path: Path) -> None:
    backup = taken(bao, tmp_path / "v.snap")
    manifest = backup.manifest
    assert manifest.consistency is Consistency.LOGICAL
    assert manifest.counts == {"index": manifest.counts["index"], "files": 4}
    assert manifest.engine.server_version.startswith("2.")
    with tarfile.open(backup.path) as archive:
        assert SEAL in archive.getnames()
    assert ENGINE.probe(module_at(bao.port), services(""), timeout_s=5.0) is Health.HEALTHY


@pytest.mark.contract("C3", "N5")
def test_a_token_without_the_policy_is_refused_with_the_line_it_needs(bao: OpenBao, tmp_path: Path) -> None:
    error = refused(bao, tmp_path / "v.snap", token=bao.nobody)
    assert (error.error_id, error.exit_code) == (ErrorId.FORBIDDEN, 7)
    assert 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }' in error.hint
    assert bao.nobody not in f"{error}{error.hint}"


@pytest.mark.contract("C3", "N5")
def test_a_sealed_server_is_refused_before_anything(bao: OpenBao, tmp_path: Path) -> None:
    vault_call(bao.address, bao.root, "PUT", "sys/seal")
    try:
        error = refused(bao, tmp_path / "v.snap")
        assert (error.error_id, error.exit_code) == (ErrorId.SEALED, 4)
        assert ENGINE.probe(module_at(bao.port), services(""), timeout_s=5.0) is Health.UNHEALTHY
    finally:
        vault_call(bao.address, "", "PUT", "sys/unseal", {"key": bao.unseal})
        vault_wait(bao)


def vault_wait(bao: OpenBao) -> None:
    import httpx2

    from tests.support.real_engines import wait_until

    wait_until(lambda: httpx2.get(f"{bao.address}/v1/sys/health", trust_env=False).status_code == 200, "not active")


@pytest.mark.contract("C3")
def test_nobody_there_is_unreachable(bao: OpenBao, tmp_path: Path) -> None:
    error = refused(bao, tmp_path / "v.snap", port=free_ports(1)[0])
    assert (error.error_id, error.exit_code) == (ErrorId.UNREACHABLE, 4)


@pytest.mark.contract("C4", "N5")
def test_storage_that_is_not_raft_is_refused_unless_its_folder_is_named(bao_in_memory: OpenBao, tmp_path: Path) -> None:
    error = refused(bao_in_memory, tmp_path / "v.snap", token=bao_in_memory.root)
    assert (error.error_id, error.exit_code) == (ErrorId.NOT_RAFT, 4)


def cut_short(request: bytes, piece: bytes) -> bytes:
    return Last(piece[:2000]) if b"snapshot" in request else piece


@pytest.mark.contract("C2", "N1")
def test_a_connection_that_is_cut_is_no_snapshot(bao: OpenBao, tmp_path: Path) -> None:
    with tampering(bao.port, cut_short) as port:
        error = refused(bao, tmp_path / "v.snap", port=port)
    assert (error.error_id, error.exit_code) == (ErrorId.TRUNCATED, 1)


@pytest.mark.contract("C2", "N2", "N5")
@pytest.mark.parametrize("left", [0, 1, 300, -1, -9], ids=["nothing", "a byte", "a part", "all but one", "no trailer"])
def test_a_short_snapshot_with_status_200_is_truncated(bao: OpenBao, tmp_path: Path, left: int) -> None:
    """A proxy ends the answer early and properly, as servers have done."""
    whole = taken(bao, tmp_path / "whole.snap").path.read_bytes()
    short = whole[:left]

    def shorten(request: bytes, piece: bytes) -> bytes | None:
        if b"GET /v1/sys/storage/raft/snapshot" not in request:
            return piece
        if not piece.startswith(b"HTTP/1.1 200"):
            return None
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(short), short)

    with tampering(bao.port, shorten) as port:
        error = refused(bao, tmp_path / "v.snap", port=port)
    assert error.exit_code == 1
    assert error.error_id is (ErrorId.VERIFY_FAILED if left == 1 else ErrorId.TRUNCATED)


def rebuilt(snapshot: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """Return the snapshot with its members changed, or left out, and a whole tar and gzip around them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(snapshot)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for info in old:
            stream = old.extractfile(info)
            assert stream is not None
            data = change(info.name, stream.read())
            if data is not None:
                info.size = len(data)
                new.addfile(info, io.BytesIO(data))
    return out.getvalue()


def without_sum(of: str, name: str, data: bytes) -> bytes:
    """Return a member's bytes; of the list of sums without that of one member."""
    rows = data.splitlines(keepends=True)
    return b"".join(row for row in rows if not row.endswith(f"  {of}\n".encode())) if name == SUMS else data


@pytest.mark.contract("C2", "N5")
def test_a_snapshot_without_its_seal_or_with_another_state_is_not_believed(bao: OpenBao, tmp_path: Path) -> None:
    whole = taken(bao, tmp_path / "whole.snap").path.read_bytes()
    assert isinstance(read_snapshot(io.BytesIO(rebuilt(whole, lambda _, data: data))), SnapshotFacts)
    unsealed = rebuilt(whole, lambda name, data: None if name == SEAL else data)
    with pytest.raises(BackupError, match=r"SHA256SUMS\.sealed") as lacking:
        read_snapshot(io.BytesIO(unsealed))
    assert lacking.value.error_id is ErrorId.TRUNCATED
    emptied = rebuilt(whole, lambda name, data: b"" if name == SEAL else data)
    with pytest.raises(BackupError, match=r"SHA256SUMS\.sealed is empty") as empty:
        read_snapshot(io.BytesIO(emptied))
    assert empty.value.error_id is ErrorId.TRUNCATED
    for name in (META, STATE):
        unsummed = rebuilt(whole, partial(without_sum, name))
        with pytest.raises(BackupError, match=f"SHA256SUMS has no sum for {name}") as unknown:
            read_snapshot(io.BytesIO(unsummed))
        assert unknown.value.error_id is ErrorId.VERIFY_FAILED
    other = rebuilt(whole, lambda name, data: data[:-1] + b"x" if name == STATE else data)
    with pytest.raises(BackupError, match=r"state\.bin") as differing:
        read_snapshot(io.BytesIO(other))
    assert differing.value.error_id is ErrorId.VERIFY_FAILED
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    with pytest.raises(BackupError):
        read_snapshot(io.BytesIO(bytes(flipped)))
    with pytest.raises(BackupError):
        read_snapshot(io.BytesIO(whole + b"more"))
    with pytest.raises(BackupError):
        read_snapshot(io.BytesIO(gzip.compress(b"")))


@pytest.mark.contract("C5")
def test_the_token_follows_no_redirect_out_of_the_cluster(bao: OpenBao, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def watch(request: bytes, piece: bytes) -> bytes:
        seen.append(request)
        return piece

    with tampering(bao.port, watch) as foreign:

        def redirect(request: bytes, piece: bytes) -> bytes | None:
            if b"/snapshot" not in request:
                return piece
            to = f"http://127.0.0.1:{foreign}/v1/sys/storage/raft/snapshot".encode()
            return b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to

        with tampering(bao.port, redirect) as port:
            error = refused(bao, tmp_path / "v.snap", port=port)
    assert "was not sent there" in str(error)
    assert not [request for request in seen if b"snapshot" in request]


@pytest.mark.contract("C5")
def test_the_token_goes_to_no_other_cluster_that_is_named_as_the_active_node(
    bao: OpenBao, bao_in_memory: OpenBao, tmp_path: Path
) -> None:
    seen: list[bytes] = []

    def watch(request: bytes, piece: bytes) -> bytes:
        seen.append(request)
        return piece

    with tampering(bao_in_memory.port, watch) as other:

        def name_it(request: bytes, piece: bytes) -> bytes | None:
            if b"/snapshot" not in request:
                return piece.replace(b"%d" % bao.port, b"%d" % other)
            to = f"http://127.0.0.1:{other}/v1/sys/storage/raft/snapshot".encode()
            return b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to

        with tampering(bao.port, name_it) as port:
            error = refused(bao, tmp_path / "v.snap", port=port)
    assert "was not sent there" in str(error)
    assert [request for request in seen if b"sys/health" in request]
    assert not [request for request in seen if b"snapshot" in request]


@pytest.mark.contract("C5")
def test_a_redirect_to_the_active_node_is_followed(bao: OpenBao, tmp_path: Path) -> None:
    def redirect(request: bytes, piece: bytes) -> bytes | None:
        if b"/snapshot" not in request:
            return piece
        to = f"{bao.address}/v1/sys/storage/raft/snapshot".encode()
        return b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to

    with tampering(bao.port, redirect) as port:
        assert taken(bao, tmp_path / "v.snap", port=port).manifest.counts["files"] == 4


@pytest.mark.contract("C5")
def test_a_cluster_that_redirects_in_a_circle_is_given_up(bao: OpenBao, tmp_path: Path) -> None:
    asked: list[bytes] = []

    def redirect(request: bytes, piece: bytes) -> bytes | None:
        if b"/snapshot" not in request:
            return piece.replace(b"%d" % bao.port, b"%d" % port)  # it names the proxy as its active node
        if not piece.startswith(b"HTTP/1.1"):
            return None
        asked.append(request)
        to = f"http://127.0.0.1:{port}/v1/sys/storage/raft/snapshot".encode()
        return b"HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to

    with tampering(bao.port, redirect) as port:
        error = refused(bao, tmp_path / "v.snap", port=port)
    assert "redirects in a circle" in str(error)
    assert error.error_id is ErrorId.ENGINE_FAILED
    assert len(asked) == _MOST_REDIRECTS + 1


@pytest.mark.contract("C2")
@pytest.mark.parametrize("more", [0, 1])
def test_what_stands_beside_the_state_is_so_large_at_most(more: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo(SEAL)
        info.size = _LARGEST_SMALL_BYTES + more
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    words = "is larger than a snapshot's can be" if more else "the snapshot lacks"
    with pytest.raises(BackupError, match=words):
        read_snapshot(io.BytesIO(out.getvalue()))


@pytest.mark.contract("C6")
def test_a_drill_unseals_a_second_server_with_the_original_key(bao: OpenBao, tmp_path: Path) -> None:
    backup = taken(bao, tmp_path / "v.snap")
    drilled = ENGINE.drill(
        backup, services(bao.limited, UNSEAL=bao.unseal), DrillOptions(folder=tmp_path, unseal="env:UNSEAL")
    )
    assert (drilled.level, drilled.differences) == (3, ())
    assert drilled.expected == drilled.restored == {**backup.manifest.counts, "unsealed": True}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.snap"]
    wrong = ENGINE.drill(
        backup, services("", UNSEAL="x" * 43 + "="), DrillOptions(folder=tmp_path, unseal="env:UNSEAL")
    )
    assert [each.what for each in wrong.differences] == ["unsealed"]


@pytest.mark.contract("C6")
def test_a_drill_that_is_kept_says_where_it_runs_and_how_to_end_it(bao: OpenBao, tmp_path: Path) -> None:
    backup = taken(bao, tmp_path / "v.snap")
    options = DrillOptions(folder=tmp_path, unseal="env:UNSEAL", keep=True)
    drilled = ENGINE.drill(backup, services("", UNSEAL=bao.unseal), options)
    address, _, rest = drilled.kept.partition(", in ")
    folder, _, command = rest.partition("; end it with: ")
    pid = int((Path(folder) / "pid").read_text(encoding="utf-8"))
    try:
        assert vault_call(address, "", "GET", "sys/health")["sealed"] is False
        assert vault_call(address, bao.root, "GET", "auth/token/lookup-self")
    finally:
        os.kill(pid, signal.SIGKILL)
    assert command == f"kill $(cat {folder}/pid)"


@pytest.mark.contract("C6")
def test_a_drill_without_keys_stops_at_the_sums_and_says_so(bao: OpenBao, tmp_path: Path) -> None:
    backup = taken(bao, tmp_path / "v.snap")
    drilled = ENGINE.drill(backup, services(""), DrillOptions())
    assert (drilled.level, drilled.differences) == (2, ())
    assert "unseal keys" in drilled.note
    backup.manifest.counts["index"] = 1
    assert [each.what for each in ENGINE.drill(backup, services(""), DrillOptions()).differences] == ["index"]


@pytest.mark.contract("C7")
def test_a_restore_brings_back_what_was_there(bao: OpenBao, tmp_path: Path) -> None:
    mount = f"kv-{tmp_path.name.replace('_', '-')}"
    vault_call(bao.address, bao.root, "POST", f"sys/mounts/{mount}", {"type": "kv"})
    vault_call(bao.address, bao.root, "PUT", f"{mount}/entry", {"value": "before"})
    backup = taken(bao, tmp_path / "v.snap")
    vault_call(bao.address, bao.root, "PUT", f"{mount}/entry", {"value": "after"})
    plan = ENGINE.plan_restore(backup, module_at(bao.port), services(bao.root), into=None)
    assert any("original unseal keys" in item.detail for item in plan)
    record = Record(stamp="20261128T220000Z", replace=True)
    with pytest.raises(BackupError) as limited:
        ENGINE.restore(backup, module_at(bao.port), services(bao.limited), record)
    assert (limited.value.error_id, record.is_open) == (ErrorId.FORBIDDEN, False)  # it said no before it began
    ENGINE.restore(backup, module_at(bao.port), services(bao.root), record)
    assert record.is_open
    vault_wait(bao)
    assert vault_call(bao.address, bao.root, "GET", f"{mount}/entry")["data"] == {"value": "before"}
    newer = msgspec.structs.replace(backup.manifest.engine, server_version="99.0.0")
    backup.manifest = msgspec.structs.replace(backup.manifest, engine=newer)
    with pytest.raises(BackupError, match="which is older") as older:
        ENGINE.restore(backup, module_at(bao.port), services(bao.root), record)
    assert (older.value.error_id, older.value.exit_code) == (ErrorId.VERSION, 4)
    with pytest.raises(BackupError) as into:
        ENGINE.plan_restore(backup, module_at(bao.port), services(bao.root), into=tmp_path)
    assert into.value.error_id is ErrorId.USAGE
