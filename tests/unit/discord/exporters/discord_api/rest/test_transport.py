"""Tests of where requests may go."""

import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dce_play.discord.exporters.discord_api.rest.transport import BadApiBase, check_api_base


@pytest.mark.parametrize(
    "base_url",
    [
        "https://discord.com/api/v10",
        "https://discord.com/api/v10/",
        "http://127.0.0.1:8080/api",
        "http://127.1.2.3/api",
        "http://[::1]:8080/api",
        "http://localhost/api",
    ],
)
@pytest.mark.contract("R-18.10")
def test_https_and_this_machine_are_allowed(base_url: str) -> None:
    assert check_api_base(base_url) == base_url.rstrip("/")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://discord.com/api/v10",
        "http://192.168.0.2/api",
        "http://127.0.0.1.example.com/api",
        "http://localhost.example.com/api",
        "ftp://127.0.0.1/api",
        "discord.com/api/v10",
        "https://",
        "https://someone@discord.com/api",
        "https://discord.com/api?v=10",
        "",
    ],
)
@pytest.mark.contract("R-18.10")
def test_anything_that_would_show_the_token_is_refused(base_url: str) -> None:
    with pytest.raises(BadApiBase):
        check_api_base(base_url)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(BadApiBase) as bad:
        check_api_base("https://someone:hunter2@discord.com/api")

    assert "hunter2" not in f"{bad.value} {bad.value.hint} {vars(bad.value)}"


ASK = """
import sys
from dce_play.discord.exporters.discord_api.rest.transport import Timeouts, Transport, Unanswered
from dce_play.system.clock import SystemClock
transport = Transport(sys.argv[1], clock=SystemClock(), timeouts=Timeouts(), connections=1)
try:
    print(transport.get("users/@me", "a-token", lambda: None).body)
except Unanswered as unanswered:
    print(f"unanswered: {unanswered}")
"""


def ask(base_url: str, **environment: str) -> str:
    """Ask in a process of its own, with this environment."""
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    finished = subprocess.run(
        [sys.executable, "-c", ASK, base_url], env=clean | environment, capture_output=True, text=True, check=True
    )
    return finished.stdout.strip()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


class Answering(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.mark.contract("R-18.10")
def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: str) -> None:
    assert "CERTIFICATE_VERIFY_FAILED" in ask(tls_server)


@pytest.mark.contract("R-18.10")
def test_the_environment_can_name_certificates_to_trust(tls_server: str, certificate: Path) -> None:
    assert ask(tls_server, SSL_CERT_FILE=str(certificate)) == "{}"


class Refusing(http.server.BaseHTTPRequestHandler):
    asked: list[tuple[str, str]]

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_CONNECT(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(502)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_CONNECT()


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    asked: list[tuple[str, str]] = []
    handler = type("Handler", (Refusing,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_https_goes_through_the_environments_proxy_without_showing_it_the_token(
    proxy: tuple[str, list[tuple[str, str]]],
) -> None:
    address, asked = proxy

    ask("https://discord.invalid/api", HTTPS_PROXY=address)

    assert asked == [("discord.invalid:443", "")]


def test_this_machine_is_asked_without_a_proxy(proxy: tuple[str, list[tuple[str, str]]]) -> None:
    address, asked = proxy

    for scheme in ("http", "HTTP"):
        ask(f"{scheme}://127.0.0.1:9/api", HTTP_PROXY=address, ALL_PROXY=address)

    assert asked == []
