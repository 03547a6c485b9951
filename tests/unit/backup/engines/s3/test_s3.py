"""Class D against a real SeaweedFS: every object there and back, changes while it is read, damage on the way."""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dce_play.backup.definitions.model import Module, ModuleKeys, S3Keys
from dce_play.backup.engines.s3.drill import _MOST_DIFFERENCES
from dce_play.backup.engines.s3.engine import ENGINE
from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.facts import Consistency, Health
from dce_play.backup.protocols import DrillOptions
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.upload import SMALLEST_PART_BYTES
from tests.support.engine_services import EngineServices, LosingBackup, Record, StoredBackup, check, module_of, take
from tests.support.real_engines import SeaweedFS, free_ports
from tests.support.tampering import Last, tampering

ODD_KEYS = ["a", "a/b", "a/b/c", "a-b", "dir/", "dir/x", "ctl\x01x", "new\nline", "sp ace+%", "ü/é", ".keys/x", "empty"]
STAMP = "20261128T220000Z"


def services(seaweed: SeaweedFS, key: tuple[str, str] | None = None) -> EngineServices:
    access, secret = key or seaweed.reader
    return EngineServices(environment={"ACCESS": access, "SECRET": secret, "PATH": "/usr/bin:/bin"})


def module_for(seaweed: SeaweedFS, bucket: Bucket, *, port: int = 0, prefix: str = "", versions: bool = False,
               on_change: str = "warn") -> Module:  # fmt: skip
    s3 = S3Keys(
        endpoint=f"http://127.0.0.1:{port or seaweed.port}",
        bucket=bucket.place.bucket,
        prefix=prefix,
        access_key="env:ACCESS",
        secret_key="env:SECRET",
        versions=versions,
    )
    keys = ModuleKeys(name="store", s3=s3, on_change=on_change)  # type: ignore[arg-type]  # a literal
    return module_of(keys, engine="s3", class_name="D")


def content_of(key: str) -> bytes:
    return b"" if key.endswith("/") or key == "empty" else key.encode() * 3


def filled(seaweed: SeaweedFS) -> Bucket:
    bucket = seaweed.new_bucket()
    for key in ODD_KEYS:
        bucket.put(key, content_of(key), only_new=True, content_type="text/x-test", metadata={"mark": "one"})
    upload = bucket.begin("big/of parts")
    upload.add(b"1" * SMALLEST_PART_BYTES)
    upload.add(b"2" * 1000)
    upload.complete(only_new=True)
    bucket.put("big/whole", b"3" * (1 << 20), only_new=True)
    return bucket


def index_of(path: Path) -> list[dict[str, Any]]:
    with tarfile.open(path) as archive:
        names = archive.getnames()
        assert names[-1] == "index.jsonl"
        stream = archive.extractfile("index.jsonl")
        assert stream is not None
        return [json.loads(line) for line in stream.read().splitlines()]


def refused(seaweed: SeaweedFS, module: Module, path: Path, key: tuple[str, str] | None = None) -> BackupError:
    with pytest.raises(BackupError) as caught:
        take(ENGINE, module, services(seaweed, key), path)
    return caught.value


