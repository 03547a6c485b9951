"""Whose certificates a client believes: those of a file of authorities, by the same rules under every Python.

Since Python 3.13 a certificate must also satisfy what RFC 5280 asks of public authorities: one without a key usage, or
a server's that does not name its authority's key, is refused. Both are what ``openssl req -x509`` and ``openssl x509``
make unless told otherwise, and what OpenSSL, curl and our own receiver accept. A host would cease to ship on the day
that its Python is renewed. The same release believes an authority below another without the one above. We do neither.

Source: https://docs.python.org/3.13/library/ssl.html, "ssl.create_default_context".
"""

import ssl
from pathlib import Path

_SINCE_3_13 = ssl.VerifyFlags.VERIFY_X509_STRICT | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN


def believing(authorities: Path | str | None) -> ssl.SSLContext:
    """Return a client's context that believes the authorities in a PEM file, or those of the system without one.

    Raises: OSError, when they cannot be read; its subclass ssl.SSLError, when they are no certificates.
    """
    context = ssl.create_default_context(cafile=authorities)
    context.verify_flags &= ~_SINCE_3_13
    return context
