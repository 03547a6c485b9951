"""Whether a host name or an address is this machine itself, where plain http shows a token to nobody."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Return whether a host is ``localhost`` or a loopback address. Names are not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
