"""Copies in a real SeaweedFS: what arrives, what is never replaced, and what does not count."""

import hashlib
import json
import threading
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dce_play.backup.definitions.model import ModuleKeys, S3Keys, TargetKeys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, EngineFacts, Produced, RemoteCopy, SourceFacts
from dce_play.backup.keep.prune import KeepRules
from dce_play.backup.manifest import SUFFIX, Manifest, encode_manifest
from dce_play.backup.targets.prune import LONGEST_UPLOAD_S, apply_remote, plan_remote
from dce_play.backup.targets.s3 import _LARGEST_MANIFEST_BYTES, S3Target, open_target
from dce_play.system.clock import SystemClock
from dce_play.system.s3.bucket import Bucket
from tests.support.engine_services import EngineServices, manifest_of, module_of
from tests.support.fakes import FakeClock
from tests.support.real_engines import SeaweedFS
from tests.support.tampering import Last, tampering


def target(seaweed: SeaweedFS, bucket: Bucket, *, port: int = 0, key: tuple[str, str] | None = None) -> S3Target:
    access, secret = key or seaweed.admin
    services = EngineServices(environment={"ACCESS": access, "SECRET": secret})
    keys = S3Keys(
        endpoint=f"http://127.0.0.1:{port or seaweed.port}",
        bucket=bucket.place.bucket,
        prefix="host-one/",
        access_key="env:ACCESS",
        secret_key="env:SECRET",
    )
    return open_target(TargetKeys(s3=keys), services)


def backup(folder: Path, name: str, data: bytes, *, ended: str = "2026-11-28T00:00:01Z") -> tuple[Path, Manifest]:
    path = folder / name
    path.write_bytes(data)
    module = module_of(ModuleKeys(name="thing"), engine="files", class_name="E")
    produced = Produced(
        engine=EngineFacts(name="files"),
        source=SourceFacts(kind="path", where="/srv"),
        format="tar",
        consistency=Consistency.LIVE,
        counts={"files": 1},
    )
    manifest = manifest_of(produced, module, path)
    return path, msgspec.structs.replace(manifest, sha256=hashlib.sha256(data).hexdigest(), ended=ended)


def encoder(manifest: Manifest):  # type: ignore[no-untyped-def]  # a closure of one line
    def encode(copy: RemoteCopy) -> bytes:
        return encode_manifest(msgspec.structs.replace(manifest, remote=(copy,)))

    return encode


@pytest.mark.contract("E5")
@pytest.mark.parametrize("size", [0, 10, 33 << 20], ids=["empty", "small", "three parts"])
def test_a_copy_is_read_back_and_then_recorded(seaweed: SeaweedFS, tmp_path: Path, size: int) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"x" * size)
    copy = place.store(path, manifest, encoder(manifest))
    assert (copy.target, copy.key, copy.bytes) == (
        f"s3://{bucket.place.bucket}/host-one",
        f"host-one/{path.name}",
        size,
    )
    with bucket.open(copy.key) as stream:
        assert b"".join(stream.chunks()) == path.read_bytes()
    (found,) = place.backups()
    assert (found.file, found.bytes, found.manifest.remote) == (path.name, size, (copy,))
    place.remove(found)
    assert [each for page in bucket.pages() for each in page] == []


@pytest.mark.contract("E6")
def test_nothing_is_ever_replaced(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"ours")
    bucket.put(f"host-one/{path.name}", b"theirs", only_new=True)
    with pytest.raises(BackupError) as caught:
        place.store(path, manifest, encoder(manifest))
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.UPLOAD_FAILED, 1)
    with bucket.open(f"host-one/{path.name}") as stream:
        assert b"".join(stream.chunks()) == b"theirs"


@pytest.mark.contract("E6")
def test_a_file_that_rotted_since_is_not_sent(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"good")
    path.write_bytes(b"goof")
    with pytest.raises(BackupError, match="no longer"):
        target(seaweed, bucket).store(path, manifest, encoder(manifest))
    assert [each for page in bucket.pages() for each in page] == []


