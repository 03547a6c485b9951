"""The TLS files of a client: loaded, looked at for changes, and told about when something is wrong with them."""

import os
import ssl
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import msgspec

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.authorities import believing
from dce_play.transfer.sending.settings import ShipConfig

Stamp = tuple[tuple[int, int, int] | None, ...]


class BadTlsFile(DcePlayError):
    """A certificate or a key cannot be used."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, path: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path


class ClientCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Who our certificate says that we are, and until when."""

    path: Path
    subject: str
    not_after: datetime


def tls_context(config: ShipConfig) -> ssl.SSLContext | None:
    """Return the context to speak to the receiver with; ``None`` for plain http to this machine.

    Raises: BadTlsFile.
    """
    if config.url.startswith("http:"):
        return None
    try:
        context = believing(config.ca)
    except (OSError, ValueError) as error:
        raise _bad(
            config.ca or config.path, error, "it should hold PEM certificates: the CA of the receiver's"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.cert is not None and config.key is not None:
        for path in (config.cert, config.key):
            _readable(path)
        try:
            # A password callback: without one OpenSSL would ask on the terminal and wait.
            context.load_cert_chain(config.cert, config.key, password=lambda: "")
        except (OSError, ValueError) as error:
            hint = f"check that the key belongs to the certificate: openssl x509 -noout -text -in {config.cert}"
            raise _bad(config.cert, error, hint) from error
    return context


def stamp_of(config: ShipConfig) -> Stamp:
    """Return what changes when any of the files is replaced or written."""
    return tuple(_stamp(path) for path in (config.ca, config.cert, config.key))


def client_certificate(path: Path) -> ClientCertificate | None:
    """Return what a certificate says of itself, ``None`` when it cannot be read."""
    from cryptography import x509  # 60 ms that only a ping and metrics need

    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    names = certificate.subject.rfc4514_string()
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = ", ".join(san.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, ValueError):
        hosts = ""
    subject = ", ".join(part for part in (names, f"DNS {hosts}" if hosts else "") if part)
    return ClientCertificate(path=path, subject=subject, not_after=certificate.not_valid_after_utc)


def _readable(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise _bad(path, error, f"try: ls -l {path}") from error


def _bad(path: Path, error: Exception, hint: str) -> BadTlsFile:
    reason = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "not PEM").replace("_", " ")
    return BadTlsFile(path, (reason or "cannot be used").lower(), hint=hint)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
