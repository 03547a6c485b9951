"""The keys of ``receive.toml``: what the receiver can be told."""

import ipaddress
from pathlib import Path

import msgspec

from dce_play.system.toml.keys import Key, Kind

EXAMPLE = "examples/receive.toml"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen: a host and a port, or a Unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    @property
    def local(self) -> bool:
        """Return whether only this machine can connect."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address | None:
    """Return the address in ``host:port``, ``[v6]:port`` or ``unix:PATH``; ``None`` for the empty text.

    Raises: ValueError.
    """
    if not text:
        return None
    if text.startswith("unix:"):
        return Address(path=Path(text.removeprefix("unix:")))
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'host:port or unix:PATH, not "{text}"')
    return Address(host=host.removeprefix("[").removesuffix("]"), port=int(port))


_TOP = (
    Key(name="name", kind=Kind.TEXT, help="What receipts call this receiver; default: the host's name."),
    Key(name="store_dir", kind=Kind.PATH, help="The folder with everything that is kept.", required=True),
    Key(name="bind", kind=Kind.TEXT, help="Where shippers connect.", default="127.0.0.1:8490", convert=parse_address),
    Key(
        name="admin_bind",
        kind=Kind.TEXT,
        help="Where health, metrics and the status page are; empty for nowhere.",
        default="127.0.0.1:8491",
        convert=parse_address,
    ),
    Key(name="header_prefix", kind=Kind.TEXT, help="What our own headers begin with.", default="X-Cis490-"),
    Key(name="install_root", kind=Kind.TEXT, help="Where lab hosts have the code.", default="/opt/dce-play"),
    Key(name="service_user", kind=Kind.TEXT, help="Whom lab hosts run it as.", default="dce-play"),
    Key(name="tls.cert", kind=Kind.PATH, help="The receiver's certificate, PEM."),
    Key(name="tls.key", kind=Kind.PATH, help="Its key, PEM."),
    Key(name="tls.client_ca", kind=Kind.PATH, help="Who signs the lab hosts' certificates, PEM."),
    Key(
        name="proxy.host_header",
        kind=Kind.TEXT,
        help="The header in which a proxy on this machine names the certificate's host.",
        default="",
    ),
)


def _limit(name: str, kind: Kind, default: int | str, help_text: str, minimum: float = 0) -> Key:
    return Key(name=f"limits.{name}", kind=kind, help=help_text, default=default, minimum=minimum)


_LIMITS = (
    _limit("max_bytes", Kind.SIZE, "64GiB", "The largest archive."),
    _limit("max_unpacked_bytes", Kind.SIZE, "256GiB", "The most it may unpack to."),
    _limit("max_ratio", Kind.WHOLE, 1000, "The most it may grow by, looked at from 64 MiB on.", 1),
    _limit("max_members", Kind.WHOLE, 100_000, "The most files and folders in it.", 1),
    _limit("max_depth", Kind.WHOLE, 32, "The deepest folder.", 1),
    _limit("max_path_bytes", Kind.WHOLE, 1024, "The longest path.", 1),
    _limit("max_inflight", Kind.WHOLE, 32, "The most uploads at once.", 1),
    _limit("max_inflight_per_host", Kind.WHOLE, 4, "The most uploads of one host at once.", 1),
    _limit("quota_per_host", Kind.SIZE, 0, "The most bytes that one host may store; 0 for no limit."),
    _limit("min_free", Kind.SIZE, "1GiB", "What stays free in the store's file system."),
    _limit("header_timeout_s", Kind.NUMBER, 10, "How long a request's headers may take.", 0.1),
    _limit("idle_timeout_s", Kind.NUMBER, 30, "How long a body may pause.", 0.1),
    _limit("min_rate", Kind.SIZE, "1KiB", "The fewest bytes a second of a body, looked at after 30 s."),
    _limit("incoming_keep_s", Kind.NUMBER, 86_400, "When what a broken upload left is swept."),
    _limit("upload_keep_s", Kind.NUMBER, 604_800, "How long an unfinished resumable upload lives."),
    _limit("drain_s", Kind.NUMBER, 20, "How long running requests get when the receiver stops."),
)


def _gate(name: str, kind: Kind, default: int | str | bool | None, help_text: str, alias: str = "") -> Key:
    minimum = 1 if name == "window" else 0
    return Key(name=f"version_gate.{name}", kind=kind, help=help_text, default=default, minimum=minimum, alias=alias)


_GATE = (
    _gate("enabled", Kind.SWITCH, True, "Whether out-of-date code is refused."),
    _gate(
        "repo_path",
        Kind.PATH,
        None,
        "The clone whose commits are accepted; empty for none; default: the installed code's.",
        "version_gate.local_repo_path",
    ),
    _gate("window", Kind.WHOLE, 100, "How many of the newest commits are accepted."),
    _gate("cache_ttl_s", Kind.NUMBER, 5, "How long an answer of git or Forgejo holds."),
    _gate("forgejo_url", Kind.TEXT, "", "The Forgejo server to ask first."),
    _gate("forgejo_repo", Kind.TEXT, "", "owner/name there."),
    _gate("forgejo_branch", Kind.TEXT, "main", "The branch whose commits count."),
    _gate("forgejo_token", Kind.SECRET, "", "A token for Forgejo, as a reference."),
    _gate("timeout_s", Kind.NUMBER, 2, "How long Forgejo may take."),
    _gate("remediation", Kind.LINES, None, "What a refused lab host is told to type."),
)
_STORE = (
    Key(
        name="store.kind",
        kind=Kind.CHOICE,
        help="Where episodes are kept.",
        default="file",
        choices=("file", "s3"),
    ),
    Key(name="store.bucket", kind=Kind.TEXT, help="The S3 bucket.", default=""),
    Key(name="store.prefix", kind=Kind.TEXT, help="What the keys in it begin with.", default=""),
    Key(name="store.endpoint", kind=Kind.TEXT, help="The S3 server; default: the region's.", default=""),
    Key(name="store.region", kind=Kind.TEXT, help="The S3 region.", default="us-east-1"),
    Key(name="store.access_key", kind=Kind.SECRET, help="The S3 access key, as a reference.", default=""),
    Key(name="store.secret_key", kind=Kind.SECRET, help="The S3 secret key, as a reference.", default=""),
    Key(name="store.part_size", kind=Kind.SIZE, help="How large a part is.", default="16MiB", minimum=5 << 20),
    Key(
        name="index.kind",
        kind=Kind.CHOICE,
        help="Where the list of episodes is kept.",
        default="file",
        choices=("file", "postgres"),
    ),
    Key(name="index.dsn", kind=Kind.SECRET, help="How to reach PostgreSQL, as a reference.", default=""),
)

KEYS = (*_TOP, *_LIMITS, *_GATE, *_STORE)
