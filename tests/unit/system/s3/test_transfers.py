"""The quick way to pages and small objects against a real SeaweedFS: it tells what boto3 tells, or nothing."""

import base64
import hashlib
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dce_play.system.s3.answers import checked, facts_of, page_of
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Corrupt, S3Unreachable
from dce_play.system.s3.objects import Listed
from dce_play.system.s3.place import S3Place
from dce_play.system.s3.transfers import Transfers
from tests.support.bounds import lower
from tests.support.real_engines import SeaweedFS, free_ports
from tests.support.tampering import tampering

KEYS = [
    "a", "a/b", "a-b", "dir/", "dir/x", "empty", "sp ace+%", "ü/é", "a&b<c>\"'", "line\nfeed", "ctl\x01x",
    "a..b", ".hidden", "100%25", "q?x=1#frag", "x" * 255,
]  # fmt: skip
MOST = 1 << 16
_MOMENT = "Mon, 30 Nov 2026 10:30:01 GMT"
_ONE = (
    b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>%s</Size><ETag>e</ETag>"
    b"<LastModified>%s</LastModified></Contents></ListBucketResult>"
)


@pytest.fixture(scope="module")
def bucket(seaweed: SeaweedFS) -> Bucket:
    made = seaweed.new_bucket()
    for number, key in enumerate(KEYS):
        data = b"" if key.endswith("/") or key == "empty" else key.encode() * number
        made.put(key, data, only_new=True, content_type="text/x-test", metadata={"mark": str(number)})
    return made


@pytest.fixture
def transfers(bucket: Bucket) -> Iterator[Transfers]:
    with bucket.transfers() as made:
        yield made


def listed(bucket: Bucket, prefix: str = "", over: Transfers | None = None, size: int = 1000) -> list[Listed]:
    return [each for page in bucket.pages(prefix, page_size=size, over=over) for each in page]


