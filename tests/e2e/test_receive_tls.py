"""Mutual TLS at a real receiver: whose certificate is believed, and certificates renewed while it serves."""

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.support.receiver import OPEN, Receiver, archive

RENEWED_WITHIN_S = 10.0


def write_server(folder: Path, authority: trustme.CA, clients: trustme.CA) -> None:
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    clients.cert_pem.write_to_path(folder / "ca.pem")


def client(
    authority: trustme.CA, clients: trustme.CA, *names: str, common: str | None = None, ends: datetime | None = None
) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if names or common:
        clients.issue_cert(*names, common_name=common, not_after=ends).configure_cert(context)
    return context


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def receiver(tmp_path: Path, authority: trustme.CA) -> Iterator[Receiver]:
    write_server(tmp_path, authority, authority)
    tls = '[tls]\ncert = "cert.pem"\nkey = "key.pem"\nclient_ca = "ca.pem"\n'
    with Receiver(folder=tmp_path, tls=tls, config=OPEN) as running:
        yield running


@pytest.mark.contract("V1", "V7")
def test_certificate_and_token_must_name_one_host(receiver: Receiver, authority: trustme.CA) -> None:
    good = client(authority, authority, "LAB-1")
    answer = receiver.put("ep-1", archive(), context=good)
    assert (answer.status, answer.json["host_id"]) == (201, "lab-1")
    you = receiver.request("POST", "/v1/ping", context=good).json["you"]
    assert you["host_id"] == "lab-1"
    assert datetime.fromisoformat(you["cert_not_after"]) > datetime.now(UTC)
    assert you["cert_subject"]
    by_common_name = client(authority, authority, common="lab-1")
    assert receiver.request("POST", "/v1/ping", context=by_common_name).status == 200
    for names in (["lab-2"], ["lab-1", "lab-2"], ["*.lab-1"]):
        refused = receiver.put("ep-2", archive("ep-2"), context=client(authority, authority, *names))
        assert (refused.status, refused.code) == (403, "host_mismatch"), names
    other_name = client(authority, authority, "lab-2", common="lab-1")
    assert receiver.request("POST", "/v1/ping", context=other_name).code == "host_mismatch"
    other = receiver.add_token("lab-2")
    assert receiver.request("POST", "/v1/ping", token=other, context=good).code == "host_mismatch"
    assert [row["id"] for row in receiver.rows()] == ["ep-1"]


@pytest.mark.contract("V1")
def test_without_a_certificate_of_our_ca_nothing_is_answered(receiver: Receiver, authority: trustme.CA) -> None:
    stranger = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for context in (
        client(authority, authority),
        client(authority, stranger, "lab-1"),
        client(authority, authority, "lab-1", ends=yesterday),
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            receiver.request("POST", "/v1/ping", context=context)
    assert receiver.request("POST", "/v1/ping", context=client(authority, authority, "lab-1")).status == 200


@pytest.mark.contract("V1")
def test_renewed_files_are_used_for_new_handshakes_and_bad_ones_are_not(
    receiver: Receiver, authority: trustme.CA, tmp_path: Path
) -> None:
    old = client(authority, authority, "lab-1")
    assert receiver.request("POST", "/v1/ping", context=old).status == 200
    (tmp_path / "key.pem").write_text("no key")
    time.sleep(1.2)
    assert receiver.request("POST", "/v1/ping", context=old).status == 200
    fresh = trustme.CA()
    write_server(tmp_path, fresh, fresh)
    new = client(fresh, fresh, "lab-1")
    deadline = time.monotonic() + RENEWED_WITHIN_S
    while True:
        try:
            assert receiver.request("POST", "/v1/ping", context=new).status == 200
            break
        except (ssl.SSLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        receiver.request("POST", "/v1/ping", context=client(fresh, authority, "lab-1"))
    assert "receive.tls_not_renewed" in receiver.log()


@pytest.mark.contract("V7")
def test_a_proxys_header_is_believed_from_this_machine_only_when_it_names_one_host(tmp_path: Path) -> None:
    config = '[proxy]\nhost_header = "X-Client-Host"\n' + OPEN
    with Receiver(folder=tmp_path, config=config) as running:
        assert running.request("POST", "/v1/ping", {"X-Client-Host": "Lab-1"}).status == 200
        assert running.request("POST", "/v1/ping").code == "host_mismatch"
        assert running.request("POST", "/v1/ping", {"X-Client-Host": "lab-2"}).code == "host_mismatch"
        twice = (
            f"POST /v1/ping HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.token}\r\nConnection: close\r\n"
            "X-Client-Host: lab-1\r\nX-Client-Host: lab-2\r\nContent-Length: 0\r\n\r\n"
        )
        assert b"host_mismatch" in running.raw(twice.encode())


def test_files_of_tls_that_do_not_belong_together_stop_the_start(tmp_path: Path, authority: trustme.CA) -> None:
    write_server(tmp_path, authority, authority)
    authority.issue_cert("x").private_key_pem.write_to_path(tmp_path / "key.pem")
    tls = '[tls]\ncert = "cert.pem"\nkey = "key.pem"\nclient_ca = "ca.pem"\n'
    receiver = Receiver(folder=tmp_path, tls=tls)
    receiver.write_config()
    done = receiver.run("run")
    assert done.returncode == 4, done.stderr
    assert "key.pem" in done.stderr
