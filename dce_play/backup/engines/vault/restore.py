"""Restoring a raft snapshot in place: everything in the server is replaced, its keys too."""

from collections.abc import Iterator
from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.engines.vault.server import VaultHealth, force_snapshot, health, place_of
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import PlanItem
from dce_play.backup.protocols import OpenBackup, Restoring, Services
from dce_play.backup.streams import chunks
from dce_play.system.counted import counted

_SAID_NO = frozenset({ErrorId.FORBIDDEN, ErrorId.SEALED, ErrorId.NOT_RAFT})
"""What a server says before it reads the snapshot. After any other failure nobody knows how far it came."""


def plan_snapshot(
    backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
) -> tuple[PlanItem, ...]:
    """Return what would be replaced, and what the operator must have at hand.

    Raises: BackupError: ``usage`` for ``into``; ``version``, ``sealed``, ``unreachable``.
    """
    if into is not None:
        raise BackupError(ErrorId.USAGE, "a raft snapshot is restored into a server, not into a folder")
    place = place_of(module, services)
    with place.connect() as api:
        state = health(api)
    _refuse(backup, place.address, state)
    manifest = backup.manifest
    return (
        PlanItem(what="replace", detail=f"all secrets, policies, tokens and keys in {place.address}"),
        PlanItem(what="server", detail=f"{state.version}, cluster {state.cluster_id or 'unknown'}"),
        PlanItem(
            what="contents",
            detail=f"raft index {manifest.counts.get('index')}, {counted(manifest.plain_bytes, 'byte')}",
        ),
        PlanItem(what="version", detail=f"backup {manifest.engine.server_version}, server {state.version}"),
        PlanItem(
            what="note",
            detail="afterwards the server is unsealed with the original unseal keys, those of the time of the backup;"
            " have them at hand",
        ),
    )


def restore_snapshot(backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
    """Force the snapshot upon the server with the module's token.

    Raises: BackupError: ``forbidden`` (with the policy line), ``sealed``, ``version``, ``unreachable``.
    """
    place = place_of(module, services)
    with place.connect() as api:
        _refuse(backup, place.address, health(api))
    token = services.secret(module.keys.vault.token)

    def content() -> Iterator[bytes]:
        with backup.plain() as plain:
            yield from chunks(plain)

    restoring.begins()
    try:
        force_snapshot(place, token, content)
    except BackupError as error:
        if error.error_id in _SAID_NO:
            restoring.is_as_before()
        raise
    services.say("restored; if the server is sealed now, unseal it with the original keys")


def _refuse(backup: OpenBackup, where: str, state: VaultHealth) -> None:
    if state.sealed:
        raise BackupError(ErrorId.SEALED, f"{where} is sealed", hint="unseal it, then try again")
    was, now = backup.manifest.engine.server_version, state.version
    if major(now) < major(was):
        raise BackupError(ErrorId.VERSION, f"the backup is of server {was}; {where} is {now}, which is older")


def major(version: str) -> int:
    """Return the first number of a version; 0 for one that is not known."""
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else 0
