"""A module's definition: every key that an operator may write, as typed records.

The records are the one declaration: the parser, the JSON Schema and the reference are made from them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from dce_play.backup.definitions.values import AbsolutePath, ModuleName, Port, Seconds, SecretRef


class ContainerRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A container by its compose labels."""

    service: str
    project: str = ""


class PostgresKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a PostgreSQL server, and how to dump it."""

    socket: str = ""
    """A folder with the server's socket; empty: ``host``."""
    host: str = ""
    port: Port = 5432
    user: str = ""
    password: SecretRef | None = None
    database: str = "postgres"
    format: Literal["sql", "custom"] = "sql"
    tools: str = ""
    """A folder with pg_dumpall and its like; inside the container, for a module with one."""
    lock_wait: Seconds = 30.0
    skip_databases: tuple[str, ...] = ()
    role_passwords: bool = True


class RedisKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a Redis server, and where its data lie."""

    socket: str = ""
    host: str = ""
    port: Port = 6379
    user: str = ""
    password: SecretRef | None = None
    data_folder: str = ""
    """Empty, and no container mount: the folder is out of reach."""
    tls: bool = False


class VaultKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a Vault or OpenBao server. An empty address: ``VAULT_ADDR``."""

    address: str = ""
    token: SecretRef = "env:VAULT_TOKEN"  # noqa: S105 - a reference
    namespace: str = ""
    ca_file: str = ""
    data_folder: str = ""


class S3Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bucket, or a part of one."""

    endpoint: str = ""
    bucket: str = ""
    prefix: str = ""
    region: str = "us-east-1"
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None
    path_style: bool = True
    versions: bool = False
    alias: str = ""
    """Of ``mc``."""
    data_folder: str = ""


class FilesKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files are archived."""

    paths: tuple[AbsolutePath, ...] = ()
    exclude: tuple[str, ...] = ()
    one_file_system: bool = False
    sqlite: bool = True


class MeilisearchKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a Meilisearch server, and where it puts its dumps."""

    url: str = ""
    key: SecretRef | None = None
    dump_folder: str = ""
    timeout: Seconds = 1800.0


class ComposeKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A compose project and its folder."""

    project_root: str = ""
    files: tuple[str, ...] = ("compose.yaml",)
    project: str = ""
    exclude: tuple[str, ...] = ()


class QuiesceKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the service is held still while it is read."""

    mode: Literal["none", "pause", "stop", "fsfreeze", "command"] = "none"
    containers: tuple[str, ...] = ()
    """Empty: the module's own."""
    mountpoint: str = ""
    freeze: tuple[str, ...] = ()
    thaw: tuple[str, ...] = ()
    max: Seconds = 600.0


class HookKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Programs before and after, as argv."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class HealthKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to tell whether the service is well. At most one of the kinds; none: the engine's own, where it has one."""

    engine: bool | None = None
    http: str = ""
    status: int = 200
    tcp: str = ""
    command: tuple[str, ...] = ()
    container: Literal["", "running", "healthy"] = ""
    none: bool | None = None
    timeout: Seconds = 5.0
    interval: Seconds = 1.0
    grace: Seconds = 30.0


class EncryptKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may read the backup."""

    age: tuple[str, ...] = ()
    gpg: tuple[str, ...] = ()


class KeepKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a prune keeps, where the command line does not say."""

    last: Annotated[int, msgspec.Meta(ge=1)] | None = None
    within: Seconds | None = None


class TargetKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place off the machine to which backups are copied."""

    s3: S3Keys


class ModuleKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All keys of one module but where it stands."""

    name: ModuleName
    statefulness: Literal["stateful", "stateless"] = "stateful"
    lifecycle: Literal["active", "parked", "sunset"] = "active"
    canonical: bool = True
    host: str = ""
    """The host whose workers alone take this module's items, with run --cluster; else any worker does."""
    own_class: str = msgspec.field(name="class", default="")
    engine: str = ""
    container: str | ContainerRef = ""
    container_engine: Literal["", "podman", "docker", "none"] = ""
    postgres: PostgresKeys = PostgresKeys()
    redis: RedisKeys = RedisKeys()
    vault: VaultKeys = VaultKeys()
    s3: S3Keys = S3Keys()
    files: FilesKeys = FilesKeys()
    meilisearch: MeilisearchKeys = MeilisearchKeys()
    compose: ComposeKeys = ComposeKeys()
    quiesce: QuiesceKeys = QuiesceKeys()
    hooks: HookKeys = HookKeys()
    health: HealthKeys = HealthKeys()
    level: Annotated[int, msgspec.Meta(ge=0, le=2)] = 2
    compression: Literal["gzip", "zstd", "none"] = "gzip"
    compression_level: int | None = None
    encrypt: EncryptKeys = EncryptKeys()
    restore_notes: str = ""
    keep: KeepKeys = KeepKeys()
    targets: tuple[TargetKeys, ...] = ()
    shrink_warning_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    on_change: Literal["warn", "fail"] = "warn"
    blast_radius: Literal["", "low", "medium", "high"] = ""


def secret_variables(keys: msgspec.Struct) -> tuple[str, ...]:
    """Return the environment variables that a definition's references to secrets name."""
    return variables_among(getattr(keys, field) for field in keys.__struct_fields__)


def variables_among(values: Iterable[object]) -> tuple[str, ...]:
    """Return the environment variables that references to secrets (``env:NAME``) among these values name."""
    found: list[str] = []
    for value in values:
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, msgspec.Struct):
                found += secret_variables(each)
            elif isinstance(each, str) and each.startswith("env:"):
                found.append(each.removeprefix("env:"))
    return tuple(found)


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module with its class and its place: what the engines are given."""

    keys: ModuleKeys
    class_name: str
    engine: str
    """The name of the engine that the class, or the module itself, chose."""
    source: str
    """The definition's ``file:line``."""
    folder: Path
    """The definition's folder: relative paths are below it. Absolute."""
    written: frozenset[str] = frozenset()
    """The top keys that the definition or the defaults spell out."""
    runtime_container: str = ""
    """``spec.runtime.container`` of the operator's tree."""
    runbook: Path | None = None
    """``runbook.md`` beside the definition, where there is one."""

    @property
    def name(self) -> str:
        return self.keys.name

    @property
    def project(self) -> str:
        """Return the name of a compose module's project: the definition's, else its folder's."""
        return self.keys.compose.project or Path(self.keys.compose.project_root).name

    @property
    def is_excluded(self) -> bool:
        """Return whether the module is parked, sunset or not canonical."""
        return self.keys.lifecycle != "active" or not self.keys.canonical