@pytest.mark.contract("K1")
def test_every_object_is_in_the_tar_whatever_its_key(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    backup = take(ENGINE, module_for(seaweed, bucket), services(seaweed), tmp_path / "d.tar")
    rows = {row["key"]: row for row in index_of(backup.path)}
    listed = {each.key: each for page in bucket.pages() for each in page}
    assert sorted(rows) == sorted(listed)
    with tarfile.open(backup.path) as archive:
        for key, row in rows.items():
            stream = archive.extractfile(f"objects/{row['member']}")
            assert stream is not None
            data = stream.read()
            with bucket.open(str(key)) as there:
                assert b"".join(there.chunks()) == data
            assert (row["size"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
            assert row["etag"] == listed[str(key)].etag
    assert list(rows["a-b"]) == [
        "key", "member", "size", "sha256", "etag", "content_type", "metadata", "last_modified", "version_id",
    ]  # fmt: skip
    assert (rows["a-b"]["member"], rows["a-b"]["content_type"], rows["a-b"]["metadata"]) == (
        "a-b", "text/x-test", {"mark": "one"},
    )  # fmt: skip
    manifest = backup.manifest
    assert manifest.consistency is Consistency.LIVE
    assert manifest.counts == {
        "objects": len(listed), "bytes": sum(each.size_bytes for each in listed.values()), "versions": 0,
    }  # fmt: skip
    assert ENGINE.probe(module_for(seaweed, bucket), services(seaweed), timeout_s=5.0) is Health.HEALTHY


@pytest.mark.contract("K1")
def test_the_system_s_tar_extracts_it_without_a_word(seaweed: SeaweedFS, tmp_path: Path) -> None:
    backup = take(ENGINE, module_for(seaweed, filled(seaweed)), services(seaweed), tmp_path / "d.tar")
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(["tar", "-xf", backup.path, "-C", out], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (out / "objects" / "a-b").read_bytes() == content_of("a-b")


@pytest.mark.contract("K1")
def test_only_what_lies_below_the_prefix_is_taken(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    backup = take(ENGINE, module_for(seaweed, bucket, prefix="dir/"), services(seaweed), tmp_path / "d.tar")
    assert sorted(str(row["key"]) for row in index_of(backup.path)) == ["dir/", "dir/x"]


@pytest.mark.contract("K1")
def test_an_empty_bucket_is_a_whole_backup_of_nothing(seaweed: SeaweedFS, tmp_path: Path) -> None:
    backup = take(ENGINE, module_for(seaweed, seaweed.new_bucket()), services(seaweed), tmp_path / "d.tar")
    assert backup.manifest.counts == {"objects": 0, "bytes": 0, "versions": 0}


@pytest.mark.contract("K1")
def test_versions_are_taken_along_where_they_are_wanted(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    bucket._client.put_bucket_versioning(Bucket=bucket.place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for data in (b"1", b"22", b"333"):
        bucket.put("k", data, only_new=False)
    module = module_for(seaweed, bucket, versions=True)
    backup = take(ENGINE, module, services(seaweed, seaweed.admin), tmp_path / "d.tar")
    assert backup.manifest.counts == {"objects": 1, "bytes": 6, "versions": 2}
    rows = index_of(backup.path)
    assert sorted((row["size"], row["member"] == "k") for row in rows) == [(1, False), (2, False), (3, True)]
    assert len({row["version_id"] for row in rows}) == 3


def on_second_listing(then: Callable[[], None], *, every: bool = False) -> Callable[[bytes, bytes], bytes]:
    """Return what a proxy does: when a listing of more than one key comes by, change the bucket before it is told."""
    seen = [0]

    def watch(request: bytes, piece: bytes) -> bytes:
        if b"list-type=2" in request and b"max-keys=1000" in request and piece.startswith(b"HTTP/1.1"):
            seen[0] += 1
            if seen[0] == 1 or every:
                then()
        return piece

    return watch


@pytest.mark.contract("K3")
def test_an_object_that_changes_while_it_is_read_is_fetched_again(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)

    def change() -> None:  # after the first listing was made, before it is told
        bucket.put("a-b", b"newer", only_new=False)
        bucket.put("added", b"later", only_new=False)
        bucket.delete("empty")

    with tampering(seaweed.port, on_second_listing(change)) as port:
        backup = take(ENGINE, module_for(seaweed, bucket, port=port), services(seaweed), tmp_path / "d.tar")
    assert backup.manifest.consistency is Consistency.LIVE
    rows = {row["key"]: row for row in index_of(backup.path)}
    assert rows["a-b"]["sha256"] == hashlib.sha256(b"newer").hexdigest()
    assert "added" in rows
    assert "empty" not in rows
    assert backup.manifest.counts["objects"] == len(rows)


@pytest.mark.contract("K3")
def test_an_object_that_goes_after_it_was_read_is_in_no_index(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    gone: list[bytes] = []

    def remove(request: bytes, piece: bytes) -> bytes:
        """Remove an earlier object, once the turn of a later one that is streamed has come."""
        if b"/big/whole" in request and not gone:
            gone.append(request)
            bucket.delete("a-b")
        return piece

    with tampering(seaweed.port, remove) as port:
        backup = take(ENGINE, module_for(seaweed, bucket, port=port), services(seaweed), tmp_path / "d.tar")
    keys = [row["key"] for row in index_of(backup.path)]
    assert (len(gone), "a-b" in keys, "a" in keys) == (1, False, True)
    assert backup.manifest.counts["objects"] == len(keys)
    check(ENGINE, backup, services(seaweed))


@pytest.mark.contract("K3")
def test_an_object_that_never_rests_is_told(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    count = [0]

    def change() -> None:
        count[0] += 1
        bucket.put("restless", b"x" * count[0], only_new=False)

    def restless(request: bytes, piece: bytes) -> bytes:
        """After each time that the object was read, it is another one."""
        if b"/restless" in request and piece.startswith(b"HTTP/1.1"):
            change()
        return piece

    change()
    with tampering(seaweed.port, restless) as port:
        module = module_for(seaweed, bucket, port=port)
        backup = take(ENGINE, module, services(seaweed), tmp_path / "d.tar")
        error = refused(seaweed, module_for(seaweed, bucket, port=port, on_change="fail"), tmp_path / "e.tar")
    assert backup.manifest.consistency is Consistency.LIVE_CHANGED
    assert [each.id for each in backup.manifest.warnings] == [WarningId.LIVE_CHANGED]
    assert (error.error_id, error.exit_code) == (ErrorId.CHANGED, 1)
    check(ENGINE, backup, services(seaweed))


@pytest.mark.contract("K4")
@pytest.mark.parametrize("key", ["a-b", "big/whole"])
def test_a_bit_flipped_on_the_way_never_gets_into_the_index(seaweed: SeaweedFS, tmp_path: Path, key: str) -> None:
    bucket = filled(seaweed)
    good = {str(row["key"]): row["sha256"] for row in index_of(
        take(ENGINE, module_for(seaweed, bucket), services(seaweed), tmp_path / "good.tar").path
    )}  # fmt: skip
    wanted = content_of(key)[-4:] if key == "a-b" else b"3333"
    flips = [0]

    def flip(request: bytes, piece: bytes) -> bytes:
        if f"/{key} ".encode() in request and piece.endswith(wanted) and flips[0] < limit:
            flips[0] += 1
            return piece[:-1] + b"#"
        return piece

    limit = 2
    with tampering(seaweed.port, flip) as port:
        backup = take(ENGINE, module_for(seaweed, bucket, port=port), services(seaweed), tmp_path / "d.tar")
        assert {str(row["key"]): row["sha256"] for row in index_of(backup.path)} == good
        assert flips[0] == 2
        limit = 10_000
        error = refused(seaweed, module_for(seaweed, bucket, port=port), tmp_path / "e.tar")
    assert (error.error_id, error.exit_code) == (ErrorId.VERIFY_FAILED, 1)


@pytest.mark.contract("K4", "N2")
def test_a_listing_that_is_cut_is_a_failure(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)

    def cut(request: bytes, piece: bytes) -> bytes:
        return Last(piece[: len(piece) // 2]) if b"max-keys=1000" in request else piece

    with tampering(seaweed.port, cut) as port:
        error = refused(seaweed, module_for(seaweed, bucket, port=port), tmp_path / "e.tar")
    assert error.exit_code == 1


@pytest.mark.contract("K5")
def test_keys_that_are_not_accepted_and_buckets_that_are_not_there(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    module = module_for(seaweed, bucket)
    path = tmp_path / "d.tar"
    for pair in (("EXPIRED", "x" * 16), (seaweed.admin[0], "another-secret-0")):
        error = refused(seaweed, module, path, pair)
        assert (error.error_id, error.exit_code) == (ErrorId.AUTH, 7)
        assert pair[1] not in f"{error}{error.hint}"
    error = refused(seaweed, module, path, seaweed.lister)
    assert (error.error_id, error.exit_code) == (ErrorId.FORBIDDEN, 7)
    error = refused(seaweed, module_for(seaweed, Bucket(seaweed.place("no-such"))), path)
    assert (error.error_id, error.exit_code) == (ErrorId.NOT_FOUND, 4)
    error = refused(seaweed, module_for(seaweed, bucket, port=free_ports(1)[0]), path)
    assert (error.error_id, error.exit_code) == (ErrorId.UNREACHABLE, 4)
    assert ENGINE.probe(module, services(seaweed, ("EXPIRED", "x" * 16)), timeout_s=5.0) is Health.UNHEALTHY


def rewritten(backup: StoredBackup, change: Callable[[str, bytes], bytes | None], path: Path) -> StoredBackup:
    with tarfile.open(backup.path) as old, tarfile.open(path, "w") as new:
        for info in old:
            stream = old.extractfile(info)
            assert stream is not None
            data = change(info.name, stream.read())
            if data is not None:
                info.size = len(data)
                new.addfile(info, io.BytesIO(data))
    end_once(path)
    return StoredBackup(manifest=backup.manifest, path=path)


def end_once(path: Path) -> None:
    """Leave one end mark of the zeros that Python's tarfile fills the last record with."""
    data = path.read_bytes().rstrip(b"\0")
    path.write_bytes(data + bytes(-len(data) % 512) + bytes(1024))


@pytest.mark.contract("K6", "N3")
def test_a_check_finds_what_is_missing_changed_or_cut(seaweed: SeaweedFS, tmp_path: Path) -> None:
    backup = take(ENGINE, module_for(seaweed, filled(seaweed)), services(seaweed), tmp_path / "d.tar")

    def fault(change: Callable[[str, bytes], bytes | None]) -> ErrorId:
        with pytest.raises(BackupError) as caught:
            check(ENGINE, rewritten(backup, change, tmp_path / "changed.tar"), services(seaweed))
        return caught.value.error_id

    def drop_line(name: str, data: bytes) -> bytes:
        return b"".join(data.splitlines(keepends=True)[1:]) if name == "index.jsonl" else data

    check(ENGINE, backup, services(seaweed))
    assert fault(lambda name, data: None if name == "objects/a-b" else data) is ErrorId.INCOMPLETE
    assert fault(lambda name, data: b"x" * len(data) if name == "objects/a-b" else data) is ErrorId.VERIFY_FAILED
    assert fault(lambda name, data: None if name == "index.jsonl" else data) is ErrorId.TRUNCATED
    assert fault(drop_line) is ErrorId.VERIFY_FAILED
    whole = backup.path.read_bytes()
    for left in (0, 100, len(whole) // 2, len(whole) - 1024):
        (tmp_path / "cut.tar").write_bytes(whole[:left])
        with pytest.raises(BackupError) as caught:
            check(ENGINE, StoredBackup(manifest=backup.manifest, path=tmp_path / "cut.tar"), services(seaweed))
        assert caught.value.error_id is ErrorId.TRUNCATED


@pytest.mark.contract("K6")
def test_a_drill_counts_what_it_restored_and_leaves_nothing(seaweed: SeaweedFS, tmp_path: Path) -> None:
    backup = take(ENGINE, module_for(seaweed, filled(seaweed)), services(seaweed), tmp_path / "d.tar")
    drilled = ENGINE.drill(backup, services(seaweed), DrillOptions(folder=tmp_path))
    assert drilled.expected == drilled.restored == backup.manifest.counts
    assert (drilled.level, drilled.differences) == (3, ())
    assert [path.name for path in tmp_path.iterdir()] == ["d.tar"]
    backup.manifest.counts["objects"] = 1
    drilled = ENGINE.drill(backup, services(seaweed), DrillOptions(folder=tmp_path))
    assert [each.what for each in drilled.differences] == ["objects"]


@pytest.mark.contract("K6")
@pytest.mark.parametrize("more", [-2, 0])
def test_a_drill_names_so_many_differences(
    seaweed: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bucket = seaweed.new_bucket()
    for number in range(_MOST_DIFFERENCES + more):
        bucket.put(f"{number:03}", b"content", only_new=True)
    stored = take(ENGINE, module_for(seaweed, bucket), services(seaweed), tmp_path / "d.tar")
    losing = LosingBackup(manifest=stored.manifest, path=stored.path, below="dce-drill-*/restored/objects/*")
    drilled = ENGINE.drill(losing, services(seaweed), DrillOptions())
    named = [each.what for each in drilled.differences if each.what.startswith("object ")]
    assert len(named) == _MOST_DIFFERENCES + more
    assert len(drilled.differences) == _MOST_DIFFERENCES  # with objects and bytes, where there is room for them
    assert drilled.restored["objects"] == 0


def state(bucket: Bucket) -> dict[str, tuple[bytes, str, dict[str, str]]]:
    found = {}
    for page in bucket.pages():
        for each in page:
            with bucket.open(each.key) as stream:
                data = b"".join(stream.chunks())
                found[each.key] = (data, stream.facts.content_type, dict(stream.facts.metadata))
    return found


@pytest.mark.contract("K7")
def test_a_restore_puts_what_is_missing_or_differs_and_leaves_the_rest(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    before = state(bucket)
    module = module_for(seaweed, bucket)
    admin = services(seaweed, seaweed.admin)
    backup = take(ENGINE, module, admin, tmp_path / "d.tar")
    bucket.put("a-b", b"other", only_new=False)
    bucket.put("ü/é", content_of("ü/é"), only_new=False, content_type="another/type")
    bucket.delete("big/of parts")
    bucket.delete("empty")
    bucket.put("extra", b"stays", only_new=True)
    plan = {item.what: item.detail for item in ENGINE.plan_restore(backup, module, admin, into=None)}
    assert plan["replace"].startswith("2 ")
    assert plan["put"].startswith("2 ")
    assert plan["keep"].startswith("1 ")
    assert plan["equal"].endswith("left alone")
    with pytest.raises(BackupError) as caught:
        ENGINE.restore(backup, module, admin, Record(stamp=STAMP, replace=False))
    assert caught.value.error_id is ErrorId.USAGE
    assert state(bucket)["a-b"][0] == b"other"
    ENGINE.restore(backup, module, admin, Record(stamp=STAMP, replace=True))
    assert state(bucket) == {**before, "extra": (b"stays", "application/octet-stream", {})}
    assert admin.said[-1] == f"put 4 objects; left alone: {len(before) - 4} equal, 1 that the backup lacks"


@pytest.mark.contract("K7")
def test_a_restore_into_a_folder_writes_files_and_the_index(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = filled(seaweed)
    backup = take(ENGINE, module_for(seaweed, bucket), services(seaweed), tmp_path / "d.tar")
    folder = tmp_path / "into"
    folder.mkdir()
    ENGINE.restore_into(backup, folder, services(seaweed))
    for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        data = (folder / "objects" / row["member"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]


@pytest.mark.contract("K2")
def test_a_member_that_leads_out_of_the_folder_is_refused(seaweed: SeaweedFS, tmp_path: Path) -> None:
    backup = take(ENGINE, module_for(seaweed, filled(seaweed)), services(seaweed), tmp_path / "d.tar")
    evil = tmp_path / "evil.tar"
    with tarfile.open(backup.path) as old, tarfile.open(evil, "w") as new:
        for info in old:
            stream = old.extractfile(info)
            assert stream is not None
            data = stream.read().replace(b'"member":"a-b"', b'"member":"../a-b"')
            info.name = info.name.replace("objects/a-b", "objects/../a-b")
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    end_once(evil)
    folder = tmp_path / "into"
    folder.mkdir()
    with pytest.raises(BackupError, match="leads elsewhere"):
        ENGINE.restore_into(StoredBackup(manifest=backup.manifest, path=evil), folder, services(seaweed))
    assert not (tmp_path / "into" / "a-b").exists()


@pytest.mark.contract("K9")
def test_an_alias_of_mc_tells_endpoint_and_keys(seaweed: SeaweedFS, tmp_path: Path) -> None:
    """``mc`` is a stand-in that prints what the real one prints for an alias; none is to be had here."""
    access, secret = seaweed.reader
    said = {"status": "success", "alias": "lab", "URL": f"http://127.0.0.1:{seaweed.port}", "accessKey": access,
            "secretKey": secret, "api": "S3v4", "path": "auto"}  # fmt: skip
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mc").write_text(f"#!/bin/sh\necho '{json.dumps(said)}'\n", encoding="utf-8")
    (programs / "mc").chmod(0o755)
    bucket = filled(seaweed)
    keys = ModuleKeys(name="store", s3=S3Keys(bucket=bucket.place.bucket, alias="lab"))
    module = module_of(keys, engine="s3", class_name="D")
    with_mc = EngineServices(environment={"PATH": f"{programs}:/usr/bin:/bin"})
    assert take(ENGINE, module, with_mc, tmp_path / "d.tar").manifest.counts["objects"] == len(ODD_KEYS) + 2
    with pytest.raises(BackupError) as caught:
        take(ENGINE, module, EngineServices(environment={"PATH": "/nonexistent"}), tmp_path / "e.tar")
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.NO_TOOL, 4)
