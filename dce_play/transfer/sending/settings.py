"""``ship.toml``: its keys, and the configuration that they make."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from dce_play.system.loopback import is_loopback
from dce_play.system.toml.config import TomlConfig, read_toml, toml_schema
from dce_play.system.toml.example import toml_example
from dce_play.system.toml.keys import BadValue, Key, Kind
from dce_play.transfer.ids import ID_PATTERN, checked_id
from dce_play.transfer.sending.bandwidth import Timetable, parse_limit
from dce_play.transfer.wire import commit_header, manifest_header

VARIABLE = "DCE_SHIP_CONFIG"
DEFAULT_PATH = Path("/etc/dce-play/ship.toml")
EXAMPLE = "examples/ship.toml"
_PREFIX = re.compile(r"[A-Za-z0-9-]*\Z", re.ASCII)


class ShipConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A shipper's configuration. Paths are absolute; ``None`` where a path is not set."""

    path: Path
    host_id: str
    data_dir: Path
    episodes_dir: Path
    outbox_dir: Path
    shipped_dir: Path
    quarantine_dir: Path
    scan_interval_s: float
    ready_when: str
    ready_quiet_s: float
    on_gate: str
    header_prefix: str
    metrics_file: Path | None
    quarantine_keep_days: int
    quarantine_cleanup_interval_s: int
    shipped_keep_days: int
    min_free: int
    concurrency: int
    zstd_level: int
    zstd_threads: int
    bandwidth_limit: Timetable
    log_level: str
    url: str
    token: str
    """A reference to the secret, never the secret."""
    ca: Path | None
    cert: Path | None
    key: Path | None
    connect_timeout_s: float
    read_timeout_s: float
    base_s: float
    cap_s: float
    retry_after_cap_s: float
    resume_above: int | None
    """Bytes; ``None`` when no upload is to be resumable."""
    resume_chunk: int

    @property
    def option(self) -> str:
        """Return ``--config FILE``, which every command needs that we tell somebody to type."""
        return f"--config {shlex.quote(str(self.path))}"

    @property
    def private_dir(self) -> Path:
        """Return the folder of locks and of what may be lost."""
        return self.data_dir / ".ship"

    @property
    def commit_header(self) -> str:
        return commit_header(self.header_prefix)

    @property
    def manifest_header(self) -> str:
        return manifest_header(self.header_prefix)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        raise BadValue("not a URL such as https://receiver.example:8490") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_good:
        raise BadValue("not a URL such as https://receiver.example:8490")
    if parts.username is not None or parts.query or parts.fragment:
        raise BadValue("a plain URL, without a user, a query or a fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise BadValue("plain http would show the token to the network: write https, or http to this machine only")
    return text.rstrip("/")


def _prefix(text: str) -> str:
    if not _PREFIX.match(text):
        raise BadValue("letters, digits and dashes, as in X-Cis490-")
    return text


def _above(value: int | str) -> int | None:
    return None if isinstance(value, str) else value


KEYS = (
    Key(
        name="host_id",
        kind=Kind.TEXT,
        help="The name of this lab host.",
        required=True,
        pattern=ID_PATTERN,
        convert=checked_id,
    ),
    Key(name="data_dir", kind=Kind.PATH, help="The folder that holds the four below.", required=True),
    Key(name="episodes_dir", kind=Kind.PATH, help="Where episodes are written; <data_dir>/episodes.", default=""),
    Key(name="outbox_dir", kind=Kind.PATH, help="Where packed ones wait; <data_dir>/outbox.", default=""),
    Key(name="shipped_dir", kind=Kind.PATH, help="Where stored ones go; <data_dir>/shipped.", default=""),
    Key(name="quarantine_dir", kind=Kind.PATH, help="Where refused ones go; <data_dir>/quarantine.", default=""),
    Key(
        name="scan_interval_s",
        kind=Kind.NUMBER,
        help="Seconds between two passes; at most a third of WatchdogSec.",
        default=5,
        minimum=0.01,
        maximum=60,
    ),
    Key(
        name="ready_when",
        kind=Kind.CHOICE,
        help="Ready when meta.json parses, or when besides nothing changed for ready_quiet_s.",
        default="meta",
        choices=("meta", "quiet"),
    ),
    Key(name="ready_quiet_s", kind=Kind.NUMBER, help="Seconds of quiet.", default=30, minimum=0),
    Key(
        name="on_gate",
        kind=Kind.CHOICE,
        help="What becomes of episodes whose commit the receiver refuses.",
        default="quarantine",
        choices=("quarantine", "hold"),
    ),
    Key(name="header_prefix", kind=Kind.TEXT, help="How our headers begin.", default="X-Cis490-", convert=_prefix),
    Key(name="metrics_file", kind=Kind.PATH, help="A file for Prometheus, written each pass.", default=""),
    Key(name="quarantine_keep_days", kind=Kind.WHOLE, help="Days in quarantine; 0 never ends.", default=30, minimum=0),
    Key(
        name="quarantine_cleanup_interval_s",
        kind=Kind.WHOLE,
        help="Seconds between two clean-ups; 0 for every pass.",
        default=3600,
        minimum=0,
    ),
    Key(name="shipped_keep_days", kind=Kind.WHOLE, help="Days that shipped ones stay; 0 keeps.", default=0, minimum=0),
    Key(name="min_free", kind=Kind.SIZE, help="Room below which nothing new is packed.", default="512MiB"),
    Key(name="concurrency", kind=Kind.WHOLE, help="Episodes sent at once.", default=1, minimum=1, maximum=8),
    Key(name="zstd_level", kind=Kind.WHOLE, help="The level of zstd.", default=3, minimum=1, maximum=19),
    Key(name="zstd_threads", kind=Kind.WHOLE, help="Threads of zstd; 0 for cores.", default=0, minimum=0, maximum=64),
    Key(
        name="bandwidth_limit",
        kind=Kind.LIMIT,
        help='Bytes a second, or a timetable in local time: "08:00,512KiB 19:00,off"; 0 for none.',
        default=0,
        convert=parse_limit,
    ),
    Key(
        name="log_level",
        kind=Kind.CHOICE,
        help="The least that is told.",
        default="info",
        choices=("debug", "info", "warning", "error"),
    ),
    Key(name="receiver.url", kind=Kind.TEXT, help="The receiver; https.", required=True, convert=_url),
    Key(name="receiver.token", kind=Kind.SECRET, help="A reference to the bearer token.", required=True),
    Key(name="receiver.ca", kind=Kind.PATH, help="The CA of the receiver's certificate.", default=""),
    Key(name="receiver.cert", kind=Kind.PATH, help="Our certificate.", default=""),
    Key(name="receiver.key", kind=Kind.PATH, help="Its private key.", default=""),
    Key(name="receiver.connect_timeout_s", kind=Kind.NUMBER, help="Seconds.", default=10, minimum=0.1, maximum=120),
    Key(name="receiver.read_timeout_s", kind=Kind.NUMBER, help="Seconds.", default=60, minimum=0.1, maximum=120),
    Key(name="retry.base_s", kind=Kind.NUMBER, help="The first wait at most.", default=1, minimum=0),
    Key(name="retry.cap_s", kind=Kind.NUMBER, help="Any wait at most.", default=300, minimum=0),
    Key(name="retry.retry_after_cap_s", kind=Kind.NUMBER, help="A wait asked for, at most.", default=3600, minimum=0),
    Key(
        name="resume.above",
        kind=Kind.SIZE,
        help='Archives from this size on go by resumable upload; 0 for all, "off" for none.',
        default="64MiB",
        choices=("off",),
        convert=_above,
    ),
    Key(name="resume.chunk", kind=Kind.SIZE, help="One piece of an upload.", default="32MiB"),
)
_TABLES = {"receiver.": "", "retry.": "", "resume.": "resume_"}


def find_config(given: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the path of ``ship.toml``: as given, else ``DCE_SHIP_CONFIG``, else the system's."""
    if given is not None:
        return given.absolute()
    named = environment.get(VARIABLE)
    return Path(named).absolute() if named else DEFAULT_PATH


def load_config(path: Path) -> ShipConfig:
    """Read ``ship.toml``.

    Raises: NoConfig; InvalidDocument, with all problems.
    """
    config = read_toml(path, KEYS, example=EXAMPLE)
    _check_together(config)
    config.check()
    values = {_field(name): value for name, value in config.values.items()}
    for name in ("metrics_file", "ca", "cert", "key"):
        values[name] = values[name] or None
    for name in ("episodes", "outbox", "shipped", "quarantine"):
        values[f"{name}_dir"] = values[f"{name}_dir"] or values["data_dir"] / name
    return ShipConfig(path=path, **values)


def load_named(name: str, *, folder: Path, environment: Mapping[str, str]) -> ShipConfig:
    """Read the ``ship.toml`` that a text names, relative to the folder; for an empty one the usual one.

    Raises: NoConfig; InvalidDocument.
    """
    return load_config(find_config(folder / name if name else None, environment))


def ship_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``ship.toml``."""
    return toml_schema(KEYS, title="ship.toml: the configuration of a dce-play shipper")


def _field(name: str) -> str:
    for table, prefix in _TABLES.items():
        if name.startswith(table):
            return prefix + name.removeprefix(table)
    return name


def _check_together(config: TomlConfig) -> None:
    values = config.values
    for one, other in (("receiver.cert", "receiver.key"), ("receiver.key", "receiver.cert")):
        if values.get(one) and not values.get(other):
            config.object_to(one, f"{one} needs {other} beside it")
    if values.get("resume.chunk") == 0:
        config.object_to("resume.chunk", "resume.chunk: at least 1 byte")


def ship_example() -> str:
    """Return the example of ``ship.toml``."""
    return toml_example(
        KEYS,
        {
            "host_id": "lab-1",
            "data_dir": "/var/lib/dce-play",
            "receiver.url": "https://receiver.example:8490",
            "receiver.token": "file:/etc/dce-play/ship.token",
            "receiver.ca": "/etc/dce-play/ca.pem",
            "receiver.cert": "/etc/dce-play/host.pem",
            "receiver.key": "/etc/dce-play/host.key",
        },
        head="ship.toml: how this lab host ships its episodes. Lines that begin with # show the defaults.\n"
        "Sizes are bytes or texts such as 64MiB; a secret is named env:NAME, file:PATH or keyring:NAME.",
    )
