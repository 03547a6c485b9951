"""One suite for every place where episodes are kept: files, and a bucket with PostgreSQL. Then two receivers on one."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dce_play.system.s3.bucket import Bucket
from dce_play.transfer.receiving.postgres import Database, EpisodeTable
from dce_play.transfer.wire import IndexRow, Receipt, row_of
from tests.support.command_line import Terminal
from tests.support.postgres_server import Postgres, postgres_server
from tests.support.real_engines import SeaweedFS
from tests.support.receiver import COMMIT, OPEN, Answer, Receiver, archive, offer_headers

MIB = 1 << 20
PART = 5 * MIB
Start = Callable[..., Receiver]

pytestmark = pytest.mark.contract("V10")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    pytest.importorskip("psycopg")
    with postgres_server() as running:
        yield running


@pytest.fixture(params=["file", "s3"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Return what starts a receiver on one store of the wanted kind; a second call starts another on the same."""
    running: list[Receiver] = []
    config: str = OPEN
    environment: dict[str, str] = {}
    if request.param == "s3":
        config, environment = shared_store(request)

    def begin(**more: str) -> Receiver:
        folder = tmp_path / f"receiver-{len(running)}"
        folder.mkdir()
        one = Receiver(folder=folder, config=config, environment=environment, **more)  # type: ignore[arg-type]  # texts only
        if running:
            one.token = running[0].token
        running.append(one)
        one.start()
        return one

    yield begin
    for one in running:
        one.__exit__(None, None, None)


