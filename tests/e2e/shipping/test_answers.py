"""What each answer of a receiver does to an episode. The receiver is a stand-in over real HTTP."""

import json
from pathlib import Path

import pytest

from dce_play.transfer.sending.connection.answer import LARGEST_BODY
from tests.support.lab_hosts import COMMIT, LabHost, lab_host, outcomes, ship
from tests.support.stand_in_receiver import TOKEN, Canned, StandIn


def reason(host: LabHost, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((host.data / "quarantine" / name / "quarantine_reason.json").read_text())
    return found


@pytest.mark.contract("S1", "S2")
def test_episodes_are_sent_oldest_first_and_retired_with_their_receipts(host: LabHost, receiver: StandIn) -> None:
    for name in ("second", "first"):
        host.episode(name)
    newer = (host.data / "episodes" / "first" / "meta.json").stat().st_mtime_ns
    import os

    os.utime(host.data / "episodes" / "first" / "meta.json", ns=(newer - 10**10, newer - 10**10))
    assert outcomes(ship(host)) == {"first": ("stored", 201, ""), "second": ("stored", 201, "")}
    assert [path for _, path in receiver.requests] == ["/v1/episodes/first", "/v1/episodes/second"]
    assert host.where() == {
        "episodes": [],
        "outbox": [],
        "quarantine": [],
        "shipped": ["first", "first.receipt.json", "second", "second.receipt.json"],
    }
    assert json.loads((host.data / "shipped" / "first.receipt.json").read_text()) == receiver.stored["first"]


@pytest.mark.contract("S3")
@pytest.mark.parametrize("status", [400, 411, 412, 413, 415, 422])
@pytest.mark.parametrize("with_body", [True, False])
def test_what_is_fatal_goes_to_quarantine_and_is_never_sent_again(
    host: LabHost, receiver: StandIn, status: int, with_body: bool
) -> None:
    canned = Canned.problem(status, "some_code", detail="no") if with_body else Canned(status=status, body=b"<html>")
    receiver.answer = lambda *_: canned
    host.episode("one")
    code = "some_code" if with_body else f"http_{status}"
    assert outcomes(ship(host)) == {"one": ("quarantined", status, code)}
    assert reason(host, "one")["reason"] == code
    assert host.where()["outbox"] == []
    ship(host)
    assert len(receiver.requests) == 1


@pytest.mark.contract("S3")
def test_a_conflict_is_quarantined_with_both_digests(host: LabHost, receiver: StandIn) -> None:
    receiver.stored["one"] = {"id": "one", "manifest_digest": "sha256:other"}
    host.episode("one")
    assert outcomes(ship(host)) == {"one": ("quarantined", 409, "conflict")}
    found = reason(host, "one")
    assert found["theirs"] == "sha256:other"
    assert str(found["manifest_digest"]).startswith("sha256:")
    assert receiver.stored["one"]["manifest_digest"] == "sha256:other"


@pytest.mark.contract("S2")
@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    "body", [b"<html>welcome</html>", b"", b"[]", b'{"id": "two", "manifest_digest": "x"}', b'{"id": "one"}']
)
def test_a_success_without_our_receipt_is_tried_again(
    host: LabHost, receiver: StandIn, status: int, body: bytes
) -> None:
    receiver.answer = lambda method, *_: Canned(status=status, body=body) if method == "PUT" else None
    host.episode("one")
    assert outcomes(ship(host)) == {"one": ("retry", status, "no_receipt")}
    assert host.where()["episodes"] == ["one"]


@pytest.mark.contract("S2")
def test_an_answer_without_an_end_is_none(host: LabHost, receiver: StandIn) -> None:
    receiver.answer = lambda *_: Canned(status=201, body=b"x" * 3_000_000)
    host.episode("one")
    assert outcomes(ship(host)) == {"one": ("retry", 0, "half_answer")}


