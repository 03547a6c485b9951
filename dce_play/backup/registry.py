"""Engines, encryptions and targets by name, imported when they are asked for.

The engine NAME is the attribute ``ENGINE`` of ``dce_play.backup.engines.NAME.engine``.
"""

from importlib import import_module
from typing import Any, cast

from dce_play.backup.definitions.values import ENGINES
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Engine, FilterModule
from dce_play.backup.target_protocols import TargetModule
from dce_play.source import did_you_mean


def engine_named(name: str) -> Engine:
    """Return an engine.

    Raises: BackupError (``invalid``), for a name that is none.
    """
    if name not in ENGINES:
        raise BackupError(ErrorId.INVALID, f'no engine "{name}"', hint=did_you_mean(name, ENGINES))
    found: Any = import_module(f"dce_play.backup.engines.{name}.engine").ENGINE
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
