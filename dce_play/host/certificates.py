"""When certificates end, and whose they are."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dce_play.errors import DcePlayError


class BadCertificate(DcePlayError):
    """A file that should hold a certificate and does not."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}", hint=f"try: openssl x509 -in {path} -noout -subject -dates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of a PEM file. The times are aware, in UTC."""

    subject: str
    not_before: datetime
    not_after: datetime


def read_certificates(path: Path) -> list[Certificate]:
    """Return the certificates of a PEM file, in its order; at least one.

    Raises: BadCertificate.
    """
    # Imported here because it takes 60 ms and only few commands look into certificates.
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise BadCertificate(path, (error.strerror or "cannot be read").lower()) from error
    except ValueError as error:
        raise BadCertificate(path, "holds no certificate in PEM form") from error
    return [
        Certificate(
            subject=each.subject.rfc4514_string(),
            not_before=each.not_valid_before_utc,
            not_after=each.not_valid_after_utc,
        )
        for each in found
    ]
