"""Which servers media may be asked of: Discord's own, those that a target names, and never a private address."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from dce_play.system.loopback import is_loopback

DISCORD_HOSTS = ("cdn.discordapp.com", "media.discordapp.net")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z")
_ORIGIN = re.compile(r"https?://(127\.0\.0\.1):([0-9]{1,5})\Z")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
"""What a URL has that is not percent-encoded on its way; what is encoded already stays so."""
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]|\s")

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_V6 = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("::/96"))
"""Local translation (RFC 8215), and IPv4 written as IPv6, which nobody routes: Python's tables lack them."""


class MediaRefused(Exception):
    """A URL that is not asked for. Its text says why."""


def complaint_about(entry: str) -> str | None:
    """Return what is wrong with an entry of ``media_hosts``, or ``None``."""
    origin = _ORIGIN.match(entry)
    if origin is not None:
        return None if 0 < int(origin[2]) < 65_536 else "the port is none"
    if "://" in entry:
        return "only http://127.0.0.1:PORT may stand with its scheme; write the host alone"
    if "*" in entry or "?" in entry:
        return "wildcards are not taken; name each host"
    if is_address(entry):
        return "an address is no host name"
    if _HOST.match(entry.lower()) is None or entry.rpartition(".")[2].isdigit():
        return "it is no full host name"
    return None


def is_address(host: str) -> bool:
    """Return whether a host is written as an address."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Return whether an address is one of the open Internet: neither private, loopback, link-local nor reserved."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if any(found in network for network in _LOCAL_V6):
            return False
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        if inner is not None:
            found = inner
    return found.is_global and not found.is_multicast


class Hosts:
    """The servers that may be asked. ``base`` is asked in place of Discord's own two."""

    def __init__(self, more: Iterable[str] = (), *, base: str = "") -> None:
        """Take the entries of ``media_hosts``, and ``DCE_DISCORD_CDN_BASE`` where it is set."""
        entries = tuple(entry.lower() for entry in more)
        self._origins = frozenset(entry for entry in entries if "://" in entry)
        self._names = frozenset((*DISCORD_HOSTS, *(entry for entry in entries if "://" not in entry)))
        self._base = base.rstrip("/")

    def request_url(self, url: str) -> str:
        """Return the URL to ask in a URL's place, which is the URL itself unless there is a base.

        Raises: MediaRefused, when its server may not be asked.
        """
        origin, host = self._checked(url)
        url = quote(url.partition("#")[0], safe=_ASCII)
        if origin in self._origins:
            return url
        if self._base and host in DISCORD_HOSTS:
            parts = urlsplit(url)
            return self._base + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return url

    def may_be_private(self, host: str, port: int) -> bool:
        """Return whether a server was named by its own address, so that it may be on this machine."""
        named = {f"{scheme}://{host}:{port}" for scheme in ("http", "https")}
        if named & self._origins:
            return True
        if not self._base:
            return False
        base = urlsplit(self._base)
        return base.hostname == host and (base.port or (443 if base.scheme == "https" else 80)) == port

    def _checked(self, url: str) -> tuple[str, str]:
        if _UNSAFE.search(url):
            raise MediaRefused("white space, a backslash or a control character in the URL")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise MediaRefused("no URL") from error
        if "@" in parts.netloc:
            raise MediaRefused("a user in the URL")
        host = parts.hostname or ""
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        if origin in self._origins:
            return origin, host
        if parts.scheme != "https":
            raise MediaRefused("not https")
        if host not in self._names or port not in {None, 443}:
            raise MediaRefused("not a host of Discord's media")
        return origin, host


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, the usual ports written out."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def check_base(base: str) -> str | None:
    """Return what is wrong with ``DCE_DISCORD_CDN_BASE``, or ``None``."""
    try:
        parts = urlsplit(base)
        _ = parts.port
    except ValueError:
        return "no URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        return "not a plain http or https URL"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "plain http only to this machine"
    return None
