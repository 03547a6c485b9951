"""A client believes the same certificates under every Python."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dce_play.system.authorities import believing

PATIENCE_S = 20.0


def home_made(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Write an authority, and load a server, as ``openssl`` makes them untold: no key usage, no key identifiers."""
    now = datetime.now(UTC)
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority, server = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, who)]) for who in ("lab", "localhost"))
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
    )
    made = [
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=critical)
        .sign(keys[0], SHA256())
        for subject, key, (extension, critical) in zip((authority, server), keys, extensions, strict=True)
    ]
    believed, shown = folder / "ca.pem", folder / "server.pem"
    believed.write_bytes(made[0].public_bytes(Encoding.PEM))
    private = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    shown.write_bytes(private + made[1].public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown)
    return believed, context


def served_by(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def meets(authorities: Path, server: ssl.SSLContext, name: str = "localhost") -> bytes:
    """Return what a server says to a client that believes those authorities.

    Raises: ssl.SSLCertVerificationError, when the client does not believe it.
    """
    here, there = socket.socketpair()
    for end in (here, there):
        end.settimeout(PATIENCE_S)

    def serve() -> None:
        try:
            with server.wrap_socket(there, server_side=True) as connection:
                connection.sendall(b"welcome")
        except (ssl.SSLError, OSError):
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here, believing(authorities).wrap_socket(here, server_hostname=name) as connection:
            return connection.recv(100)
    finally:
        thread.join()


def test_certificates_as_openssl_makes_them_are_believed_under_every_python(tmp_path: Path) -> None:
    authorities, server = home_made(tmp_path)
    assert meets(authorities, server) == b"welcome"


def test_another_name_is_not_believed(tmp_path: Path) -> None:
    authorities, server = home_made(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        meets(authorities, server, "elsewhere")


def test_a_stranger_is_not_believed(tmp_path: Path) -> None:
    authorities, _ = home_made(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        meets(authorities, served_by(trustme.CA()))


def test_an_authority_below_another_is_not_believed_alone(tmp_path: Path) -> None:
    below = trustme.CA().create_child_ca()
    below.cert_pem.write_to_path(tmp_path / "below.pem")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get issuer"):
        meets(tmp_path / "below.pem", served_by(below))