@pytest.mark.contract("S2")
@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_is_so_large_at_most(host: LabHost, receiver: StandIn, more: int) -> None:
    receiver.answer = lambda *_: Canned(status=503, body=b"x" * (LARGEST_BODY + more))
    host.episode("one")
    assert outcomes(ship(host)) == {"one": ("retry", 0, "half_answer") if more else ("retry", 503, "http_503")}


@pytest.mark.contract("S2")
def test_a_receipt_for_other_content_is_quarantined(host: LabHost, receiver: StandIn) -> None:
    body = json.dumps({"id": "one", "manifest_digest": "sha256:0"}).encode()
    receiver.answer = lambda *_: Canned(status=201, body=body)
    host.episode("one")
    assert outcomes(ship(host)) == {"one": ("quarantined", 201, "integrity")}
    assert reason(host, "one")["theirs"] == "sha256:0"


@pytest.mark.contract("S3")
@pytest.mark.parametrize("status", [408, 423, 425, 429, 500, 502, 503, 507, 301, 307, 404, 405, 418])
def test_what_may_pass_is_tried_again_and_nothing_is_lost(host: LabHost, receiver: StandIn, status: int) -> None:
    receiver.answer = lambda *_: Canned(status=status, headers={"Location": "http://127.0.0.1:1/elsewhere"})
    host.episode("one")
    assert outcomes(ship(host)) == {"one": ("retry", status, f"http_{status}")}
    assert host.where()["outbox"] == ["one.pack.json", "one.tar.zst"]
    receiver.answer = lambda *_: None
    assert outcomes(ship(host))["one"][0] == "stored"


@pytest.mark.contract("S3")
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_stops_the_pass_and_quarantines_nothing(host: LabHost, receiver: StandIn, status: int) -> None:
    receiver.answer = lambda *_: Canned.problem(status, "unauthorised")
    for name in ("one", "two", "three"):
        host.episode(name)
    done = host.json("ship", "once", code=7)
    assert done["paused"] == "auth"
    assert done["counts"]["quarantined"] == 0
    assert len(receiver.requests) == 1
    assert host.json("ship", "status", code=0)["paused"] == "auth"
    receiver.answer = lambda *_: None
    assert host.json("ship", "once", code=0)["counts"]["stored"] == 3
    assert host.json("ship", "status", code=0)["paused"] is None


@pytest.mark.contract("S3")
def test_three_failures_in_a_row_end_the_pass_and_another_answer_ends_the_row(host: LabHost, receiver: StandIn) -> None:
    statuses = {"a": 503, "b": 429, "c": 500, "d": 503, "e": 429, "f": 0, "g": 201}

    def answer(_method: str, path: str, _count: int) -> Canned | None:
        status = statuses[path[-1]]
        return Canned(status=status, cut=not status)

    receiver.answer = answer
    for name in statuses:
        host.episode(name)
    done = ship(host)
    assert list(outcomes(done)) == ["a", "b", "c", "d", "e", "f"]
    assert done.paused == "unreachable"


@pytest.mark.contract("S3")
def test_a_receiver_that_is_not_there_stops_the_pass_at_once(tmp_path: Path) -> None:
    host = lab_host(tmp_path, "http://127.0.0.1:1")
    host.episode("one")
    host.episode("two")
    done = host.json("ship", "once", code=1)
    assert done["paused"] == "unreachable"
    assert [(each["id"], each["http"], each["code"]) for each in done["episodes"]] == [("one", 0, "refused")]


@pytest.mark.contract("S7")
def test_with_nothing_to_send_nobody_is_contacted(tmp_path: Path) -> None:
    host = lab_host(tmp_path, "http://127.0.0.1:1")
    (host.data / "episodes" / "unfinished").mkdir()
    done = host.json("ship", "once", code=0)
    assert done["counts"]["waiting"] == 1
    assert done["paused"] is None