def shared_store(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """Return the configuration of a fresh bucket and database, and the environment with its secrets."""
    seaweed: SeaweedFS = request.getfixturevalue("seaweed")
    postgres: Postgres = request.getfixturevalue("postgres")
    bucket = seaweed.new_bucket().place.bucket
    database = f"db_{bucket.replace('-', '_')}"
    postgres.sql(f"CREATE DATABASE {database}")
    config = (
        f'[store]\nkind = "s3"\nbucket = "{bucket}"\nprefix = "lab/"\npart_size = "5MiB"\n'
        f'endpoint = "http://127.0.0.1:{seaweed.port}"\naccess_key = "env:KEY"\nsecret_key = "env:SECRET"\n'
        f'[index]\nkind = "postgres"\ndsn = "env:DSN"\n{OPEN}'
    )
    dsn = f"host={postgres.folder} user=boss dbname={database}"
    return config, {"KEY": seaweed.admin[0], "SECRET": seaweed.admin[1], "DSN": dsn}


def test_each_row_is_told_once_in_whatever_order_rows_are_committed(postgres: Postgres) -> None:
    postgres.sql("CREATE DATABASE rows_told")
    database = Database(f"host={postgres.folder} user=boss dbname=rows_told")
    database.create_tables()
    told: list[str] = []
    ours, theirs = EpisodeTable(database, lambda row: told.append(row.id)), EpisodeTable(database, lambda _row: None)

    def write(table: EpisodeTable, connection: Any, name: str) -> tuple[int, IndexRow]:
        receipt = Receipt(
            v=1, id=name, host_id="lab-1", size=1, sha256="0" * 64, manifest_digest="sha256:" + "0" * 64, commit=COMMIT,
            files=1, bytes=1, stored_at="2026-11-29T10:00:00Z", receiver="hub",
        )  # fmt: skip
        number = table.write(connection, receipt, source="put", replace=True)
        assert number is not None
        return number, row_of(receipt, source="put")

    with database.connection() as slow, database.connection() as quick:
        with slow.transaction():
            late = write(theirs, slow, "begun-first")
            mine = write(ours, quick, "ours")
            ours.tell(*mine)
            write(theirs, quick, "theirs")
            ours.tell_new()
            assert told == ["ours", "theirs"]
        ours.tell_new()
        assert told == ["ours", "theirs", "begun-first"]
        again = write(ours, quick, "ours")
        assert again[0] == mine[0]
        for number, row in (again, late):
            ours.tell(number, row)
        ours.tell_new()
    assert told == ["ours", "theirs", "begun-first"]
    database.close()


def test_the_playbook_looks_into_the_store_that_is_configured(start: Start, tmp_path: Path) -> None:
    one = start()
    assert one.put("ep-1", archive(files={"a": b"x"})).status == 201
    terminal = Terminal(folder=tmp_path, variables={**one.environment, "DCE_RECEIVE_CONFIG": str(one.toml)})
    playbook = Path(__file__).parents[2] / "playbooks" / "receive-check.yml"
    said = terminal.run("run", str(playbook), "--output", "jsonl", "-e", "deep=true")
    assert said.code == 0, said.err
    ends = [event for event in said.events if event["type"] == "step.end"]
    assert [event["summary"] for event in ends][:2] == ["1 row, 0 added", "1 episode is sound"]


def test_an_episode_is_stored_once_listed_once_and_other_content_is_a_conflict(start: Start) -> None:
    one = start()
    data = archive(files={"a": os.urandom(1000)})
    first = one.put("ep-1", data)
    assert first.status == 201, first.body
    again = one.put("ep-1", data)
    assert (again.status, again.json) == (200, first.json)
    other = one.put("ep-1", archive(files={"a": b"x"}))
    assert (other.status, other.code) == (409, "conflict")
    assert one.request("GET", "/v1/episodes/ep-1").json == first.json
    assert one.put("ep-2", data).code == "wrong_root"
    assert one.request("GET", "/v1/episodes/ep-2").status == 404
    (row,) = [json.loads(line) for line in one.run("index", "export").stdout.splitlines()]
    assert list(row) == [*list(first.json)[:-1], "source"]
    assert {**row, "receiver": "hub"} == {**first.json, "source": "put"}
    assert one.verb("verify", "--deep") == (0, {"episodes": 1, "bytes": len(data), "broken": []})
    code, report = one.verb("backfill")
    assert (code, report["rows"], report["added"], report["broken"]) == (0, 1, 0, [])
    assert "dce_receive_store_episodes 1.0" in one.admin("/metrics").body.decode()
    assert one.admin("/healthz").body == b"ok\n"


@pytest.mark.soak
def test_large_episodes_go_in_parts(start: Start) -> None:
    one = start()
    data = archive(files={"a": os.urandom(2 * PART + 12345)})
    assert one.put("ep-1", data).status == 201
    damaged = data[:-9] + b"123456789"
    assert one.put("ep-2", damaged, {"Repr-Digest": offer_headers(data)["Repr-Digest"]}).code == "digest_mismatch"
    assert one.verb("verify", "--deep")[1] == {"episodes": 1, "bytes": len(data), "broken": []}


def test_an_upload_goes_on_after_kill_and_restart(start: Start) -> None:
    one = start()
    data = archive(files={"a": os.urandom(2 * PART + 12345)})
    path = created(one, data)
    told = int(patched(one, path, 0, data[: PART + 1000]).headers["upload-offset"])
    assert PART <= told <= PART + 1000
    one.kill()
    one.start()
    offset = int(one.request("HEAD", path).headers["upload-offset"])
    assert offset == told
    done = patched(one, path, offset, data[offset:], last=True)
    assert (done.status, done.headers["upload-complete"]) == (201, "?1"), done.body
    assert one.request("HEAD", path).headers["upload-complete"] == "?1"
    assert patched(one, path, len(data), b"", last=True).json == done.json
    assert one.verb("verify", "--deep")[1] == {"episodes": 1, "bytes": len(data), "broken": []}


@pytest.mark.soak
def test_an_upload_that_is_not_what_was_promised_is_refused_and_forgotten(start: Start) -> None:
    one = start()
    data = archive(files={"a": os.urandom(PART + 12345)})
    path = created(one, data)
    patched(one, path, 0, data[:PART])
    one.kill()
    one.start()
    answer = patched(one, path, PART, data[PART:-3] + b"xyz", last=True)
    assert (answer.status, answer.code) == (400, "digest_mismatch")
    assert one.request("HEAD", path).status == 404
    assert one.request("GET", "/v1/episodes/ep-1").status == 404


@pytest.mark.soak
def test_tokens_are_seen_and_revoked(start: Start) -> None:
    one = start()
    code, told = one.verb("token", "add", "lab-2")
    assert code == 0
    await_status(lambda: one.request("POST", "/v1/ping", token=told["token"]).status, 200)
    assert one.verb("token", "revoke", told["token_id"])[0] == 0
    await_status(lambda: one.request("POST", "/v1/ping", token=told["token"]).status, 401)
    assert [each["host_id"] for each in one.verb("token", "list")[1]["tokens"]] == ["lab-1"]


def test_a_token_that_is_not_there_is_answered_with_those_that_are(start: Start) -> None:
    one = start()
    done = one.run("token", "revoke", "zzzzzzzz")
    assert (done.returncode, one.token.split("_")[1] in done.stderr) == (5, True), done.stderr


def test_a_second_request_for_an_id_is_423_and_the_id_is_free_when_the_first_is_killed(start: Start) -> None:
    one = start()
    data = archive(files={"a": os.urandom(50_000)})
    lines = [f"{name}: {value}" for name, value in offer_headers(data).items()]
    first = ["PUT /v1/episodes/ep-1 HTTP/1.1", "Host: x", f"Authorization: Bearer {one.token}", *lines]
    with one.connect() as slow:
        slow.sendall("\r\n".join([*first, f"Content-Length: {len(data)}", "", ""]).encode() + data[:100])
        one.await_running(1)
        wrong = {"Repr-Digest": offer_headers(b"")["Repr-Digest"]}  # so that no try before the lock stores anything
        await_status(lambda: one.put("ep-1", data, wrong).status, 423)
        one.kill()
    one.start()
    assert when_free(lambda: one.put("ep-1", data)).status == 201


@pytest.mark.parametrize("start", ["s3"], indirect=True)
def test_two_receivers_share_all_they_know(start: Start) -> None:
    one, two = start(), start()
    data = archive(files={"a": os.urandom(2 * PART + 999)})
    assert one.put("ep-1", archive()).status == 201
    assert two.put("ep-1", archive()).status == 200
    assert two.put("ep-1", archive(files={"b": b""})).status == 409
    path = created(one, data, "ep-2")
    offset = int(patched(one, path, 0, data[: PART + 5]).headers["upload-offset"])
    one.kill()
    assert int(two.request("HEAD", path).headers["upload-offset"]) == offset
    done = when_free(lambda: patched(two, path, offset, data[offset:], last=True))
    assert done.code == "wrong_root"
    path = created(two, data, "ep-1b")
    assert two.request("GET", "/v1/episodes/ep-1").status == 200


@pytest.mark.parametrize("start", ["s3"], indirect=True)
def test_one_of_two_receivers_killed_in_a_piece_the_other_goes_on(start: Start) -> None:
    one, two = start(), start()
    data = archive(files={"a": os.urandom(3 * PART + 999)})
    path = created(one, data)
    offset = int(patched(one, path, 0, data[:PART]).headers["upload-offset"])
    with one.connect() as connection:
        head = [f"PATCH {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {one.token}"]
        head += [f"{name}: {value}" for name, value in piece(offset, last=True).items()]
        rest = data[offset:]
        connection.sendall("\r\n".join([*head, f"Content-Length: {len(rest)}", "", ""]).encode() + rest[: PART + MIB])
        await_status(lambda: two.put("ep-1", data).status, 423)
        one.kill()
    await_status(lambda: two.request("HEAD", path).status, 204)
    offset = int(two.request("HEAD", path).headers["upload-offset"])
    assert offset >= PART
    done = when_free(lambda: patched(two, path, offset, data[offset:], last=True))
    assert done.status == 201, done.body
    assert two.verb("verify", "--deep")[1] == {"episodes": 1, "bytes": len(data), "broken": []}


@pytest.mark.parametrize("start", ["s3"], indirect=True)
def test_a_race_of_two_receivers_stores_one_of_two_contents(start: Start) -> None:
    receivers = [start(), start()]
    contents = [archive(files={"a": os.urandom(200_000)}) for _ in receivers]
    answers: list[Answer] = []

    def send(one: Receiver, data: bytes) -> None:
        for _ in range(100):
            answer = one.put("ep-1", data)
            if answer.status != 423:
                answers.append(answer)
                return
            time.sleep(0.05)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(receivers, contents, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.status for answer in answers) == [201, 409]
    assert receivers[0].verb("verify", "--deep")[1]["broken"] == []


@pytest.mark.parametrize("start", ["s3"], indirect=True)
def test_rows_that_are_lost_are_made_again_from_the_bucket(
    start: Start, postgres: Postgres, request: pytest.FixtureRequest
) -> None:
    one = start()
    receipts = [one.put(f"ep-{number}", archive(f"ep-{number}")).json for number in range(3)]
    dsn = one.environment["DSN"]
    postgres.sql("DELETE FROM episodes WHERE id <> 'ep-0'", database=dsn.rpartition("=")[2])
    code, report = one.verb("backfill")
    assert (code, report["rows"], report["added"]) == (0, 3, 2)
    assert [one.request("GET", f"/v1/episodes/ep-{number}").json for number in range(3)] == receipts
    assert one.put("ep-1", archive("ep-1")).status == 200


@pytest.mark.parametrize("start", ["s3"], indirect=True)
def test_the_parts_of_a_put_that_was_killed_are_swept_and_those_of_an_upload_that_waits_are_not(
    start: Start, seaweed: SeaweedFS
) -> None:
    one = start()
    bucket = Bucket(seaweed.place(seaweed.buckets[-1]))
    data = archive(files={"a": os.urandom(2 * PART + 12345)})
    path = created(one, data, "ep-2")
    told = int(patched(one, path, 0, data[: PART + 5]).headers["upload-offset"])
    lines = [f"{name}: {value}" for name, value in offer_headers(data).items()]
    head = ["PUT /v1/episodes/ep-1 HTTP/1.1", "Host: x", f"Authorization: Bearer {one.token}", *lines]
    with one.connect() as slow:
        slow.sendall("\r\n".join([*head, f"Content-Length: {len(data)}", "", ""]).encode() + data[: PART + MIB])
        await_status(lambda: len(list(bucket.unfinished("lab/"))), 2)
        one.kill()
    one.limits = "incoming_keep_s = 0"
    one.start()
    (left,) = bucket.unfinished("lab/")
    assert left.key.startswith("lab/incoming/")
    assert int(one.request("HEAD", path).headers["upload-offset"]) == told
    assert one.put("ep-1", data).status == 201


@pytest.mark.parametrize("start", ["s3"], indirect=True)
def test_what_the_table_lacks_is_counted(start: Start, postgres: Postgres) -> None:
    one = start()
    for number in range(3):
        assert one.put(f"ep-{number}", archive(f"ep-{number}")).status == 201
    postgres.sql("DELETE FROM episodes WHERE id <> 'ep-0'", database=one.environment["DSN"].rpartition("=")[2])
    assert "dce_receive_index_missing 2.0" in one.admin("/metrics").body.decode()


def created(one: Receiver, data: bytes, episode_id: str = "ep-1") -> str:
    headers = {**offer_headers(data), "Upload-Complete": "?0", "Upload-Length": str(len(data)), "Content-Length": "0"}
    made = one.request("POST", f"/v1/episodes/{episode_id}/uploads", headers)
    assert made.status == 201, made.body
    return made.headers["location"]


def piece(offset: int, *, last: bool) -> dict[str, str]:
    return {
        "Content-Type": "application/partial-upload",
        "Upload-Offset": str(offset),
        "Upload-Complete": "?1" if last else "?0",
    }


def patched(one: Receiver, path: str, offset: int, data: bytes, *, last: bool = False) -> Answer:
    return one.request("PATCH", path, piece(offset, last=last), data, timeout_s=60)


def when_free(send: Callable[[], Answer]) -> Answer:
    """Send until nobody else has the id: a database sees a moment later that who held it was killed."""
    deadline = time.monotonic() + 30
    while (answer := send()).status == 423:
        assert time.monotonic() < deadline, "the id is never free"
        time.sleep(0.05)
    return answer


def await_status(ask: Callable[[], int], wanted: int) -> None:
    deadline = time.monotonic() + 15
    while (status := ask()) != wanted:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
