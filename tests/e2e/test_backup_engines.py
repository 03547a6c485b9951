"""Classes C, D and F, encryption and targets through the real command line, against real engines (F: a stub)."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest

from dce_play.system.s3.bucket import Bucket
from tests.support.command_line import Said, Terminal, terminal_in
from tests.support.meilisearch_stub import KEY, MeilisearchStub, meilisearch_stub
from tests.support.processes import running
from tests.support.real_engines import OpenBao, SeaweedFS, vault_call, wait_until
from tests.support.tampering import tampering

pytestmark = [pytest.mark.slow]

CONTENT = b"a marker that must not be readable " * 100


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[MeilisearchStub]:
    (tmp_path / "dumps").mkdir()
    with meilisearch_stub(tmp_path / "dumps") as running:
        yield running


@pytest.fixture
def bucket(seaweed: SeaweedFS) -> Bucket:
    """Give a bucket with three objects."""
    made = seaweed.new_bucket()
    for key in ("one", "two/three", "empty"):
        made.put(key, b"" if key == "empty" else CONTENT + key.encode(), only_new=True, content_type="text/x-marker")
    return made


@pytest.fixture
def identity(tmp_path: Path) -> pyrage.x25519.Identity:
    """Give an age identity; its file is ``key.txt``."""
    made = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"# a key\n{made}\n", encoding="utf-8")
    return made


def terminal(tmp_path: Path, **variables: str) -> Terminal:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return terminal_in(tmp_path, PATH=path, TMPDIR=str(temporary), **variables)


def define(shell: Terminal, *modules: dict[str, Any], **top: Any) -> None:
    document = {
        "version": 1,
        "backup_root": str(shell.folder / "root"),
        "defaults": {"restore_notes": "none", "health": {"grace": "20s"}},
        "modules": list(modules),
        **top,
    }
    (shell.folder / "backup.yml").write_text(json.dumps(document), encoding="utf-8")


def s3_keys(seaweed: SeaweedFS, bucket: Bucket, **more: str) -> dict[str, Any]:
    return {
        "endpoint": f"http://127.0.0.1:{seaweed.port}", "bucket": bucket.place.bucket,
        "access_key": "env:ACCESS", "secret_key": "env:SECRET", **more,
    }  # fmt: skip


def asked(shell: Terminal, *words: str, code: int = 0) -> dict[str, Any]:
    """Run a verb with JSON, expect its exit code, and return its one object."""
    said = shell.run("backup", *words, "--format", "json")
    assert said.code == code, (said.out, said.err)
    assert said.out.count("\n") == 1
    answer: dict[str, Any] = json.loads(said.out)
    return answer


def taken(shell: Terminal, *modules: str, **options: str) -> list[dict[str, Any]]:
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    rows: list[dict[str, Any]] = asked(shell, "run", *modules, "--allow-unattended", *words)["backups"]
    return rows


@pytest.mark.contract("C1")
def test_a_vault_is_backed_up_verified_drilled_and_restored(bao: OpenBao, tmp_path: Path) -> None:
    shell = terminal(tmp_path, VAULT_TOKEN=bao.root, UNSEAL=bao.unseal)
    define(shell, {"name": "vault", "vault": {"address": bao.address}})
    vault_call(bao.address, bao.root, "POST", "sys/mounts/e2e", {"type": "kv"})
    vault_call(bao.address, bao.root, "PUT", "e2e/entry", {"value": "before"})
    (row,) = taken(shell, "vault")
    assert (row["class"], row["level"], row["consistency"]) == ("C", 2, "logical")
    assert row["file"].endswith(".snap")
    assert asked(shell, "verify", "vault@latest")["results"][0]["ok"]
    sums_only = asked(shell, "drill", "vault@latest")
    assert sums_only["expected"] == sums_only["restored"] == row["counts"]
    assert asked(shell, "list")["backups"][0]["level"] == 2
    drilled = asked(shell, "drill", "vault@latest", "--unseal", "env:UNSEAL")
    assert drilled["differences"] == []
    assert drilled["restored"]["unsealed"] is True
    assert asked(shell, "list")["backups"][0]["level"] == 3
    vault_call(bao.address, bao.root, "PUT", "e2e/entry", {"value": "after"})
    plan = asked(shell, "restore", "vault@latest")
    assert not plan["applied"]
    assert any("original unseal keys" in item["detail"] for item in plan["plan"])
    assert vault_call(bao.address, bao.root, "GET", "e2e/entry")["data"] == {"value": "after"}
    restored = asked(shell, "restore", "vault@latest", "--apply", "--confirm", "vault")
    assert restored["applied"]
    assert restored["safety_backup"]
    assert vault_call(bao.address, bao.root, "GET", "e2e/entry")["data"] == {"value": "before"}
    vault_call(bao.address, bao.root, "DELETE", "sys/mounts/e2e")


@pytest.mark.contract("C3")
def test_a_vault_that_refuses_is_told_in_its_own_word_and_leaves_nothing(
    bao: OpenBao, bao_in_memory: OpenBao, tmp_path: Path
) -> None:
    shell = terminal(tmp_path, VAULT_TOKEN=bao.nobody)
    define(
        shell,
        {"name": "vault", "vault": {"address": bao.address}},
        {"name": "openbao", "vault": {"address": bao_in_memory.address}},
    )

    def failure(module: str, code: int) -> dict[str, Any]:
        (row,) = asked(shell, "run", module, "--allow-unattended", code=code)["failed"]
        assert row["exit_code"] == code
        found: dict[str, Any] = row
        return found

    forbidden = failure("vault", 7)
    assert forbidden["error"] == "forbidden"
    assert 'path "sys/storage/raft/snapshot"' in forbidden["hint"]
    assert failure("openbao", 4)["error"] == "not-raft"
    vault_call(bao.address, bao.root, "PUT", "sys/seal")
    try:
        assert failure("vault", 4)["error"] == "sealed"
    finally:
        vault_call(bao.address, "", "PUT", "sys/unseal", {"key": bao.unseal})
        import httpx2

        wait_until(lambda: httpx2.get(f"{bao.address}/v1/sys/health", trust_env=False).status_code == 200, "sealed")
    assert [path.name for path in (shell.folder / "root").iterdir()] == [".dce-backup"]


@pytest.mark.contract("C4", "N5")
def test_a_server_without_raft_is_archived_from_its_folder_and_says_so(bao_in_memory: OpenBao, tmp_path: Path) -> None:
    shell = terminal(tmp_path, VAULT_TOKEN=bao_in_memory.root)
    data = tmp_path / "vault-data"
    data.mkdir()
    (data / "file").write_text("as it lies there", encoding="utf-8")
    define(shell, {"name": "vault", "vault": {"address": bao_in_memory.address, "data_folder": str(data)}})
    (row,) = taken(shell, "vault")
    assert (row["consistency"], row["engine"]) == ("crash", "vault")
    assert {"fallback", "crash"} <= {warning["id"] for warning in row["warnings"]}
    assert row["file"].endswith(".tar.gz")
    assert asked(shell, "verify", "vault@latest")["results"][0]["level"] == 2
    assert asked(shell, "drill", "vault@latest")["differences"] == []


@pytest.mark.contract("K5")
def test_a_bucket_without_an_endpoint_is_archived_from_its_folder_and_says_so(tmp_path: Path) -> None:
    shell = terminal(tmp_path)
    (tmp_path / "minio-data").mkdir()
    (tmp_path / "minio-data" / "part.1").write_bytes(CONTENT)
    define(shell, {"name": "minio", "s3": {"data_folder": str(tmp_path / "minio-data")}})
    (row,) = taken(shell, "minio")
    assert (row["consistency"], row["engine"]) == ("crash", "s3")
    assert {"fallback", "crash"} <= {warning["id"] for warning in row["warnings"]}
    assert asked(shell, "drill", "minio@latest")["differences"] == []


@pytest.mark.contract("K7")
def test_a_bucket_is_backed_up_and_put_back(seaweed: SeaweedFS, bucket: Bucket, tmp_path: Path) -> None:
    shell = terminal(tmp_path, ACCESS=seaweed.admin[0], SECRET=seaweed.admin[1])
    define(shell, {"name": "minio", "s3": s3_keys(seaweed, bucket)})
    (row,) = taken(shell, "minio", level="2")
    assert (row["class"], row["counts"]["objects"], row["consistency"]) == ("D", 3, "live")
    assert asked(shell, "verify", "minio@latest")["results"][0]["level"] == 2
    drilled = asked(shell, "drill", "minio@latest")
    assert drilled["expected"] == drilled["restored"] == row["counts"]
    bucket.delete("one")
    bucket.put("extra", b"stays", only_new=True)
    restored = asked(shell, "restore", "minio@latest", "--apply", "--confirm", "minio")
    assert restored["safety_backup"]
    assert sorted(each.key for page in bucket.pages() for each in page) == ["empty", "extra", "one", "two/three"]
    into = tmp_path / "into"
    asked(shell, "restore", "minio@latest", "--into", str(into), "--apply", "--confirm", "minio")
    assert (into / "objects" / "two" / "three").read_bytes() == CONTENT + b"two/three"


@pytest.mark.contract("L1")
def test_a_dump_is_backed_up_and_written_for_import(stub: MeilisearchStub, tmp_path: Path) -> None:
    shell = terminal(tmp_path, MEILI_KEY=KEY)
    keys = {"url": stub.url, "key": "env:MEILI_KEY", "dump_folder": str(stub.dumps)}
    define(shell, {"name": "karakeep-meilisearch", "meilisearch": keys})
    (row,) = taken(shell, "karakeep-meilisearch")
    assert (row["class"], row["consistency"]) == ("F", "engine")
    assert row["counts"] == {"documents": 5, "indexes": 2}
    into = tmp_path / "into"
    plan = asked(shell, "restore", "karakeep-meilisearch@latest", "--into", str(into))
    assert any("--import-dump" in item["detail"] for item in plan["plan"])
    asked(
        shell, "restore", "karakeep-meilisearch@latest", "--into", str(into), "--apply", "--confirm",
        "karakeep-meilisearch",
    )  # fmt: skip
    (dump,) = into.iterdir()
    assert dump.read_bytes() == stub.dump_bytes()
    in_place = asked(shell, "restore", "karakeep-meilisearch@latest")["plan"]
    assert "refuse" in {item["what"] for item in in_place}
    words = ("--apply", "--confirm", "karakeep-meilisearch")
    refused = asked(shell, "restore", "karakeep-meilisearch@latest", *words, code=2)
    assert refused["error"]["id"] == "usage"
    assert len(asked(shell, "list")["backups"]) == 1


@pytest.mark.contract("E4")
def test_an_encrypted_backup_is_copied_away_listed_read_and_pruned(
    seaweed: SeaweedFS, bucket: Bucket, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    away = seaweed.new_bucket()
    shell = terminal(tmp_path, ACCESS=seaweed.admin[0], SECRET=seaweed.admin[1])
    target = {"s3": s3_keys(seaweed, away, prefix="lab/")}
    recipients = {"age": [str(identity.to_public())]}
    define(shell, {"name": "minio", "s3": s3_keys(seaweed, bucket), "targets": [target], "encrypt": recipients})
    (row,) = taken(shell, "minio")
    assert row["file"].endswith(".tar.gz.age")
    stored = Path(row["path"]).read_bytes()
    assert stored.startswith(b"age-encryption.org/v1")
    manifest = json.loads(Path(row["manifest"]).read_text(encoding="utf-8"))
    assert manifest["encryption"] == {"kind": "age", "recipients": recipients["age"]}
    (copy,) = manifest["remote"]
    assert (copy["key"], copy["bytes"], copy["sha256"]) == (f"lab/{row['file']}", len(stored), manifest["sha256"])
    with away.open(copy["key"]) as stream:
        assert b"".join(stream.chunks()) == stored

    reference = f"file:{tmp_path / 'key.txt'}"
    lowered = asked(shell, "verify", "minio@latest")["results"][0]
    assert (lowered["level"], [each["id"] for each in lowered["findings"]]) == (1, ["level-lowered"])
    assert asked(shell, "verify", "minio@latest", "--identity", reference)["results"][0]["level"] == 2
    assert asked(shell, "drill", "minio@latest", "--identity", reference)["differences"] == []
    into = tmp_path / "into"
    asked(
        shell, "restore", "minio@latest", "--into", str(into), "--identity", reference, "--apply", "--confirm", "minio"
    )
    assert (into / "objects" / "one").read_bytes() == CONTENT + b"one"

    for _ in range(2):
        taken(shell, "minio")
    Path(row["path"]).unlink()
    Path(row["manifest"]).unlink()
    listed = asked(shell, "list", "--remote")["backups"]
    assert [len(each["remote"]) for each in listed] == [1, 1, 1]
    assert row["file"] in {each["file"] for each in listed}
    plan = asked(shell, "prune", "minio", "--remote", "--keep-last", "2")
    assert [each["file"] for each in plan["remove"]] == [row["file"]]
    assert asked(shell, "prune", "minio", "--remote", "--keep-last", "2", "--apply", "--yes")["removed"] == [
        row["file"]
    ]
    assert len([each for page in away.pages() for each in page]) == 4


@pytest.mark.contract("B6", "N11")
def test_prune_at_a_target_reads_the_newest_good_copy_again_and_removes_nothing_when_it_is_rotten(
    seaweed: SeaweedFS, tmp_path: Path
) -> None:
    away = seaweed.new_bucket()
    shell = terminal(tmp_path, ACCESS=seaweed.admin[0], SECRET=seaweed.admin[1])
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_bytes(CONTENT)
    target = {"s3": s3_keys(seaweed, away)}
    define(shell, {"name": "kuma", "files": {"paths": [str(data)]}, "health": {"none": True}, "targets": [target]})
    first, second = (taken(shell, "kuma")[0]["file"] for _ in range(2))
    words = ("prune", "kuma", "--remote", "--keep-last", "1")
    good = Path(shell.folder / "root" / second).read_bytes()
    away.put(second, bytes([*good[:-9], good[-9] ^ 1, *good[-8:]]), only_new=False)
    lock = (shell.folder / "root" / ".dce-backup" / "kuma.lock").open("rb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert asked(shell, *words, "--apply", "--yes", code=75)["error"]["id"] == "lock-held"
    rotten = asked(shell, *words, "--apply", "--yes", code=1)
    assert (rotten["error"]["id"], rotten["removed"], rotten["applied"]) == ("verify-failed", [], False)
    listed = {each["file"]: each for each in asked(shell, "list", "--remote")["backups"]}
    assert [len(listed[name]["remote"]) for name in (first, second)] == [1, 1]
    plan = asked(shell, *words, "--detailed-exitcode")
    assert ([each["file"] for each in plan["remove"]], len(plan["keep"])) == ([], 2)
    away.put(f"{first}", good[:-1], only_new=False)
    for name in (first, second):
        (shell.folder / "root" / name).unlink()
        (shell.folder / "root" / f"{name}.manifest.json").unlink()
    assert [each["good"] for each in asked(shell, "list", "--remote")["backups"]] == [False, False]


@pytest.mark.contract("E2")
def test_a_backup_to_a_gpg_key_is_read_with_the_operator_s_own_ring(
    seaweed: SeaweedFS, bucket: Bucket, tmp_path: Path
) -> None:
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    fingerprint = new_key(home)
    shell = terminal(tmp_path, ACCESS=seaweed.admin[0], SECRET=seaweed.admin[1], GNUPGHOME=str(home))
    define(shell, {"name": "minio", "s3": s3_keys(seaweed, bucket), "compression": "none"})
    (row,) = taken(shell, "minio", encrypt_to=f"gpg:{fingerprint}")
    assert row["file"].endswith(".tar.gpg")
    assert CONTENT[:64] not in Path(row["path"]).read_bytes()
    assert asked(shell, "verify", "minio@latest")["results"][0]["level"] == 1
    (tmp_path / "secret.asc").write_text(secret_key(home, fingerprint), encoding="utf-8")
    words = ("--identity", f"file:{tmp_path / 'secret.asc'}")
    assert asked(shell, "verify", "minio@latest", *words)["results"][0]["level"] == 2
    assert asked(shell, "drill", "minio@latest")["differences"] == []
    plain = shell.folder / "plain.tar"
    with plain.open("wb") as out:
        cat = shell.argv("backup", "cat", "minio@latest", "--plain")
        subprocess.run(cat, cwd=shell.folder, env=shell.environment, stdout=out, check=True, timeout=60)
    with tarfile.open(plain) as archive:
        assert archive.getnames()[-1] == "index.jsonl"
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, timeout=60)


def new_key(home: Path) -> str:
    """Make a key without a passphrase; return its fingerprint."""
    gpg = ["gpg", "--homedir", str(home), "--batch"]
    words = ["--passphrase", "", "--quick-generate-key", "me@example.test", "rsa2048", "encr", "never"]
    subprocess.run([*gpg, *words], check=True, capture_output=True, timeout=60)
    listed = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True).stdout
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))


def secret_key(home: Path, fingerprint: str) -> str:
    """Return a secret key as gpg exports it."""
    export = ["gpg", "--homedir", str(home), "--batch", "--armor", "--export-secret-keys", fingerprint]
    return subprocess.run(export, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.contract("E7", "N1")
def test_an_upload_that_fails_is_exit_1_and_the_local_backup_stays_good(
    seaweed: SeaweedFS, bucket: Bucket, tmp_path: Path
) -> None:
    shell = terminal(tmp_path, ACCESS=seaweed.reader[0], SECRET=seaweed.reader[1])
    target = {"s3": s3_keys(seaweed, seaweed.new_bucket())}
    define(shell, {"name": "minio", "s3": s3_keys(seaweed, bucket), "targets": [target]})
    answer = asked(shell, "run", "minio", "--allow-unattended", code=1)
    assert [each["error"] for each in answer["failed"]] == ["upload-failed"]
    (row,) = asked(shell, "list")["backups"]
    assert row["good"]
    assert Path(shell.folder / "root" / row["file"]).is_file()


@pytest.mark.contract("K4")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_waits_for_no_store_and_leaves_nothing(
    seaweed: SeaweedFS, bucket: Bucket, tmp_path: Path, sent: signal.Signals
) -> None:
    """A proxy keeps the store's answer for an object back for as long as nobody lets it go."""
    asked_for, let_go = threading.Event(), threading.Event()

    def keep_back(request: bytes, piece: bytes) -> bytes:
        if b"/one" in request:
            asked_for.set()
            let_go.wait(timeout=60)
        return piece

    shell = terminal(tmp_path, ACCESS=seaweed.reader[0], SECRET=seaweed.reader[1])
    with tampering(seaweed.port, keep_back) as port:
        keys = {**s3_keys(seaweed, bucket), "endpoint": f"http://127.0.0.1:{port}"}
        define(shell, {"name": "minio", "s3": keys})
        argv = shell.argv("backup", "run", "minio", "--allow-unattended", "--format", "json")
        with running(argv, cwd=shell.folder, env=shell.environment) as process:
            assert asked_for.wait(timeout=60)
            process.send_signal(sent)
            assert process.wait(timeout=10) == 128 + sent
        let_go.set()
    assert [path.name for path in (shell.folder / "root").iterdir()] == [".dce-backup"]