@pytest.mark.contract("S2")
def test_a_lost_acknowledgement_needs_no_second_body(host: LabHost, receiver: StandIn) -> None:
    receiver.lose_answers = True
    host.episode("one")
    assert outcomes(ship(host))["one"][0] == "retry"
    receiver.lose_answers = False
    assert outcomes(ship(host)) == {"one": ("duplicate", 200, "")}
    assert receiver.methods("one") == ["PUT", "HEAD", "GET"]
    assert host.where()["shipped"] == ["one", "one.receipt.json"]


@pytest.mark.contract("S2")
def test_without_the_receipt_behind_a_head_the_episode_stays_packed(host: LabHost, receiver: StandIn) -> None:
    receiver.lose_answers = True
    host.episode("one")
    ship(host)
    receiver.lose_answers = False
    receiver.answer = lambda method, *_: Canned(status=200, body=b"<html>") if method == "GET" else None
    assert outcomes(ship(host)) == {"one": ("retry", 200, "no_receipt")}
    assert host.where()["outbox"] == ["one.pack.json", "one.tar.zst"]


@pytest.mark.contract("S3")
def test_damage_on_the_way_is_tried_three_times(host: LabHost, receiver: StandIn) -> None:
    receiver.answer = lambda method, *_: Canned.problem(400, "digest_mismatch") if method == "PUT" else None
    host.episode("one")
    got = [outcomes(ship(host))["one"][0] for _ in range(3)]
    assert got == ["retry", "retry", "quarantined"]
    assert reason(host, "one")["reason"] == "digest_mismatch"


@pytest.mark.contract("S3", "S9")
def test_an_unstamped_episode_is_sent_without_the_header_and_the_fix_is_told(
    host: LabHost, receiver: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.commits = set()
    for name in ("stamped-1", "stamped-2"):
        host.episode(name)
    host.episode("unstamped", commit=None)
    host.episode("upper", commit="A" * 40)
    ship(host)
    codes = {name: reason(host, name)["reason"] for name in host.where()["quarantine"]}
    refused = "commit_not_in_window"
    assert codes == {
        "stamped-1": refused,
        "stamped-2": refused,
        "unstamped": "missing_commit",
        "upper": "missing_commit",
    }
    sent = [headers.get("x-cis490-code-commit") for headers in receiver.headers]
    assert sent == [COMMIT, COMMIT, None, None]
    told = [line for line in capfd.readouterr().err.splitlines() if line.startswith("ship.fix")]
    assert told == ["ship.fix cd /opt/x && git pull", "ship.fix restart it", "ship.fix update me"]


@pytest.mark.contract("S4")
def test_a_held_commit_waits_untried_until_the_gate_takes_it(tmp_path: Path, receiver: StandIn) -> None:
    host = lab_host(tmp_path, receiver.url, more='on_gate = "hold"')
    receiver.commits = {"b2" * 20}
    host.episode("old-1")
    host.episode("old-2")
    host.episode("new", commit="b2" * 20)
    assert outcomes(ship(host)) == {
        "old-1": ("held", 412, "commit_not_in_window"),
        "old-2": ("held", 0, "commit_not_in_window"),
        "new": ("stored", 201, ""),
    }
    assert host.json("ship", "once", code=1)["counts"]["held"] == 2
    assert receiver.methods("old") == ["PUT"]
    receiver.commits.add(COMMIT)
    assert host.json("ship", "once", code=0)["counts"]["stored"] == 2
    assert host.where()["quarantine"] == []


@pytest.mark.contract("S8")
def test_a_token_is_nowhere_but_in_the_header(host: LabHost, receiver: StandIn) -> None:
    receiver.answer = lambda *_: Canned.problem(422, "bad_meta", detail=f"you sent {TOKEN}", fix=[f"echo {TOKEN}"])
    host.episode("one")
    host.more = "metrics_file = 'metrics.prom'"
    host.write_config()
    said = host.run("ship", "once", "--format", "json")
    secret = TOKEN.rpartition("_")[2]
    assert receiver.headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert secret not in said.stdout + said.stderr
    for path in tmp_files(host.folder):
        assert secret.encode() not in path.read_bytes(), path


def tmp_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "token"]
