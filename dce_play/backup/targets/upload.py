"""Copies off the machine: made after a backup has its name here, and noted in its manifest."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import RemoteCopy
from dce_play.backup.manifest import Manifest, encode_manifest
from dce_play.backup.protocols import Services
from dce_play.backup.registry import target_kind
from dce_play.backup.store.catalog import read_entry, rewrite_manifest
from dce_play.backup.target_protocols import Target
from dce_play.errors import ExitCode


def targets_of(module: Module, services: Services) -> tuple[Target, ...]:
    """Return the targets of a module's definition; contacts none.

    Raises: BackupError (``no-tool``, ``invalid``).
    """
    return tuple(target_kind("s3").open_target(keys, services) for keys in module.keys.targets)


def upload_all(path: Path, module: Module, services: Services) -> Manifest | None:
    """Copy a backup to every target of its module, and note each copy. The local file stays good whatever happens.

    Raises: BackupError (``upload-failed``): the first failure, whatever it was, once all were tried.
    """
    entry = read_entry(path)
    if entry is None or not module.keys.targets:
        return entry.manifest if entry is not None else None
    manifest = entry.manifest
    failures: list[BackupError] = []
    for target in targets_of(module, services):
        try:
            copy = target.store(path, manifest, _encoder(manifest))
        except BackupError as error:
            failures.append(error)
            continue
        manifest = _with(manifest, copy)
        rewrite_manifest(path, manifest)
    if failures:
        first = failures[0]
        raise BackupError(ErrorId.UPLOAD_FAILED, str(first), hint=first.hint, exit_code=ExitCode.FAILED) from first
    return manifest


def _encoder(manifest: Manifest) -> Callable[[RemoteCopy], bytes]:
    return lambda copy: encode_manifest(_with(manifest, copy))


def _with(manifest: Manifest, copy: RemoteCopy) -> Manifest:
    return msgspec.structs.replace(manifest, remote=(*manifest.remote, copy))