@pytest.mark.contract("E6", "N1")
def test_a_store_that_fails_half_way_keeps_nothing_of_ours(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"data" * 1000)

    def cut_the_manifest(request: bytes, piece: bytes) -> bytes:
        return Last(b"") if b"manifest.json" in request else piece

    with tampering(seaweed.port, cut_the_manifest) as port, pytest.raises(BackupError) as caught:
        target(seaweed, bucket, port=port).store(path, manifest, encoder(manifest))
    assert caught.value.error_id is ErrorId.UPLOAD_FAILED
    assert target(seaweed, bucket).backups() == []
    assert f"host-one/{path.name}" not in {each.key for page in bucket.pages() for each in page}


@pytest.mark.contract("E5", "E6")
def test_a_copy_that_is_another_when_it_is_read_back_is_none(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"data" * 1000)
    rotted = threading.Event()

    def rot_what_is_stored(request: bytes, piece: bytes) -> bytes:
        line = request.partition(b"\r\n")[0]
        if not rotted.is_set() and (line.startswith(b"POST") and b"uploadId=" in line):
            rotted.set()
            bucket.put(f"host-one/{path.name}", b"dat4" * 1000, only_new=False)
        return piece

    with tampering(seaweed.port, rot_what_is_stored) as port, pytest.raises(BackupError, match="other bytes") as caught:
        target(seaweed, bucket, port=port).store(path, manifest, encoder(manifest))
    assert rotted.is_set()
    assert caught.value.error_id is ErrorId.UPLOAD_FAILED
    assert [each.key for page in bucket.pages() for each in page] == []


@pytest.mark.contract("E7")
def test_a_key_that_may_only_read_cannot_store(seaweed: SeaweedFS, tmp_path: Path) -> None:
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"data")
    with pytest.raises(BackupError) as caught:
        target(seaweed, seaweed.new_bucket(), key=seaweed.reader).store(path, manifest, encoder(manifest))
    assert (caught.value.error_id, caught.value.exit_code) == (ErrorId.UPLOAD_FAILED, 1)


