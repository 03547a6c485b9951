"""Mutual TLS whose files may be renewed while we serve: each new handshake uses what is on disk now."""

import logging
import ssl
import time
from pathlib import Path
from typing import ClassVar

from cryptography import x509

from dce_play.errors import DcePlayError, ExitCode
from dce_play.transfer.receiving.config import TlsFiles

LOOK_EVERY_S = 1.0

log = logging.getLogger("dce_play.receiver")


class BadTlsFiles(DcePlayError):
    """A certificate, a key or a CA cannot be read, or they do not belong together."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT


def load_context(files: TlsFiles) -> ssl.SSLContext:
    """Return a context of what the files hold now.

    Raises: BadTlsFiles.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    # What is resumed would bring back a certificate that has expired or been replaced since.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    for path in (files.cert, files.key, files.client_ca):
        _readable(path)
    try:
        context.load_cert_chain(files.cert, files.key)
    except (ssl.SSLError, OSError) as error:
        hint = f"openssl x509 -in {files.cert} -noout -pubkey; openssl pkey -in {files.key} -pubout"
        raise BadTlsFiles(f"{files.cert} and {files.key} are no certificate with its key", hint=hint) from error
    try:
        context.load_verify_locations(files.client_ca)
    except (ssl.SSLError, OSError) as error:
        hint = f"openssl x509 -in {files.client_ca} -noout -text"
        raise BadTlsFiles(f"{files.client_ca} is no CA certificate", hint=hint) from error
    return context


class TlsFilesInUse:
    """The context that listens. It hands each handshake on to one made of the newest files that are good."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamp = self._stamps()
        self._newest = load_context(files)
        self._looked_at = time.monotonic()
        self.context = load_context(files)
        self.context.sni_callback = self._choose  # called for every handshake, also without a name
        self.expires_at = _expiry(files.cert)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            self._look()
        connection.context = self._newest

    def _look(self) -> None:
        stamp = self._stamps()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._newest = load_context(self._files)
            self.expires_at = _expiry(self._files.cert)
            log.info("receive.tls_renewed cert=%s", self._files.cert)
        except BadTlsFiles as error:
            log.error("receive.tls_not_renewed why=%s", error)  # noqa: TRY400 - the fact is enough

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_stamp(path) for path in (self._files.cert, self._files.key, self._files.client_ca))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise BadTlsFiles(f"{path}: {reason}", hint=f"look: ls -l {path}") from error


def _expiry(path: Path) -> float:
    """Return when a certificate ends, as a Unix time; 0 when that cannot be read."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return 0.0
