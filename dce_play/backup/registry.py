"""Which engines, filters and targets there are, imported when they are asked for."""

from importlib import import_module
from typing import Any, cast

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Engine, FilterModule, TargetModule
from dce_play.source import did_you_mean

ENGINES = {
    "compose": "dce_play.backup.engines.compose.engine",
    "files": "dce_play.backup.engines.files.engine",
    "meilisearch": "dce_play.backup.engines.meilisearch.engine",
    "postgres": "dce_play.backup.engines.postgres.engine",
    "redis": "dce_play.backup.engines.redis.engine",
    "s3": "dce_play.backup.engines.s3.engine",
    "vault": "dce_play.backup.engines.vault.engine",
}
"""The module of each engine; its attribute ``ENGINE`` is the engine."""


def engine_named(name: str) -> Engine:
    """Return an engine.

    Raises: BackupError (``invalid``), for a name that is none.
    """
    place = ENGINES.get(name)
    if place is None:
        raise BackupError(ErrorId.INVALID, f'no engine "{name}"', hint=did_you_mean(name, ENGINES))
    found: Any = import_module(place).ENGINE
    return cast(Engine, found)


ENCRYPTIONS = {"age": "dce_play.backup.filters.age", "gpg": "dce_play.backup.filters.gpg"}
"""The module of each encryption, a ``FilterModule``."""
TARGETS = {"s3": "dce_play.backup.targets.s3"}
"""The module of each kind of target, a ``TargetModule``."""


def encryption_named(kind: str) -> FilterModule:
    """Return an encryption by the kind that a manifest or a definition names."""
    return cast(FilterModule, import_module(ENCRYPTIONS[kind]))


def target_kind(kind: str) -> TargetModule:
    """Return a kind of target by its key in a definition."""
    return cast(TargetModule, import_module(TARGETS[kind]))
