"""Shipper and receiver, both real, over mutual TLS: who is believed, and how a refusal is told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tests.support.lab_hosts import LabHost, lab_host
from tests.support.processes import eventually
from tests.support.real_receiver import HOST, Certificates, Receiver, real_receiver


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    folder = tmp_path_factory.mktemp("receiver")
    found = real_receiver(folder, tls=Certificates(folder=folder))
    with found.running():
        yield found


@pytest.fixture(scope="module")
def token(receiver: Receiver) -> str:
    return receiver.token()


@pytest.fixture
def host(tmp_path: Path, receiver: Receiver, token: str) -> LabHost:
    assert receiver.tls is not None
    found = lab_host(tmp_path, receiver.url)
    use(found, receiver.tls.write(tmp_path.name, HOST), receiver.folder / "ca.pem")
    (tmp_path / "token").write_text(token)
    return found


def use(host: LabHost, cert: Path | None, ca: Path) -> None:
    token = (host.folder / "token").read_text() if (host.folder / "token").exists() else ""
    files = f'cert = "{cert}"\nkey = "{cert.with_suffix(".key")}"\n' if cert else ""
    host.receiver = f'ca = "{ca}"\n{files}'
    host.write_config()
    (host.folder / "token").write_text(token)


@pytest.mark.contract("S7")
def test_episodes_go_over_mutual_tls_and_a_ping_proves_it(host: LabHost, receiver: Receiver) -> None:
    ping = host.json("ship", "ping", code=0)
    assert ping["problem"] is None
    assert ping["receiver"]["you"]["host_id"] == HOST
    host.episode("good")
    assert host.json("ship", "once", code=0)["counts"]["stored"] == 1
    assert "good" in receiver.stored()


@pytest.mark.contract("S14")
@pytest.mark.parametrize("which", ["none", "wrong CA", "expired"])
def test_a_refused_client_certificate_is_told_with_its_subject_and_end(
    host: LabHost, receiver: Receiver, which: str, tmp_path: Path
) -> None:
    assert receiver.tls is not None
    mine = Certificates(folder=tmp_path, ca=receiver.tls.ca)
    cert = {
        "none": None,
        "wrong CA": lambda: mine.write("wrong", HOST, ca=trustme.CA()),
        "expired": lambda: mine.expired("expired", HOST),
    }[which]
    path = cert() if cert else None
    use(host, path, receiver.folder / "ca.pem")
    ping = host.json("ship", "ping", code=7)
    assert ping["problem"]["code"] == "tls_client_refused", ping
    if path is not None:
        assert str(path) in ping["problem"]["what"]
        assert HOST in ping["problem"]["what"]
    if which == "expired":
        assert "2021-01-01T00:00:00Z" in ping["problem"]["what"]
    host.episode("refused")
    assert host.json("ship", "once", code=1)["counts"]["quarantined"] == 0
    assert host.where()["episodes"] == ["refused"]


@pytest.mark.contract("S7")
def test_a_receiver_that_we_do_not_trust_is_told(host: LabHost, receiver: Receiver, tmp_path: Path) -> None:
    assert receiver.tls is not None
    other = receiver.tls.write_ca("other-ca", ca=trustme.CA())
    use(host, receiver.tls.write("client-2", HOST), other)
    ping = host.json("ship", "ping", code=1)
    assert ping["problem"]["code"] == "tls_server_untrusted"
    host.episode("one")
    assert host.json("ship", "once", code=1)["paused"] == "unreachable"


@pytest.mark.contract("S7")
def test_a_token_that_nobody_knows_is_told(host: LabHost) -> None:
    (host.folder / "token").write_text("dcp_00000000_" + "0" * 64)
    ping = host.json("ship", "ping", code=7)
    assert ping["problem"]["code"] == "auth"
    assert ping["problem"]["fix"] == [
        "dce-play receive token add lab-1   # at the receiver, for receiver.token = file:token"
    ]
    assert ping["receiver"] is None


@pytest.mark.contract("S7")
def test_a_receiver_that_is_not_there_is_told_and_nothing_is_written(host: LabHost) -> None:
    host.url = "https://localhost:1"
    host.config.write_text(
        host.config.read_text().replace(host.config.read_text().split('url = "')[1].split('"')[0], host.url)
    )
    before = sorted(host.data.rglob("*"))
    assert host.json("ship", "ping", code=1)["problem"]["code"] == "unreachable"
    assert sorted(host.data.rglob("*")) == before


@pytest.mark.contract("S11")
def test_a_renewed_certificate_is_taken_without_a_restart(host: LabHost, receiver: Receiver, tmp_path: Path) -> None:
    from tests.e2e.shipping.test_run import log_of, service

    assert receiver.tls is not None
    mine = Certificates(folder=tmp_path, ca=receiver.tls.ca)
    use(host, mine.expired("mine", HOST), receiver.folder / "ca.pem")
    host.config.write_text(
        "scan_interval_s = 0.1\n" + host.config.read_text() + "[retry]\nbase_s = 0.05\ncap_s = 0.1\n"
    )
    host.episode("renewed")
    with service(host):
        assert eventually(lambda: "outcome=retry" in log_of(host))
        mine.write("mine", HOST, not_after=datetime(2099, 1, 1, tzinfo=UTC))
        assert eventually(lambda: "renewed" in receiver.stored())
    assert "quarantined" not in log_of(host).replace("quarantined=0", "")


@pytest.mark.contract("S11")
@pytest.mark.parametrize("spoil", ["key of another", "no key", "unreadable text", "no ca"])
def test_certificates_that_cannot_be_used_end_it_before_it_begins(
    host: LabHost, receiver: Receiver, tmp_path: Path, spoil: str
) -> None:
    assert receiver.tls is not None
    mine = Certificates(folder=tmp_path, ca=receiver.tls.ca)
    cert = mine.write("mine", HOST)
    ca = receiver.folder / "ca.pem"
    if spoil == "key of another":
        other = mine.write("other", HOST)
        cert.with_suffix(".key").write_bytes(other.with_suffix(".key").read_bytes())
    elif spoil == "no key":
        cert.with_suffix(".key").unlink()
    elif spoil == "unreadable text":
        cert.with_suffix(".key").write_text("hello")
    else:
        ca = tmp_path / "missing.pem"
    use(host, cert, ca)
    for verb in ("run", "once", "ping"):
        said = host.run("ship", verb)
        assert said.returncode == 4, said.stderr
        assert str(tmp_path) in said.stderr