@pytest.mark.contract("E8", "N8")
def test_no_secret_is_anywhere_but_in_the_encrypted_backup(
    seaweed: SeaweedFS, bucket: Bucket, bao: OpenBao, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    shell = terminal(tmp_path, ACCESS=seaweed.admin[0], SECRET=seaweed.admin[1], VAULT_TOKEN=bao.limited)
    define(
        shell,
        {"name": "vault", "vault": {"address": bao.address}},
        {"name": "minio", "s3": s3_keys(seaweed, bucket)},
        defaults={"restore_notes": "none", "encrypt": {"age": [str(identity.to_public())]}},
    )
    said = [
        shell.run("backup", "run", "vault", "minio", "--allow-unattended", "--log-file", "log"),
        shell.run("backup", "list", "--format", "json"),
        shell.run("backup", "verify", "--all", "--identity", f"file:{tmp_path / 'key.txt'}"),
    ]
    assert [each.code for each in said] == [0, 0, 0], said
    assert [row["level"] for row in json.loads(said[1].out)["backups"]] == [2, 2]
    secrets = [seaweed.admin[1], bao.limited, str(identity), "two/three", CONTENT.decode()[:30]]
    for text in [*everything_said(said), *everything_in(shell.folder), *everything_in(tmp_path / "tmp")]:
        assert not [secret for secret in secrets if secret.encode() in text]


def everything_said(said: list[Said]) -> list[bytes]:
    return [text.encode() for each in said for text in (each.out, each.err)]


def everything_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