@pytest.mark.contract("E5", "N11")
def test_only_what_has_a_manifest_of_ours_and_its_data_is_a_backup(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    for hour in ("02", "01"):
        path, manifest = backup(
            tmp_path, f"thing-20261128T{hour}0000Z.tar.gz", b"data", ended=f"2026-11-28T{hour}:00:01Z"
        )
        place.store(path, manifest, encoder(manifest))
    path, manifest = backup(tmp_path, "thing-20261128T030000Z.tar.gz", b"data")
    bucket.put(f"host-one/{path.name}.manifest.json", encode_manifest(manifest), only_new=True)
    bucket.put("host-one/other.manifest.json", json.dumps({"not": "ours"}).encode(), only_new=True)
    bucket.put("host-one/other", b"x", only_new=True)
    bucket.put("elsewhere", b"x", only_new=True)
    assert [each.file for each in place.backups()] == ["thing-20261128T010000Z.tar.gz", "thing-20261128T020000Z.tar.gz"]


@pytest.mark.contract("N10", "N11")
def test_what_a_killed_prune_left_goes_with_the_next_one_and_nothing_else(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    services = EngineServices()
    names = [f"thing-20261128T0{hour}0000Z.tar.gz" for hour in (1, 2)]
    copies = [backup(tmp_path, name, b"data") for name in (*names, "other-20261128T030000Z.tar.gz")]
    for path, manifest in copies:
        own = msgspec.structs.replace(manifest, module=path.name.partition("-")[0])
        place.store(path, own, encoder(own))
    for gone in (names[0], copies[2][0].name):
        bucket.delete(f"host-one/{gone}")
    bucket.put(f"host-one/strange{SUFFIX}", b"{}", only_new=True)

    plan = plan_remote("thing", place, KeepRules(last=1), now=services.clock.now())
    assert apply_remote(plan, tmp_path / "root", services) == ()
    assert services.said == [f"removed what a killed prune left at {place.name}: {names[0]}{SUFFIX}"]
    left = {each.key.removeprefix("host-one/") for page in bucket.pages() for each in page}
    assert left == {names[1], f"{names[1]}{SUFFIX}", f"{copies[2][0].name}{SUFFIX}", f"strange{SUFFIX}"}


def sent(place: S3Target, folder: Path, hour: int, *, module: str = "thing") -> str:
    """Store a copy taken at this hour and return its file's name."""
    name = f"{module}-20261128T{hour:02}0000Z.tar.gz"
    path, manifest = backup(folder, name, b"data", ended=f"2026-11-28T{hour:02}:00:01Z")
    manifest = msgspec.structs.replace(manifest, module=module)
    place.store(path, manifest, encoder(manifest))
    return name


@pytest.mark.contract("N10", "N11")
def test_data_of_an_upload_that_died_go_by_the_plan_and_nothing_that_is_foreign_or_newer(
    seaweed: SeaweedFS, tmp_path: Path
) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    services = EngineServices()
    dead, good, newer = (sent(place, tmp_path, hour) for hour in (1, 2, 3))
    other = sent(place, tmp_path, 1, module="thing-else")
    foreign = "thing-20261128T000000Z.tar.gz"
    bucket.put(f"host-one/{foreign}", b"of our name, and not of ours", only_new=True)
    for name in (dead, newer, other):
        bucket.delete(f"host-one/{name}{SUFFIX}")  # as whoever is killed before the manifest leaves it

    later = services.clock.now() + timedelta(seconds=LONGEST_UPLOAD_S + 60)
    plan = plan_remote("thing", place, KeepRules(last=1), now=later)
    assert [(each.file, each.reasons) for each in plan.retention.remove] == [(dead, ("upload-died",))]
    assert [each.file for each in plan.retention.keep] == [newer, good]
    services.clock = FakeClock(later)
    assert apply_remote(plan, tmp_path / "root", services) == (dead,)
    left = {each.key.removeprefix("host-one/") for page in bucket.pages() for each in page}
    assert left == {good, f"{good}{SUFFIX}", newer, other, foreign}


@pytest.mark.contract("N11")
@pytest.mark.parametrize(("early_s", "count"), [(-60, 1), (60, 0)], ids=["a day ago", "less"])
def test_data_whose_manifest_may_still_come_are_left_alone(
    seaweed: SeaweedFS, tmp_path: Path, early_s: float, count: int
) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    dead, _good = sent(place, tmp_path, 1), sent(place, tmp_path, 2)
    bucket.delete(f"host-one/{dead}{SUFFIX}")
    now = SystemClock().now() + timedelta(seconds=LONGEST_UPLOAD_S - early_s)
    assert len(plan_remote("thing", place, KeepRules(last=1), now=now).retention.remove) == count


@pytest.mark.contract("N11")
def test_data_that_get_their_manifest_after_the_plan_stay(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    name = sent(place, tmp_path, 1)
    with bucket.open(f"host-one/{name}{SUFFIX}") as stream:
        manifest = b"".join(stream.chunks())
    bucket.delete(f"host-one/{name}{SUFFIX}")
    (upload,) = place.dead_uploads("thing", before=SystemClock().now() + timedelta(hours=1))
    bucket.put(f"host-one/{name}{SUFFIX}", manifest, only_new=True)
    place.remove_dead(upload)
    assert [each.file for each in place.backups()] == [name]


@pytest.mark.contract("E5")
def test_a_manifest_in_a_bucket_is_so_large_at_most(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    for number, more in enumerate((0, 1)):
        path, manifest = backup(tmp_path, f"thing-2026112{number}T220000Z.tar.gz", b"data")
        told = encode_manifest(manifest).rstrip(b"\n").ljust(_LARGEST_MANIFEST_BYTES + more)
        bucket.put(f"host-one/{path.name}", b"data", only_new=True)
        bucket.put(f"host-one/{path.name}{SUFFIX}", told, only_new=True)
    assert [each.file for each in target(seaweed, bucket).backups()] == ["thing-20261120T220000Z.tar.gz"]


@pytest.mark.contract("E5", "N11")
def test_nothing_goes_at_a_target_when_another_prune_would_be_planned_by_now(
    seaweed: SeaweedFS, tmp_path: Path
) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    services = EngineServices()
    names = [sent(place, tmp_path, hour) for hour in (1, 2)]
    plan = plan_remote("thing", place, KeepRules(last=1), now=services.clock.now())
    assert [each.file for each in plan.retention.remove] == names[:1]
    names.append(sent(place, tmp_path, 3))
    with pytest.raises(BackupError) as caught:
        apply_remote(plan, tmp_path / "root", services)
    assert (caught.value.error_id, caught.value.hint) == (ErrorId.CHANGED, "plan it again")
    assert [each.file for each in place.backups()] == names


@pytest.mark.contract("N10", "N11")
def test_a_removal_at_a_target_that_is_cut_in_the_middle_leaves_no_backup_and_what_the_next_one_takes_at_once(
    seaweed: SeaweedFS, tmp_path: Path
) -> None:
    bucket = seaweed.new_bucket()
    name, kept = sent(target(seaweed, bucket), tmp_path, 1), sent(target(seaweed, bucket), tmp_path, 2)
    deleted: list[bytes] = []

    def lose_the_line_after_one(request: bytes, piece: bytes) -> bytes | None:
        if request.startswith(b"DELETE") and request not in deleted:
            deleted.append(request)
        return piece if len(deleted) < 1 else None

    services = EngineServices()
    with tampering(seaweed.port, lose_the_line_after_one) as port:
        cut = target(seaweed, bucket, port=port)
        (backup_there, _) = cut.backups()
        with pytest.raises(BackupError):
            cut.remove(backup_there)
    assert f"{name} HTTP".encode() in deleted[0], "the manifest went first"
    place = target(seaweed, bucket)
    assert [each.file for each in place.backups()] == [kept]
    assert [each.file for each in place.left_by("thing")] == [name]
    plan = plan_remote("thing", place, KeepRules(last=1), now=services.clock.now())
    apply_remote(plan, tmp_path / "root", services)
    left = {each.key.removeprefix("host-one/") for page in bucket.pages() for each in page}
    assert left == {kept, f"{kept}{SUFFIX}"}


@pytest.mark.contract("E6")
def test_a_manifest_of_somebody_else_is_not_replaced_and_then_there_is_no_copy(
    seaweed: SeaweedFS, tmp_path: Path
) -> None:
    bucket = seaweed.new_bucket()
    place = target(seaweed, bucket)
    path, manifest = backup(tmp_path, "thing-20261128T220000Z.tar.gz", b"ours")
    bucket.put(f"host-one/{path.name}{SUFFIX}", b"theirs", only_new=True)
    with pytest.raises(BackupError) as caught:
        place.store(path, manifest, encoder(manifest))
    assert caught.value.error_id is ErrorId.UPLOAD_FAILED
    with bucket.open(f"host-one/{path.name}{SUFFIX}") as stream:
        assert b"".join(stream.chunks()) == b"theirs"
    assert [each.key for page in bucket.pages() for each in page] == [f"host-one/{path.name}{SUFFIX}"]


@pytest.mark.contract("N11")
def test_a_copy_whose_data_come_after_the_pages_were_read_is_left_by_nobody(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    name = sent(target(seaweed, bucket), tmp_path, 1)
    bucket.delete(f"host-one/{name}")

    def send_the_data_behind_the_listing(request: bytes, piece: bytes) -> bytes:
        if b"list-type=2" in request:
            bucket.put(f"host-one/{name}", b"data", only_new=False)
        return piece

    assert [each.file for each in target(seaweed, bucket).left_by("thing")] == [name]
    with tampering(seaweed.port, send_the_data_behind_the_listing) as port:
        assert target(seaweed, bucket, port=port).left_by("thing") == []


@pytest.mark.contract("N11")
def test_a_copy_that_cannot_be_read_now_is_not_marked_and_nothing_goes(seaweed: SeaweedFS, tmp_path: Path) -> None:
    bucket = seaweed.new_bucket()
    names = [sent(target(seaweed, bucket), tmp_path, hour) for hour in (1, 2)]
    services = EngineServices()

    def lose_the_data(request: bytes, piece: bytes) -> bytes | None:
        return None if f"GET /{bucket.place.bucket}/host-one/{names[1]} ".encode() in request else piece

    with tampering(seaweed.port, lose_the_data) as port:
        place = target(seaweed, bucket, port=port)
        plan = plan_remote("thing", place, KeepRules(last=1), now=services.clock.now())
        with pytest.raises(BackupError) as caught:
            apply_remote(plan, tmp_path / "root", services)
    assert caught.value.error_id is ErrorId.UNREACHABLE
    assert [(each.file, each.manifest.verification.good) for each in target(seaweed, bucket).backups()] == [
        (name, True) for name in names
    ]