@pytest.mark.contract("K8")
@pytest.mark.parametrize("prefix", ["", "a", "dir/", "sp ace+", "ü/", "100%", "line\n", "nothing"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_pages_are_those_that_boto3_tells_of(bucket: Bucket, transfers: Transfers, prefix: str, size: int) -> None:
    assert transfers.page(prefix, "", size) is not None
    assert listed(bucket, prefix, transfers, size) == listed(bucket, prefix, None, size)


def test_a_page_is_so_long_at_most(bucket: Bucket, transfers: Transfers, monkeypatch: pytest.MonkeyPatch) -> None:
    lower(monkeypatch, "system.s3.transfers:_LONGEST_PAGE_BYTES", 500)
    assert transfers.page("", "", 1000) is None
    assert transfers.page("nothing", "", 1000) is not None


@pytest.mark.contract("K4")
def test_objects_are_those_that_boto3_tells_of(bucket: Bucket, transfers: Transfers) -> None:
    started = [(key, transfers.start(key, "", most_bytes=MOST)) for key in KEYS * 5]
    for key, transfer in reversed(started):
        received = transfers.received("where", transfer)
        with bucket.open(key) as stream:
            assert received == (stream.facts, b"".join(stream.chunks())), key


@pytest.mark.contract("K4")
def test_an_older_version_is_the_one_that_was_asked_for(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket._client.put_bucket_versioning(
        Bucket=bucket.place.bucket, VersioningConfiguration={"Status": "Enabled"}
    )  # fmt: skip
    for data in (b"first", b"second"):
        bucket.put("k", data, only_new=False)
    found = [each for page in bucket.pages(versions=True) for each in page]
    with bucket.transfers() as transfers:
        bodies = {}
        for each in found:
            received = transfers.received("where", transfers.start("k", each.version_id, most_bytes=MOST))
            assert received is not None
            assert received[0].version_id == each.version_id
            bodies[each.is_latest] = received[1]
    assert bodies == {True: b"second", False: b"first"}


def test_what_is_no_plain_answer_is_left_to_boto3(seaweed: SeaweedFS, bucket: Bucket, transfers: Transfers) -> None:
    assert transfers.received("where", transfers.start("nobody", "", most_bytes=MOST)) is None
    assert transfers.received("where", transfers.start("a&b<c>\"'", "", most_bytes=10)) is None
    places = [
        seaweed.place(bucket.place.bucket, (seaweed.admin[0], "wrong-secret-0123")),
        seaweed.place("no-such-bucket"),
        seaweed.place(bucket.place.bucket, port=free_ports(1)[0]),
        replace(bucket.place, endpoint=f"https://127.0.0.1:{seaweed.port}"),
    ]
    for place in places:
        with Bucket(place).transfers() as refused:
            assert refused.page("", "", 10) is None
            assert refused.received("where", refused.start("a", "", most_bytes=MOST)) is None
    assert transfers.received("where", transfers.start("a/b", "", most_bytes=MOST)) is not None


@pytest.mark.contract("K4")
def test_a_bit_flipped_on_the_way_is_found(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket.put("k", b"A" * 1000, only_new=True)

    def flip(request: bytes, piece: bytes) -> bytes:
        return piece[:-1] + b"B" if request.startswith(b"GET") and piece.endswith(b"AAAA") else piece

    with (
        tampering(seaweed.port, flip) as port,
        Bucket(seaweed.place(bucket.place.bucket, port=port)).transfers() as transfers,
        pytest.raises(S3Corrupt),
    ):
        transfers.received("where", transfers.start("k", "", most_bytes=MOST))


def test_an_answer_that_is_cut_is_none(seaweed: SeaweedFS) -> None:
    bucket = seaweed.new_bucket()
    bucket.put("k", b"A" * 1000, only_new=True)

    def cut(request: bytes, piece: bytes) -> bytes | None:
        return None if request.startswith(b"GET") and piece.endswith(b"AAAA") else piece

    with (
        tampering(seaweed.port, cut) as port,
        Bucket(seaweed.place(bucket.place.bucket, port=port)).transfers() as transfers,
    ):
        assert transfers.received("where", transfers.start("k", "", most_bytes=MOST)) is None


@pytest.mark.timeout(20)
def test_a_store_that_says_nothing_is_not_waited_for_and_what_is_under_way_can_be_dropped(bucket: Bucket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        deaf = Bucket(replace(bucket.place, endpoint=f"http://127.0.0.1:{port}", silence_s=0.2))
        with deaf.transfers() as transfers:
            first = transfers.start("a", "", most_bytes=MOST)
            for _ in range(40):
                transfers.start("b", "", most_bytes=MOST)
            assert transfers.received("where", first) is None
        hurried = Bucket(replace(deaf.place, attempts=1))
        with pytest.raises(S3Unreachable, match="no whole answer"):
            hurried.look()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"<a", b"<html>no</html>", b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>",
        _ONE % (b"x", b"2026-01-01T00:00:00Z"),
        _ONE % (b"1", b"yesterday"),
    ],
)  # fmt: skip
def test_a_page_that_lacks_anything_is_none(text: bytes) -> None:
    assert page_of(text) is None
    assert page_of(_ONE % (b"1", b"2026-01-01T00:00:00Z")) is not None


def at_port(bucket: Bucket, port: int) -> S3Place:
    return replace(bucket.place, endpoint=f"http://127.0.0.1:{port}")


@contextmanager
def canned(status: str, body: bytes = b"data") -> Iterator[tuple[int, list[int]]]:
    """Serve one answer to whatever is asked; gives the port, and how many were under way when each was begun."""
    under_way, seen = [0], list[int]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            under_way[0] += 1
            seen.append(under_way[0])
            time.sleep(0.02)
            under_way[0] -= 1
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nLast-Modified: {_MOMENT}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", ["206 Partial Content", "203 Changed", "404 Not Found", "301 Moved", "500 Oops"])
def test_an_answer_that_is_not_plain_is_none_though_it_looks_like_an_object(bucket: Bucket, status: str) -> None:
    for given, expected in ((status, None), ("200 OK", b"data")):
        with canned(given) as (port, _), Bucket(at_port(bucket, port)).transfers() as transfers:
            received = transfers.received("where", transfers.start("k", "", most_bytes=MOST))
            assert (received and received[1]) == expected


def test_no_more_are_under_way_than_the_place_allows(bucket: Bucket) -> None:
    with canned("200 OK") as (port, seen):
        place = replace(at_port(bucket, port), connections=3)
        with Bucket(place).transfers() as transfers:
            started = [transfers.start(f"{number}", "", most_bytes=MOST) for number in range(20)]
            assert all(transfers.received("where", each) for each in started)
    assert len(seen) == 20
    assert max(seen) in {2, 3}


_SHA256 = {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"data").digest()).decode()}
_SHA1 = {"x-amz-checksum-sha1": base64.b64encode(hashlib.sha1(b"data", usedforsecurity=False).digest()).decode()}
_CRC32 = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"data").to_bytes(4, "big")).decode()}
_ETAG = {"etag": f'"{hashlib.md5(b"data", usedforsecurity=False).hexdigest()}"'}


@pytest.mark.contract("K4")
@pytest.mark.parametrize("told", [_SHA256, _SHA1, _CRC32, _ETAG], ids=["sha256", "sha1", "crc32", "etag"])
def test_each_sum_that_a_store_tells_is_held_against_the_bytes(told: dict[str, str]) -> None:
    headers = {"content-length": "4", "last-modified": _MOMENT, **told}
    facts = facts_of(headers)
    assert facts is not None
    assert checked("where", facts, headers, b"data") == b"data"
    with pytest.raises(S3Corrupt):
        checked("where", facts, headers, b"dat4")
    with pytest.raises(S3Unreachable):
        checked("where", facts, headers, b"dat")
