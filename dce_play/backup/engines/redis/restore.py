"""The restore of class B: into a folder only, and the commands with which an operator puts that folder in place."""

from pathlib import Path

from dce_play.backup.definitions.model import Module
from dce_play.backup.engines.redis.folder_source import FORMAT as FOLDER
from dce_play.backup.engines.redis.link import open_link
from dce_play.backup.engines.redis.places import find_place
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import REFUSE, PlanItem
from dce_play.backup.protocols import OpenBackup, Services
from dce_play.system.counted import counted


def plan(backup: OpenBackup, module: Module, services: Services, *, into: Path | None) -> tuple[PlanItem, ...]:
    """Return what a restore writes, and the three commands that follow it.

    Raises: BackupError.
    """
    manifest = backup.manifest
    counts = manifest.counts
    where = str(into) if into is not None else f"/var/tmp/{module.name}-restored"  # noqa: S108 - a proposal
    items = [
        PlanItem(
            what="contents",
            detail=f"{counted(counts.get('keys', 0), 'key')} of Redis {manifest.engine.server_version},"
            f" {counted(manifest.plain_bytes, 'byte')}",
        )
    ]
    if into is not None:
        items.append(PlanItem(what="write", detail=f"the data folder as it was, into {into}"))
    else:
        refused = "a running server would overwrite what is restored under it: --apply needs --into FOLDER"
        items.append(PlanItem(what=REFUSE, detail=refused))
    return (*items, *_commands(backup, module, services, where))


def _commands(backup: OpenBackup, module: Module, services: Services, where: str) -> list[PlanItem]:
    stop, start, data = "redis-cli SHUTDOWN NOSAVE", "redis-server", ""
    link = None
    try:
        link = open_link(module, services)
        if link.container is not None:
            program, name = link.container.program[0], link.container.name
            stop, start = f"{program} stop {name}", f"{program} start {name}"
        elif link.keys.socket:
            stop = f"redis-cli -s {link.keys.socket} SHUTDOWN NOSAVE"
        place = find_place(link)
        data = "" if place is None else str(place.folder)
    except BackupError:
        pass  # a server that is down is a reason to restore; then the place is what the backup says
    data = data or next((root.source for root in backup.manifest.roots), "DATA_FOLDER")
    stop_note = " (not systemctl restart: the old server would save over it)" if stop.startswith("redis-cli") else ""
    items = [
        PlanItem(what="command", detail=f"{stop}{stop_note}"),
        PlanItem(what="command", detail=f"mv {data} {data}.before && cp -a {where} {data}"),
        PlanItem(what="command", detail=f"{start}{' …, as it was started before' if start == 'redis-server' else ''}"),
    ]
    if backup.manifest.format != FOLDER:
        items.append(
            PlanItem(
                what="note",
                detail="the backup has no append-only files: with appendonly yes, start once with --appendonly no,"
                " then CONFIG SET appendonly yes",
            )
        )
    return items


def refuse_in_place(module: Module) -> BackupError:
    """Return the refusal of a restore into a running server."""
    return BackupError(
        ErrorId.USAGE,
        f"{module.name}: Redis is restored into a folder only; a running server would overwrite it",
        hint="restore BACKUP --into FOLDER --apply, then the three commands of the plan",
    )
