"""PUT, GET and HEAD at a real receiver: what is stored, what is refused, in which order, and what is on disk after."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.receiver import COMMIT, Receiver, archive, offer_headers, parse_answer, read_all


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(folder=tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that stores nothing in any test that uses it."""
    with Receiver(folder=tmp_path_factory.mktemp("untouched")) as running:
        yield running


@pytest.mark.contract("V1", "V2", "V3")
def test_an_episode_is_stored_once_with_receipt_and_row(receiver: Receiver, tmp_path: Path) -> None:
    data = archive(files={"a.bin": os.urandom(300_000)})
    first = receiver.put("ep-1", data)
    assert first.status == 201, first.body
    again = receiver.put("ep-1", data)
    assert (again.status, again.json) == (200, first.json)
    receipt = first.json
    assert list(receipt) == [
        "v", "id", "host_id", "size", "sha256", "manifest_digest", "commit", "files", "bytes", "stored_at", "receiver",
    ]  # fmt: skip
    assert (receipt["host_id"], receipt["commit"], receipt["files"]) == ("lab-1", COMMIT, 2)
    assert receipt["sha256"] == hashlib.sha256(data).hexdigest()
    assert first.headers["location"] == "/v1/episodes/ep-1"
    for answer in (first, again):
        assert answer.headers["etag"] == f'"{receipt["manifest_digest"]}"'
        assert answer.headers["x-cis490-manifest-digest"] == receipt["manifest_digest"]
        assert answer.headers["repr-digest"].startswith("sha-256=:")
        assert answer.headers["date"]
        assert answer.headers["x-request-id"]
    (row,) = receiver.rows()
    assert list(row) == [*list(receipt)[:-1], "source"]
    assert row["source"] == "put"
    stored = receiver.store / "store" / "ep-1.tar.zst"
    assert stored.read_bytes() == data
    assert json.loads((receiver.store / "store" / "ep-1.receipt.json").read_text()) == receipt
    assert list((receiver.store / "incoming").iterdir()) == []
    unpacked = subprocess.run(
        ["tar", "--zstd", "-xf", stored, "-C", tmp_path, "-v"], capture_output=True, check=True, text=True
    )
    assert "ep-1/a.bin" in unpacked.stdout
    got = receiver.request("GET", "/v1/episodes/ep-1")
    assert (got.status, got.json) == (200, receipt)
    head = receiver.request("HEAD", "/v1/episodes/ep-1")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", got.headers["etag"])
    assert receiver.request("GET", "/v1/episodes/ep-2").code == "not_found"


@pytest.mark.contract("V3")
def test_other_content_under_a_taken_id_is_a_conflict_and_changes_nothing(receiver: Receiver) -> None:
    stored = receiver.put("ep-1", archive(files={"a": b"1"})).json
    other = archive(files={"a": b"2"})
    for headers in ({}, {"X-Cis490-Manifest-Digest": "sha256:" + "0" * 64}):
        answer = receiver.put("ep-1", other, headers)
        assert (answer.status, answer.code) == (409, "conflict")
        assert answer.json["stored"]["manifest_digest"] == stored["manifest_digest"]
        assert answer.json["stored"]["host_id"] == "lab-1"
        assert answer.json["yours"]["sha256"] == hashlib.sha256(other).hexdigest()
    assert receiver.request("GET", "/v1/episodes/ep-1").json == stored
    assert len(receiver.rows()) == 1


@pytest.mark.contract("V3")
def test_the_same_episode_packed_otherwise_is_a_duplicate(receiver: Receiver) -> None:
    first = receiver.put("ep-1", archive(files={"a": b"1" * 9999}, level=1))
    again = archive(files={"a": b"1" * 9999}, level=19)
    assert receiver.put("ep-1", again).status == 200
    named = receiver.put("ep-1", again, {"X-Cis490-Manifest-Digest": first.json["manifest_digest"]})
    assert (named.status, named.json) == (200, first.json)


