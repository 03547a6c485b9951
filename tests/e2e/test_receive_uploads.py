"""Resumable uploads at a real receiver: the draft's requests, offsets that never go back, verification at the end."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.receiver import Answer, Receiver, archive, offer_headers, parse_answer, read_all

MIB = 1 << 20
MISMATCH = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
INCONSISTENT = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(folder=tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def data() -> bytes:
    return archive(files={"a": os.urandom(5 * MIB)})


def create(receiver: Receiver, data: bytes, episode_id: str = "ep-1", **headers: str) -> Answer:
    offer = offer_headers(data) | {"Upload-Complete": "?0", "Upload-Length": str(len(data)), "Content-Length": "0"}
    offer |= {name.replace("_", "-"): value for name, value in headers.items()}
    return receiver.request("POST", f"/v1/episodes/{episode_id}/uploads", offer)


def piece_headers(offset: int, *, last: bool) -> dict[str, str]:
    return {
        "Content-Type": "application/partial-upload",
        "Upload-Offset": str(offset),
        "Upload-Complete": "?1" if last else "?0",
    }


def patch(receiver: Receiver, path: str, offset: int, piece: bytes, *, last: bool = False) -> Answer:
    return receiver.request("PATCH", path, piece_headers(offset, last=last), piece)


@pytest.mark.contract("V3", "V5")
def test_an_episode_in_pieces_is_stored_as_one(receiver: Receiver, data: bytes) -> None:
    made = create(receiver, data)
    assert made.status == 201, made.body
    path = made.headers["location"]
    assert re.fullmatch(r"/v1/uploads/[0-9a-f]{32}", path)
    assert made.headers["upload-offset"] == "0"
    limits = dict(part.split("=") for part in made.headers["upload-limit"].split(", "))
    assert set(limits) == {"max-size", "min-append-size", "max-append-size", "max-age"}
    first = patch(receiver, path, 0, data[: 2 * MIB])
    assert (first.status, first.body) == (204, b"")
    assert (first.headers["upload-offset"], first.headers["upload-complete"]) == (str(2 * MIB), "?0")
    look = receiver.request("HEAD", path)
    assert look.status == 204
    assert look.headers["upload-offset"] == str(2 * MIB)
    assert look.headers["upload-length"] == str(len(data))
    assert look.headers["upload-complete"] == "?0"
    assert look.headers["cache-control"] == "no-store"
    done = patch(receiver, path, 2 * MIB, data[2 * MIB :], last=True)
    assert (done.status, done.headers["upload-complete"]) == (201, "?1")
    assert done.json == receiver.request("GET", "/v1/episodes/ep-1").json
    assert [row["source"] for row in receiver.rows()] == ["upload"]
    assert (receiver.store / "store" / "ep-1.tar.zst").read_bytes() == data
    after = receiver.request("HEAD", path)
    assert (after.status, after.headers["upload-complete"]) == (204, "?1")
    again = patch(receiver, path, len(data), b"", last=True)
    assert (again.status, again.json) == (200, done.json)
    assert create(receiver, data).json == done.json
    assert list((receiver.store / "uploads").rglob("data")) == []


def test_a_creation_passes_the_checks_of_a_put(receiver: Receiver, data: bytes) -> None:
    assert create(receiver, data, Content_Type="x/y").code == "unsupported_type"
    assert create(receiver, data, Repr_Digest="x").code == "bad_digest_header"
    assert create(receiver, data, "a%2Fb").code == "bad_id"
    assert create(receiver, data, Upload_Complete="?1").code == "bad_header"
    assert create(receiver, data, Upload_Length="x").code == "bad_header"
    assert create(receiver, data, Upload_Length=str(1 << 50)).code == "too_large"
    assert receiver.request("POST", "/v1/episodes/ep-1/uploads", {}, b"", token="").code == "unauthorised"


def test_wrong_offsets_and_lengths_are_the_drafts_problems(receiver: Receiver) -> None:
    data = archive(files={"a": os.urandom(20_000)})
    path = create(receiver, data).headers["location"]
    patch(receiver, path, 0, data[:1000])
    wrong = patch(receiver, path, 0, data[:1000])
    assert (wrong.status, wrong.json["type"]) == (409, MISMATCH)
    assert (wrong.json["expected-offset"], wrong.json["provided-offset"]) == (1000, 0)
    assert wrong.headers["upload-offset"] == "1000"
    past = patch(receiver, path, 1000, data)
    assert (past.status, past.json["type"]) == (400, INCONSISTENT)
    early = patch(receiver, path, 1000, data[1000:2000], last=True)
    assert (early.status, early.json["type"]) == (400, INCONSISTENT)
    odd = piece_headers(1000, last=False) | {"Content-Type": "application/zstd"}
    typed = receiver.request("PATCH", path, odd, b"x")
    assert typed.code == "unsupported_type"
    assert receiver.request("HEAD", path).headers["upload-offset"] == "1000"


def test_anothers_upload_and_none_are_404_and_a_deleted_one_too(receiver: Receiver, data: bytes) -> None:
    path = create(receiver, data).headers["location"]
    other = receiver.add_token("lab-2")
    assert receiver.request("HEAD", path, token=other).status == 404
    assert receiver.request("DELETE", path, token=other).code == "not_found"
    assert receiver.request("HEAD", "/v1/uploads/" + "0" * 32).status == 404
    assert receiver.request("HEAD", "/v1/uploads/..%2F..").status == 404
    gone = receiver.request("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    assert receiver.request("HEAD", path).status == 404
    assert list((receiver.store / "uploads").iterdir()) == []


@pytest.mark.parametrize("damage", ["digest", "archive"])
def test_a_whole_that_is_not_what_was_promised_is_refused_and_forgotten(
    receiver: Receiver, data: bytes, damage: str
) -> None:
    sent = data[:-100] + bytes(100) if damage == "digest" else data[:-1000]
    promised = data if damage == "digest" else sent
    path = create(receiver, promised).headers["location"]
    patch(receiver, path, 0, sent[:MIB])
    answer = patch(receiver, path, MIB, sent[MIB:], last=True)
    assert answer.code == {"digest": "digest_mismatch", "archive": "archive_invalid"}[damage]
    assert receiver.request("HEAD", path).status == 404
    assert receiver.rows() == []


def test_a_dropped_piece_keeps_what_it_brought(receiver: Receiver, data: bytes) -> None:
    path = create(receiver, data).headers["location"]
    send_part(receiver, path, 0, data, 3 * MIB)
    offset = settled_offset(receiver, path)
    assert 0 < offset <= 3 * MIB
    assert patch(receiver, path, offset, data[offset:], last=True).status == 201


def test_an_offset_once_told_is_still_there_after_kill_and_restart(receiver: Receiver, data: bytes) -> None:
    path = create(receiver, data).headers["location"]
    told = int(patch(receiver, path, 0, data[: 2 * MIB]).headers["upload-offset"])
    with receiver.connect() as connection:
        connection.sendall(patch_head(receiver, path, told, MIB) + data[told : told + MIB // 2])
        time.sleep(0.2)
        receiver.kill()
    receiver.start()
    offset = int(receiver.request("HEAD", path).headers["upload-offset"])
    assert offset >= told
    assert patch(receiver, path, offset, data[offset:], last=True).status == 201
    assert (receiver.store / "store" / "ep-1.tar.zst").read_bytes() == data


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_a_newer_request_ends_an_older_patch_of_the_upload(receiver: Receiver, data: bytes, method: str) -> None:
    path = create(receiver, data).headers["location"]
    with receiver.connect() as old:
        old.sendall(patch_head(receiver, path, 0, len(data)) + data[:MIB])
        time.sleep(0.3)
        started = time.monotonic()
        if method == "PATCH":
            look = receiver.request("PATCH", path, piece_headers(0, last=False), b"")
            assert look.status == 409
            offset = look.json["expected-offset"]
            assert patch(receiver, path, offset, data[offset:], last=True).status == 201
        else:
            answer = receiver.request(method, path)
            assert answer.status == 204
            if method == "HEAD":
                assert 0 < int(answer.headers["upload-offset"]) <= MIB
        assert time.monotonic() - started < 5
        assert parse_answer(read_all(old)).status == 423


def test_a_put_and_a_piece_of_one_id_do_not_run_together(receiver: Receiver, data: bytes) -> None:
    path = create(receiver, data).headers["location"]
    with receiver.connect() as running:
        running.sendall(patch_head(receiver, path, 0, len(data)) + data[:1000])
        time.sleep(0.3)
        assert receiver.put("ep-1", data).code == "upload_running"
    settled_offset(receiver, path)
    assert receiver.put("ep-1", data).status == 201
    offset = settled_offset(receiver, path)
    late = patch(receiver, path, offset, data[offset:], last=True)
    assert (late.status, late.headers["upload-complete"]) == (200, "?1")
    assert len(receiver.rows()) == 1


def test_two_uploads_of_one_id_with_other_content_end_in_one_episode_and_a_conflict(
    receiver: Receiver, data: bytes
) -> None:
    other = archive(files={"a": os.urandom(MIB)})
    paths = [create(receiver, each).headers["location"] for each in (data, other)]
    answers: list[Answer] = []

    def finish(path: str, whole: bytes) -> None:
        for _ in range(50):
            answer = patch(receiver, path, 0, whole, last=True)
            if answer.status != 423:
                answers.append(answer)
                return
            time.sleep(0.1)

    threads = [threading.Thread(target=finish, args=pair) for pair in zip(paths, (data, other), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert len(receiver.rows()) == 1


def test_an_upload_can_be_made_by_hand_with_curl(receiver: Receiver, data: bytes, tmp_path: Path) -> None:
    for name, part in (("one", data[:MIB]), ("two", data[MIB:])):
        (tmp_path / name).write_bytes(part)
    base = f"http://127.0.0.1:{receiver.port}"
    auth = ["-H", f"Authorization: Bearer {receiver.token}"]

    def curl(*arguments: str) -> str:
        argv = ["curl", "-si", "-m", "20", *auth, *arguments]
        return subprocess.run(argv, capture_output=True, check=True, text=True, timeout=30).stdout

    offer = [f"{name}: {value}" for name, value in offer_headers(data).items()]
    headers = [part for line in [*offer, "Upload-Complete: ?0", f"Upload-Length: {len(data)}"] for part in ("-H", line)]
    made = curl("-X", "POST", "-H", "Content-Length: 0", *headers, f"{base}/v1/episodes/ep-1/uploads")
    found = re.search(r"location: (\S+)", made)
    assert found, made
    piece = ["-X", "PATCH", "-H", "Content-Type: application/partial-upload"]
    one = ["-H", "Upload-Offset: 0", "-H", "Upload-Complete: ?0", "--data-binary", f"@{tmp_path / 'one'}"]
    assert "HTTP/1.1 204" in curl(*piece, *one, base + found[1])
    two = ["-H", f"Upload-Offset: {MIB}", "-H", "Upload-Complete: ?1", "--data-binary", f"@{tmp_path / 'two'}"]
    assert "HTTP/1.1 201" in curl(*piece, *two, base + found[1])


def patch_head(receiver: Receiver, path: str, offset: int, length: int) -> bytes:
    lines = [f"PATCH {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {receiver.token}"]
    lines += [f"{name}: {value}" for name, value in piece_headers(offset, last=False).items()]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def send_part(receiver: Receiver, path: str, offset: int, data: bytes, count: int) -> None:
    """Begin a piece of the whole rest, send some of it, and hang up."""
    with receiver.connect() as connection:
        connection.sendall(patch_head(receiver, path, offset, len(data) - offset) + data[offset : offset + count])


def settled_offset(receiver: Receiver, path: str) -> int:
    time.sleep(0.2)
    return int(receiver.request("HEAD", path).headers["upload-offset"])
