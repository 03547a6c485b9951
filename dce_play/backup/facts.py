"""The records that travel between engines and the framework, and that end up in a manifest."""

from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

Plain: TypeAlias = Any
"""A JSON value. msgspec knows no type that names itself, as ``JsonValue`` does."""


class Health(StrEnum):
    """What a probe of the service says."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Consistency(StrEnum):
    """What the data in a backup are to each other."""

    LOGICAL = "logical"
    ENGINE = "engine"
    QUIESCED = "quiesced"
    LIVE = "live"
    LIVE_CHANGED = "live-changed"
    CRASH = "crash"


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """A warning: in the manifest, in the JSON, on standard error."""

    id: str
    """A ``WarningId``; in a manifest that a newer release wrote, perhaps one that we do not know."""
    message: str


class EngineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The engine, and the program or library that read it. Versions are empty where there is none."""

    name: str
    server_version: str = ""
    tool: str = ""
    tool_version: str = ""


class ContainerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The container that the data came from."""

    name: str
    image: str
    image_digest: str = ""


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data came from."""

    kind: str
    """``socket``, ``tcp``, ``container``, ``path`` or ``endpoint``."""
    where: str
    container: ContainerFacts | None = None


class RootFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One folder in a tar: its first path component or components, and where it belongs."""

    label: str
    source: str
    """Absolute, on the host."""
    destination: str
    """Inside the container; equal to the source without one."""
    type: str
    """``bind``, ``volume`` or ``path``."""


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a compose project."""

    name: str
    digest: str = ""


class ComposeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a compose project was: the hash of its normalised configuration, and its images."""

    compose_config_sha256: str
    images: tuple[ImageFacts, ...] = ()


class Produced(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a stream that it has written to its end. Sums and sizes are the writer's to tell."""

    engine: EngineFacts
    source: SourceFacts
    format: str
    """``sql``, ``pg.tar``, ``rdb``, ``tar``, ``raft-snapshot``, ``meilisearch-dump``."""
    consistency: Consistency
    counts: dict[str, Plain]
    """The keys of the manifest's ``counts`` for this engine."""
    command: tuple[str, ...] = ()
    """An argv without secrets, of the program that wrote the stream; empty without one."""
    roots: tuple[RootFacts, ...] = ()
    compose: ComposeFacts | None = None
    warnings: tuple[Warned, ...] = ()
    checked: bool = False
    """What level 2 reads contents with has read every byte of the stream on its way: what is stored needs it no more,
    if its sum is the stream's or it is encrypted."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a verification found wrong, or wants known."""

    id: str
    """An ``ErrorId`` or a ``WarningId``."""
    message: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Something of which a drill restored another number or content than the backup says it holds."""

    what: str
    expected: Plain
    restored: Plain


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill restored. ``expected`` and ``restored`` have the same keys."""

    engine: EngineFacts
    expected: dict[str, Plain]
    restored: dict[str, Plain]
    differences: tuple[Difference, ...] = ()
    level: int = 3
    """The level that was reached: 2 where the drill could only go as far as the sums (C without its keys)."""
    kept: str = ""
    """Where the engine that was left running is, and how to reach it; empty when nothing stays."""
    note: str = ""
    """One line for people, such as why the drill stopped at the sums."""


REFUSE = "refuse"
"""What a plan's item says when ``--apply`` would be refused: then ``restore`` raises before it touches anything."""


class PlanItem(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a restore's plan."""

    what: str
    """``replace``, ``present``, ``backup``, ``version``, ``health``, ``safety-backup``, ``command``, ``note``, …"""
    detail: str


class RemoteCopy(msgspec.Struct, frozen=True, kw_only=True):
    """A copy at a target, read back and found equal."""

    target: str
    key: str
    bytes: int
    sha256: str
    verified_at: str
