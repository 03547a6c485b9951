"""Resumable uploads: what was told to be stored is not sent again, over cuts and restarts."""

import os
from pathlib import Path

import pytest

from tests.support.fault_proxy import fault_proxy
from tests.support.lab_hosts import LabHost, lab_host, outcomes, ship
from tests.support.stand_in_receiver import Canned, StandIn

SIZE = 2_000_000
IN_PIECES = "[resume]\nabove = 1000\nchunk = 250000\n"


@pytest.fixture
def host(tmp_path: Path, receiver: StandIn) -> LabHost:
    found = lab_host(tmp_path, receiver.url, receiver=IN_PIECES)
    found.episode("one", files={"a": os.urandom(SIZE)})
    return found


@pytest.mark.contract("S17")
def test_a_large_archive_goes_in_pieces_and_a_small_one_in_one(host: LabHost, receiver: StandIn) -> None:
    host.receiver = "[resume]\nabove = 1000000\nchunk = 250000\n"
    host.write_config()
    host.episode("small")
    assert {each[0] for each in outcomes(ship(host)).values()} == {"stored"}
    assert receiver.methods("small") == ["PUT"]
    assert receiver.methods("/one") == ["POST"]
    assert len(receiver.methods("/v1/uploads/0")) == -(-len(receiver.archives["one"]) // 250_000)


@pytest.mark.contract("S17")
def test_a_piece_is_never_larger_than_the_receiver_takes(host: LabHost, receiver: StandIn) -> None:
    host.receiver = "[resume]\nabove = 0\n"
    host.write_config()
    ship(host)
    sizes = [int(each["content-length"]) for each in receiver.headers if "upload-offset" in each]
    assert max(sizes) == 300_000


@pytest.mark.contract("S17")
def test_a_cut_upload_goes_on_where_the_receiver_says_in_another_process(host: LabHost, receiver: StandIn) -> None:
    with fault_proxy(int(receiver.url.rpartition(":")[2])) as proxy:
        proxy.reset_after_bytes = 1_500_000
        host.url = f"http://127.0.0.1:{proxy.port}"
        host.write_config()
        assert host.run("ship", "once").returncode == 1
        assert "one.upload.json" in host.where()["outbox"]
        proxy.reset_after_bytes = None
        before = proxy.sent_bytes
        assert host.run("ship", "once").returncode == 0
        assert proxy.sent_bytes - before < SIZE - 1_400_000 + 300_000
    assert receiver.methods("/uploads").count("POST") == 1
    assert host.where()["outbox"] == []


@pytest.mark.contract("S17")
@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_receiver_without_uploads_gets_a_plain_put(host: LabHost, receiver: StandIn, status: int) -> None:
    receiver.answer = lambda method, *_: Canned(status=status) if method == "POST" else None
    assert outcomes(ship(host)) == {"one": ("stored", 201, "")}
    assert receiver.methods() == ["POST", "PUT"]


@pytest.mark.contract("S17")
@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_the_receiver_forgot_is_created_anew(host: LabHost, receiver: StandIn, status: int) -> None:
    receiver.answer = lambda method, _path, count: Canned(status=500) if method == "PATCH" and count == 3 else None
    assert outcomes(ship(host))["one"][0] == "retry"
    receiver.uploads.clear()
    receiver.uploads["gone"] = {}
    receiver.answer = lambda _method, path, _count: Canned(status=status) if path.endswith("/0") else None
    assert outcomes(ship(host)) == {"one": ("stored", 201, "")}


@pytest.mark.contract("S17")
def test_a_wrong_offset_is_put_right_by_asking(host: LabHost, receiver: StandIn) -> None:
    def lose_some(method: str, path: str, count: int) -> None:
        if method == "PATCH" and count == 2:
            receiver.uploads[path]["data"] = receiver.uploads[path]["data"][:100]

    receiver.answer = lose_some
    assert outcomes(ship(host)) == {"one": ("stored", 201, "")}


@pytest.mark.contract("S17")
@pytest.mark.parametrize("location", ["http://evil.example/v1/uploads/1", "", "//evil.example/x", "no/slash"])
def test_an_upload_elsewhere_gets_no_token(host: LabHost, receiver: StandIn, location: str) -> None:
    receiver.answer = lambda method, *_: (
        Canned(status=201, headers={"Location": location}) if method == "POST" else None
    )
    assert outcomes(ship(host))["one"][0] == "retry"
    assert receiver.methods() == ["POST"]


@pytest.mark.contract("S17")
@pytest.mark.parametrize(
    ("status", "outcome"), [(409, "quarantined"), (422, "quarantined"), (412, "quarantined"), (503, "retry")]
)
def test_a_refusal_at_the_creation_counts_as_a_puts(
    host: LabHost, receiver: StandIn, status: int, outcome: str
) -> None:
    receiver.answer = lambda method, *_: Canned(status=status) if method == "POST" else None
    assert outcomes(ship(host))["one"][0] == outcome
    assert receiver.methods() == ["POST"]


@pytest.mark.contract("S17")
def test_an_upload_that_goes_nowhere_ends(host: LabHost, receiver: StandIn) -> None:
    kind = b'{"type": "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"}'
    receiver.answer = lambda method, *_: (
        Canned(status=409, body=kind, headers={"Upload-Offset": "0"}) if method == "PATCH" else None
    )
    assert outcomes(ship(host))["one"][0] == "retry"
    assert len(receiver.requests) < 30