@pytest.mark.contract("V6")
@pytest.mark.parametrize(
    ("status", "code", "headers"),
    [
        (415, "unsupported_type", {"Content-Type": "application/gzip"}),
        (415, "unsupported_type", {"Content-Type": None}),
        (415, "unsupported_type", {"Content-Encoding": "gzip"}),
        (400, "bad_digest_header", {"Repr-Digest": None}),
        (400, "bad_digest_header", {"Repr-Digest": "sha-256=:AAAA:"}),
        (400, "bad_digest_header", {"Repr-Digest": "sha-512=:AAAA:"}),
        (400, "bad_header", {"X-Cis490-Manifest-Digest": "sha256:abc"}),
        (400, "digest_mismatch", {"Repr-Digest": f"sha-256=:{'A' * 43}=:"}),
        (422, "manifest_mismatch", {"X-Cis490-Manifest-Digest": "sha256:" + "0" * 64}),
        (401, "unauthorised", {"Authorization": "Bearer dcp_00000000_" + "0" * 64}),
        (401, "unauthorised", {"Authorization": "Basic abc"}),
    ],
)
def test_each_refusal_is_a_problem_with_lines_to_paste(
    untouched: Receiver, status: int, code: str, headers: dict[str, str | None]
) -> None:
    answer = untouched.put("ep-1", archive(), headers)
    problem = answer.json
    assert (answer.status, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:dce-play:problem:{code}"
    assert problem["status"] == status
    assert problem["retry"] in {"never", "after"}
    assert problem["remediation"] == "\n".join(problem["fix"])
    assert problem["title"]
    assert problem["detail"]
    assert untouched.rows() == []
    assert list((untouched.store / "store").iterdir()) == []
    assert list((untouched.store / "incoming").iterdir()) == []


@pytest.mark.contract("V6")
@pytest.mark.parametrize(
    "raw_id",
    ["..", "a%2Fb", "..%2F..%2Fetc", "a%00", "x" * 129, "ep.json", "ep.part", "ep.zst", ".hidden", "a/b", "é~"],
)
def test_what_is_no_id_is_told_so_and_touches_nothing(untouched: Receiver, raw_id: str) -> None:
    data = archive()
    lines = [f"PUT /v1/episodes/{raw_id} HTTP/1.1", "Host: x", f"Authorization: Bearer {untouched.token}"]
    lines += [f"{name}: {value}" for name, value in offer_headers(data).items()]
    lines += [f"Content-Length: {len(data)}", "", ""]
    answer = parse_answer(untouched.raw("\r\n".join(lines).encode() + data))
    assert answer.status == 400
    assert answer.code in {"bad_id", "bad_header"}
    assert sorted(each.name for each in untouched.store.rglob("*") if each.is_file()) == [
        "index.jsonl",
        "lock",
        "tokens.json",
    ]


@pytest.mark.contract("V3")
def test_checks_come_in_the_contracts_order(tmp_path: Path) -> None:
    with Receiver(
        folder=tmp_path, config='[version_gate]\nrepo_path = "no-clone"\n', limits="max_bytes = 100\n"
    ) as one:
        data = archive(files={"a": os.urandom(500)})
        bad: dict[str, str | None] = {"Content-Type": "x/y", "Repr-Digest": None}
        assert one.put("..bad", data, bad | {"Authorization": "Bearer x"}).code == "unauthorised"
        assert one.put(".bad", data, bad).code == "bad_id"
        chunked = one.request(
            "PUT", "/v1/episodes/ep-1", {"Transfer-Encoding": "chunked", "Content-Type": "x/y"}, b"0\r\n\r\n"
        )
        assert (chunked.status, chunked.code) == (411, "length_required")
        assert one.put("ep-1", data, bad).code == "unsupported_type"
        assert one.put("ep-1", data, {"Repr-Digest": None}).code == "bad_digest_header"
        assert one.put("ep-1", data, {"X-Cis490-Code-Commit": None}).code == "too_large"
        assert one.put("ep-1", b"tiny", {"X-Cis490-Code-Commit": None}).code == "gate_unknown"


@pytest.mark.contract("V3", "V5")
def test_what_is_stored_stays_acknowledged_when_the_limit_is_lowered_and_the_gate_is_shut(tmp_path: Path) -> None:
    data = archive(files={"a": os.urandom(5000)})
    with Receiver(folder=tmp_path) as one:
        stored = one.put("ep-1", data).json
        assert one.stop() == 0
        one.config = '[version_gate]\nrepo_path = "no-clone"\n'
        one.limits = "max_bytes = 100\nmax_members = 1\n"
        one.start()
        again = one.put("ep-1", data, {"X-Cis490-Code-Commit": None})
        assert (again.status, again.json) == (200, stored)


@pytest.mark.contract("V3")
def test_damage_on_the_way_is_a_digest_mismatch_and_not_a_bad_archive(receiver: Receiver) -> None:
    data = archive(files={"a": os.urandom(100_000)})
    damaged = data[:50_000] + b"\xff\x00\xff" + data[50_003:]
    answer = receiver.put("ep-1", damaged, {"Repr-Digest": offer_headers(data)["Repr-Digest"]})
    assert (answer.status, answer.code, answer.json["retry"]) == (400, "digest_mismatch", "after")
    assert receiver.put("ep-1", data + b"behind").code == "archive_invalid"


@pytest.mark.contract("V1")
def test_a_refusal_comes_before_a_large_body_is_read(receiver: Receiver) -> None:
    head = (
        f"PUT /v1/episodes/ep-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {receiver.token}\r\n"
        "Content-Type: application/zstd\r\nContent-Length: 10000000000\r\n\r\n"
    )
    with receiver.connect(timeout_s=10) as connection:
        connection.sendall(head.encode() + bytes(3_000_000))
        answer = parse_answer(read_all(connection))
    assert (answer.status, answer.code) == (400, "bad_digest_header")
    assert answer.headers["connection"] == "close"


@pytest.mark.contract("V3")
def test_with_expect_the_refusal_comes_instead_of_the_100(receiver: Receiver, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(archive(files={"a": os.urandom(3_000_000)}))
    argv = ["curl", "-si", "-m", "20", "-T", str(body), "-H", "Expect: 100-continue", "--expect100-timeout", "15"]
    url = f"http://127.0.0.1:{receiver.port}/v1/episodes/ep-1"
    done = subprocess.run([*argv, url], capture_output=True, check=True, timeout=30)
    assert done.stdout.startswith(b"HTTP/1.1 401")


@pytest.mark.contract("V3")
def test_a_second_put_while_one_runs_is_told_so(receiver: Receiver) -> None:
    data = archive(files={"a": os.urandom(200_000)})
    lines = ["PUT /v1/episodes/ep-1 HTTP/1.1", "Host: x", f"Authorization: Bearer {receiver.token}"]
    lines += [f"{name}: {value}" for name, value in offer_headers(data).items()]
    head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode()
    with receiver.connect() as connection:
        connection.sendall(head + data[:1000])
        receiver.await_running(1)
        answers = []
        for _ in range(50):
            answers.append(receiver.put("ep-1", data))
            if answers[-1].status == 423:
                break
        assert (answers[-1].status, answers[-1].code) == (423, "upload_running")
        assert int(answers[-1].headers["retry-after"]) > 0
        connection.sendall(data[1000:])
        assert parse_answer(connection.recv(65536)).status == 201
    assert len(receiver.rows()) == 1


@pytest.mark.contract("V5")
def test_a_body_that_breaks_off_leaves_nothing_and_frees_the_id(receiver: Receiver) -> None:
    data = archive(files={"a": os.urandom(200_000)})
    lines = ["PUT /v1/episodes/ep-1 HTTP/1.1", "Host: x", f"Authorization: Bearer {receiver.token}"]
    lines += [f"{name}: {value}" for name, value in offer_headers(data).items()]
    head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode()
    with receiver.connect() as connection:
        connection.sendall(head + data[:100_000])
    statuses = [receiver.put("ep-1", data).status for _ in range(3)]
    assert statuses[-1] in {200, 201}
    assert list((receiver.store / "incoming").iterdir()) == []
    assert len(receiver.rows()) == 1


@pytest.mark.contract("V5")
def test_limits_are_told_with_what_to_wait_for(tmp_path: Path) -> None:
    limits = "quota_per_host = 2000\nmax_members = 2\n"
    with Receiver(folder=tmp_path, limits=limits) as one:
        many = one.put("ep-1", archive(files={"a": b"", "b": b""}))
        assert (many.status, many.code) == (413, "too_large")
        assert one.put("ep-2", archive("ep-2", {"a": os.urandom(900)})).status == 201
        full = one.put("ep-3", archive("ep-3", {"a": os.urandom(1500)}))
        assert (full.status, full.code) == (507, "quota")
        assert int(full.headers["retry-after"]) > 0
        ping = one.request("POST", "/v1/ping").json["store"]
        assert ping["quota_bytes"] == 2000
        assert ping["used_bytes"] > 900
    (tmp_path / "second").mkdir()
    with Receiver(folder=tmp_path / "second", min_free='"900TiB"') as two:
        answer = two.put("ep-1", archive())
        assert (answer.status, answer.code) == (507, "no_space")
        health = two.admin("/healthz")
        assert health.status == 503
        assert b"min_free" in health.body


@pytest.mark.contract("V1")
def test_a_connection_goes_on_behind_a_long_body(receiver: Receiver) -> None:
    """The bytes of a long body go past the parser, which has to find the next request all the same."""
    long, short = archive(files={"a.bin": os.urandom(3 << 20)}), archive("ep-2")
    requests = [_request(receiver, "ep-1", long), _request(receiver, "ep-2", short, close=True)]
    answers = receiver.raw(b"".join(requests)).split(b"HTTP/1.1 ")
    assert [answer[:3] for answer in answers[1:]] == [b"201", b"201"]
    assert (receiver.store / "store" / "ep-1.tar.zst").read_bytes() == long


@pytest.mark.contract("V2")
def test_a_long_body_is_stored_byte_for_byte_however_it_comes(receiver: Receiver) -> None:
    """What goes around the page cache and what does not, what is copied and what is not: all in its place."""
    data = archive(files={"a.bin": os.urandom(9 << 20), "b.bin": os.urandom(777)})
    request = _request(receiver, "ep-1", data, close=True)
    cuts = [0, 40_000, 1 << 20, (3 << 20) + 5, (3 << 20) + 6, 6 << 20, len(request)]
    with receiver.connect() as connection:
        for start, end in pairwise(cuts):
            connection.sendall(request[start:end])
            time.sleep(0.1)  # longer than what came of a piece waits for the rest of it
        assert parse_answer(read_all(connection)).status == 201
    assert (receiver.store / "store" / "ep-1.tar.zst").read_bytes() == data


@pytest.mark.contract("V3")
def test_a_long_body_that_comes_while_it_is_refused_leaves_its_answer_whole(receiver: Receiver) -> None:
    receiver.put("ep-1", archive())
    other = archive(files={"a.bin": os.urandom(900_000)})
    answer = parse_answer(receiver.raw(_request(receiver, "ep-1", other, digest="sha256:" + "0" * 64)))
    assert (answer.status, answer.code) == (409, "conflict")
    assert answer.headers["connection"] == "close"


def _request(
    receiver: Receiver, episode_id: str, data: bytes, *, close: bool = False, digest: str | None = None
) -> bytes:
    offer = offer_headers(data, {"X-Cis490-Manifest-Digest": digest})
    headers = {**offer, "Authorization": f"Bearer {receiver.token}", "Content-Length": str(len(data))}
    headers |= {"Host": "localhost"} | ({"Connection": "close"} if close else {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"PUT /v1/episodes/{episode_id} HTTP/1.1\r\n{lines}\r\n".encode() + data
