"""``receive.toml``, read and checked: what the receiver works with."""

import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dce_play.system.toml.config import TomlConfig, read_toml
from dce_play.transfer.archive_check import ArchiveLimits
from dce_play.transfer.member_names import NameLimits
from dce_play.transfer.receiving.config_keys import EXAMPLE, KEYS, Address

DEFAULT_PATH = Path("/etc/dce-play/receive.toml")
CONFIG_VARIABLE = "DCE_RECEIVE_CONFIG"
INSTALL_ROOTS = ("/opt/dce-play", "/opt/cis490")


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files of mutual TLS."""

    cert: Path
    key: Path
    client_ca: Path


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The table ``[limits]``: bytes, seconds (``_s``) and counts."""

    max_bytes: int
    max_unpacked_bytes: int
    max_ratio: int
    max_members: int
    max_depth: int
    max_path_bytes: int
    max_inflight: int
    max_inflight_per_host: int
    quota_per_host: int
    min_free: int
    header_timeout_s: float
    idle_timeout_s: float
    min_rate: int
    incoming_keep_s: float
    upload_keep_s: float
    drain_s: float

    @property
    def archive(self) -> ArchiveLimits:
        """Return what one archive may hold."""
        names = NameLimits(members=self.max_members, depth=self.max_depth, path_bytes=self.max_path_bytes)
        return ArchiveLimits(unpacked_bytes=self.max_unpacked_bytes, ratio=self.max_ratio, names=names)


class GateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The table ``[version_gate]``."""

    enabled: bool
    repo_path: Path | None
    """``None``: the first of the usual places with a ``.git``."""
    no_repo: bool
    """``repo_path = ""``: there is no local source."""
    window: int
    cache_ttl_s: float
    forgejo_url: str
    forgejo_repo: str
    forgejo_branch: str
    forgejo_token: str
    """A reference."""
    timeout_s: float
    remediation: tuple[str, ...]


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The table ``[store]``."""

    kind: str
    bucket: str
    prefix: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str
    part_size: int


class IndexConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The table ``[index]``."""

    kind: str
    dsn: str


class ReceiveConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All of ``receive.toml``."""

    path: Path
    name: str
    store_dir: Path
    bind: Address
    admin_bind: Address | None
    header_prefix: str
    host_header: str
    tls: TlsFiles | None
    limits: Limits
    gate: GateConfig
    store: StoreConfig
    index: IndexConfig

    @property
    def option(self) -> str:
        """Return ``--config FILE``, which every command needs that we tell somebody to type."""
        return f"--config {shlex.quote(str(self.path))}"


def find_config(option: Path | None, environment: Mapping[str, str]) -> Path:
    """Return where ``receive.toml`` is: ``--config``, else ``DCE_RECEIVE_CONFIG``, else below ``/etc``."""
    return (option or Path(environment.get(CONFIG_VARIABLE) or DEFAULT_PATH)).absolute()


def read_config(path: Path) -> ReceiveConfig:
    """Read and check the file.

    Raises: NoConfig; InvalidDocument, with all problems at once.
    """
    toml = read_toml(path, KEYS, example=EXAMPLE)
    _check_places(toml)
    _check_gate(toml)
    _check_store(toml)
    toml.check()
    values = toml.values
    certificate = values.get("tls.cert")
    return ReceiveConfig(
        path=path,
        name=values.get("name") or socket.gethostname(),
        store_dir=values["store_dir"],
        bind=values["bind"],
        admin_bind=values["admin_bind"],
        header_prefix=values["header_prefix"],
        host_header=values["proxy.host_header"],
        tls=TlsFiles(**_table(values, "tls")) if certificate else None,
        limits=Limits(**_table(values, "limits")),
        gate=_gate_config(values),
        store=StoreConfig(**_table(values, "store")),
        index=IndexConfig(**_table(values, "index")),
    )


def read_named(name: str, *, folder: Path, environment: Mapping[str, str]) -> ReceiveConfig:
    """Read the ``receive.toml`` that a text names, relative to the folder; for an empty one the usual one.

    Raises: NoConfig; InvalidDocument.
    """
    return read_config(find_config(folder / name if name else None, environment))


def _table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def _gate_config(values: Mapping[str, Any]) -> GateConfig:
    table = _table(values, "version_gate")
    root, user = values["install_root"], values["service_user"]
    default = (
        f"cd {root} && sudo -u {user} git pull origin main",
        f"sudo {root}/venv/bin/dce-play service install shipper --source {root}",
        "sudo systemctl restart dce-play-orchestrator",
    )
    repo = table.pop("repo_path", None)
    remediation = table.pop("remediation", None) or default
    return GateConfig(repo_path=repo or None, no_repo=repo == "", remediation=remediation, **table)


def _check_places(toml: TomlConfig) -> None:
    values = toml.values
    files = [name for name in ("tls.cert", "tls.key", "tls.client_ca") if values.get(name)]
    if 0 < len(files) < 3:
        toml.object_to("tls", "[tls] needs cert, key and client_ca")
    bind = values.get("bind")
    if "bind" in values and bind is None:
        toml.object_to("bind", "bind: host:port or unix:PATH")
    elif isinstance(bind, Address) and not bind.local and not files:
        toml.object_to("bind", f"bind: {bind} can be reached from elsewhere", "add [tls], or bind to 127.0.0.1")


def _check_gate(toml: TomlConfig) -> None:
    values = toml.values
    url, repo = values.get("version_gate.forgejo_url"), values.get("version_gate.forgejo_repo", "")
    if values.get("version_gate.enabled") and values.get("version_gate.repo_path") == "" and not url:
        toml.object_to(
            "version_gate", "the version gate has no source", 'set repo_path or forgejo_url, or "enabled = false"'
        )
    if url and (repo.count("/") != 1 or not all(repo.split("/"))):
        toml.object_to("version_gate.forgejo_repo", 'version_gate.forgejo_repo: "owner/name"')
    if url and not url.startswith(("http://", "https://")):
        toml.object_to("version_gate.forgejo_url", "version_gate.forgejo_url: a URL with http or https")


def _check_store(toml: TomlConfig) -> None:
    values = toml.values
    store, index = values.get("store.kind"), values.get("index.kind")
    if (store, index) not in {("file", "file"), ("s3", "postgres"), (None, index), (store, None)}:
        toml.object_to("index.kind", f"store {store} does not go with index {index}", "file + file, or s3 + postgres")
    if store == "s3":
        for name in ("store.bucket", "store.access_key", "store.secret_key"):
            if not values.get(name):
                toml.object_to("store", f"{name} is missing")
    if index == "postgres" and not values.get("index.dsn"):
        toml.object_to("index", "index.dsn is missing")
