"""The S3 client against a real SeaweedFS, and against one whose answers are changed on the way."""

import base64
import hashlib

import pytest

from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import (
    S3Corrupt,
    S3Forbidden,
    S3KeyRefused,
    S3NotFound,
    S3Taken,
    S3Unreachable,
    translated,
)
from dce_play.system.s3.upload import SMALLEST_PART_BYTES
from tests.support.real_engines import SeaweedFS, free_ports
from tests.support.tampering import tampering

KEYS = ["a", "a/b", "a-b", "a.b", "dir/", "dir/x", "empty", "ctl\x01x", "sp ace+%", "ü/é"]


def read(bucket: Bucket, key: str) -> bytes:
    with bucket.open(key) as stream:
        return b"".join(stream.chunks())


@pytest.mark.contract("K8")
def test_every_page_is_read_and_every_object_comes_back(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    for key in KEYS:
        data = b"" if key.endswith("/") or key == "empty" else key.encode() * 3
        bucket.put(key, data, only_new=True, content_type="text/x-test", metadata={"mark": "1"})
    pages = list(bucket.pages(page_size=3))
    assert len(pages) > 2
    listed = {each.key: each for page in pages for each in page}
    assert sorted(listed) == sorted(KEYS)
    for key in KEYS:
        assert listed[key].size_bytes == len(read(bucket, key))
    facts = bucket.head("a-b")
    assert facts is not None
    assert (facts.content_type, dict(facts.metadata)) == ("text/x-test", {"mark": "1"})
    assert bucket.head("nobody") is None


@pytest.mark.contract("K8")
def test_an_upload_in_parts_has_the_checksum_of_its_parts_and_never_replaces(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    upload = bucket.begin("big", content_type="x/y")
    data = bytes(range(256)) * (SMALLEST_PART_BYTES // 256) + b"end"
    for at in range(0, len(data), SMALLEST_PART_BYTES):
        upload.add(data[at : at + SMALLEST_PART_BYTES])
    assert bucket.head("big") is None
    upload.complete(only_new=True)
    facts = bucket.head("big")
    assert facts is not None
    assert facts.sha256 == upload.checksum()
    assert not facts.etag_is_md5
    assert read(bucket, "big") == data
    second = bucket.begin("big")
    second.add(b"other")
    with pytest.raises(S3Taken):
        second.complete(only_new=True)
    second.abort()
    second.abort()
    assert read(bucket, "big") == data


@pytest.mark.contract("K8")
def test_a_key_is_written_once_when_it_must_be_new(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket.put("k", b"first", only_new=True)
    with pytest.raises(S3Taken):
        bucket.put("k", b"second", only_new=True)
    assert read(bucket, "k") == b"first"
    bucket.put("k", b"third", only_new=False)
    facts = bucket.head("k")
    assert facts is not None
    assert facts.sha256 == base64.b64encode(hashlib.sha256(b"third").digest()).decode()
    bucket.copy("k", "copy", only_new=False)
    assert read(bucket, "copy") == b"third"
    bucket.delete("k")
    bucket.delete("k")
    with pytest.raises(S3NotFound):
        read(bucket, "k")


@pytest.mark.contract("K5")
def test_who_may_not_is_told_apart_from_who_is_not_known(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket.put("k", b"data", only_new=True)
    name = bucket.place.bucket
    assert read(Bucket(seaweed.place(name, seaweed.reader)), "k") == b"data"
    with pytest.raises(S3Forbidden) as forbidden:
        read(Bucket(seaweed.place(name, seaweed.lister)), "k")
    assert forbidden.value.exit_code == 7
    for pair in (("NOBODY", "x" * 16), (seaweed.admin[0], "wrong-secret-0123")):
        with pytest.raises(S3KeyRefused) as refused:
            list(Bucket(seaweed.place(name, pair)).pages())
        assert refused.value.exit_code == 7
        assert pair[1] not in f"{refused.value}{refused.value.hint}{seaweed.place(name, pair)!r}"
    with pytest.raises(S3NotFound):
        list(Bucket(seaweed.place("no-such-bucket")).pages())
    with pytest.raises(S3Unreachable):
        list(Bucket(seaweed.place(name, port=free_ports(1)[0])).pages())


@pytest.mark.contract("K4")
@pytest.mark.parametrize("size", [10, 3 << 20], ids=["small", "large"])
def test_a_bit_flipped_on_the_way_is_found(seaweed: SeaweedFS, size: int) -> None:
    bucket = seaweed.new_bucket()
    bucket.put("k", b"A" * size, only_new=True)

    def flip(request: bytes, piece: bytes) -> bytes:
        return piece[:-1] + b"B" if request.startswith(b"GET") and piece.endswith(b"AAAA") else piece

    with tampering(seaweed.port, flip) as port, pytest.raises(S3Corrupt):
        read(Bucket(seaweed.place(bucket.place.bucket, port=port)), "k")


@pytest.mark.contract("K4")
def test_an_answer_that_is_cut_is_no_answer(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket.put("k", b"A" * (1 << 20), only_new=True)

    def cut(request: bytes, piece: bytes) -> bytes | None:
        return None if request.startswith(b"GET") and piece.endswith(b"AAAA") else piece

    with tampering(seaweed.port, cut) as port, pytest.raises(S3Unreachable):
        read(Bucket(seaweed.place(bucket.place.bucket, port=port)), "k")


@pytest.mark.contract("K4")
def test_a_bit_flipped_on_the_way_up_is_refused_by_the_store(seaweed: SeaweedFS) -> None:
    upload = seaweed.new_bucket().begin("k")
    upload.add(b"data")
    with pytest.raises(S3Corrupt), translated("k"):
        upload._client.upload_part(
            **upload._names, PartNumber=2, Body=b"data", ChecksumSHA256=upload.parts[0].sha256[::-1]
        )
    upload.abort()


@pytest.mark.contract("K8")
def test_versions_are_listed_without_the_marks_of_deletion(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket._client.put_bucket_versioning(Bucket=bucket.place.bucket, VersioningConfiguration={"Status": "Enabled"})
    for data in (b"1", b"2", b"3"):
        bucket.put("k", data, only_new=False)
    bucket.put("gone", b"x", only_new=True)
    bucket.delete("gone")
    found = [each for page in bucket.pages(versions=True, page_size=2) for each in page]
    assert sorted((each.key, each.is_latest) for each in found) == [
        ("gone", False), ("k", False), ("k", False), ("k", True),
    ]  # fmt: skip
    for each in found:
        with bucket.open(each.key, version_id=each.version_id) as stream:
            assert len(b"".join(stream.chunks())) == each.size_bytes
