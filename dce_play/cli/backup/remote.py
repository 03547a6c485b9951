"""Backups at the targets: listed beside those that are here, and pruned by the same rules."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from dce_play.backup.target_protocols import RemoteBackup, Target
from dce_play.backup.targets.prune import apply_remote, plan_remote
from dce_play.backup.targets.upload import targets_of
from dce_play.cli.backup.asking import ask_for_person, confirm, plan_lines, removed_by, rules_of
from dce_play.cli.backup.doors import services_of
from dce_play.cli.backup.list_row import ListRow, row_of
from dce_play.cli.backup.office import Answer, Office
from dce_play.errors import ExitCode
from dce_play.system.counted import counted


def add_remote(office: Office, names: Sequence[str], rows: Sequence[ListRow]) -> list[ListRow]:
    """Return the rows with what each target really holds now; copies without a file here get rows of their own."""
    found: dict[str, list[dict[str, Any]]] = {}
    only: dict[str, RemoteBackup] = {}
    for target, backup in _backups(office, names):
        copy = {"target": target.name, "key": backup.key, "bytes": backup.bytes, "sha256": backup.manifest.sha256}
        found.setdefault(backup.file, []).append(copy)
        only[backup.file] = backup
    here = [msgspec.structs.replace(row, remote=tuple(found.pop(row.file, ()))) for row in rows]
    return [*here, *(_row(office, only[file], copies) for file, copies in found.items())]


def prune_remote(office: Office, names: tuple[str, ...], options: dict[str, Any]) -> Answer:
    """Plan and apply a prune at every target of the modules.

    Raises: BackupError.
    """
    if options["apply"] and not options["yes"]:
        ask_for_person("pruning")
    chosen = names or tuple(module.name for module in office.desk.definitions.modules if module.keys.targets)
    plans = [
        plan_remote(name, target, rules_of(office, name, options), now=office.desk.now)
        for name in chosen
        for target in targets_of(office.desk.module(name), services_of(office))
    ]
    keep = [each for plan in plans for each in plan.retention.keep]
    remove = [each for plan in plans for each in plan.retention.remove]
    facts: dict[str, Any] = {"keep": keep, "remove": remove, "removed": [], "applied": False}
    lines = plan_lines(keep, remove)
    if not options["apply"]:
        code = ExitCode.CHANGES_PENDING if remove and options["detailed_exitcode"] else ExitCode.OK
        return Answer(facts=facts, lines=lines, code=code)
    if remove and not options["yes"]:
        confirm(office, lines, f"Remove {counted(len(remove), 'copy', 'copies')} at the targets?")
        lines = []  # who was asked has read them
    removed, error = removed_by(plans, lambda plan: apply_remote(plan, office.desk.root, services_of(office)))
    facts |= {"removed": removed, "applied": error is None}
    return Answer(facts=facts, lines=[*lines, *(f"removed {file}" for file in removed)], error=error)


def _backups(office: Office, names: Sequence[str]) -> list[tuple[Target, RemoteBackup]]:
    modules = [module for name in names if (module := office.desk.definitions.named(name)) is not None]
    if not names:
        modules = list(office.desk.definitions.modules)
    return [
        (target, backup)
        for module in modules
        for target in targets_of(module, services_of(office))
        for backup in target.backups()
        if backup.manifest.module == module.name
    ]


def _row(office: Office, backup: RemoteBackup, copies: list[dict[str, Any]]) -> ListRow:
    return row_of(
        backup.manifest,
        file=backup.file,
        stored_bytes=backup.bytes,
        good=backup.is_good,
        remote=copies,
        age=office.desk.now - datetime.fromisoformat(backup.manifest.ended),
    )
