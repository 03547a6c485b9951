"""The drill of class B: a server started on a copy of the data, and the keys of each database compared."""

from pathlib import Path

import msgspec

from dce_play.backup.drills import drill_folder
from dce_play.backup.engines.redis.checked import RdbContents, rdb_probe
from dce_play.backup.engines.redis.programs import server_program
from dce_play.backup.engines.redis.throwaway import SOCKET, Held, await_loaded, is_short, link_to, server_argv, serving
from dce_play.backup.engines.redis.unpacking import make_folder
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Difference, Drilled, EngineFacts
from dce_play.backup.protocols import DrillOptions, OpenBackup, Services
from dce_play.backup.streams import CHUNK_BYTES
from dce_play.source import JsonValue
from dce_play.system.process.executor import Command

_MAGIC = b"REDIS"


def drill(backup: OpenBackup, services: Services, options: DrillOptions) -> Drilled:
    """Start a server on a copy and compare its keys with the snapshot's own record and with the manifest.

    Raises: BackupError: ``no-tool``, ``version``, ``verify-failed``, ``truncated``.
    """
    program = server_program(services, written_by=backup.manifest.engine.server_version)
    with drill_folder(services, options) as folder:
        if options.keep and not is_short(folder):
            raise BackupError(ErrorId.USAGE, f"{folder} is too long for a socket", hint="give a shorter --drill-dir")
        make_folder(backup, folder, owners=False)
        snapshot = _snapshot_in(folder)
        contents = _read(snapshot, services)
        settings = ("--dbfilename", snapshot.name, "--appendonly", "no")
        with serving(program, folder, services, *settings) as held:
            pass
        drilled = _compare(contents, held, backup)
        log = _log_in(folder)
        if log is not None:
            drilled = _with_log(drilled, program, folder, log, services)
        if options.keep:
            return msgspec.structs.replace(drilled, kept=_keep(program, folder, settings, services))
    return drilled


def _snapshot_in(folder: Path) -> Path:
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix != ".aof" and _begins_as_snapshot(path):
            return path
    raise BackupError(ErrorId.VERIFY_FAILED, "the backup has no snapshot")


def _begins_as_snapshot(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _log_in(folder: Path) -> tuple[str, ...] | None:
    """Return the settings that make a server load the append-only files of a folder; ``None`` without such files."""
    for manifest in folder.glob("*/*.manifest"):
        name = manifest.name.removesuffix(".manifest")
        return ("--appendonly", "yes", "--appenddirname", manifest.parent.name, "--appendfilename", name)
    for path in folder.glob("*.aof"):
        return ("--appendonly", "yes", "--appendfilename", path.name)
    return None


def _read(snapshot: Path, services: Services) -> RdbContents:
    with rdb_probe(services) as probe, snapshot.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            probe.write(chunk)
        return probe.finish()


def _compare(contents: RdbContents, held: Held, backup: OpenBackup) -> Drilled:
    by_database = contents.databases if contents.databases is not None else held.databases
    expected: dict[str, JsonValue] = {"keys": contents.keys, "databases": {**by_database}}
    restored: dict[str, JsonValue] = {"keys": held.keys, "databases": {**held.databases}}
    differences = [
        Difference(what=f"keys of database {name}", expected=by_database.get(name), restored=held.databases.get(name))
        for name in sorted({*by_database, *held.databases})
        if by_database.get(name) != held.databases.get(name)
    ]
    if contents.keys != held.keys:
        differences.append(Difference(what="keys", expected=contents.keys, restored=held.keys))
    counts = backup.manifest.counts
    differences += [
        Difference(what=f"{what}, by the manifest", expected=counts[what], restored=restored[what])
        for what in restored
        if what in counts and counts[what] != restored[what]
    ]
    note = f"{contents.expired} of the keys have expired since; a master leaves them out" if contents.expired else ""
    return Drilled(
        engine=EngineFacts(name="redis", server_version=held.version, tool="redis-server", tool_version=held.version),
        expected=expected,
        restored=restored,
        differences=tuple(differences),
        note=note,
    )


def _with_log(drilled: Drilled, program: str, folder: Path, log: tuple[str, ...], services: Services) -> Drilled:
    """Start a server on the append-only files too: they must load, and hold what was written since the snapshot."""
    loads: JsonValue = "loads"
    try:
        with serving(program, folder, services, *log):
            pass
    except BackupError as error:
        if error.error_id is not ErrorId.VERIFY_FAILED:
            raise
        loads = str(error)
    what = "append-only files"
    differences = drilled.differences
    if loads != "loads":
        differences = (*differences, Difference(what=what, expected="loads", restored=loads))
    return msgspec.structs.replace(
        drilled,
        expected={**drilled.expected, "append_only": "loads"},
        restored={**drilled.restored, "append_only": loads},
        differences=differences,
    )


def _keep(program: str, folder: Path, settings: tuple[str, ...], services: Services) -> str:
    """Leave a server running on the copy; say how to reach and to stop it."""
    argv = server_argv(program, folder, daemonize="yes")
    finished = services.executor.run(
        Command(argv=(*argv, "--logfile", str(folder / "log"), *settings), timeout_s=60.0, cwd=folder)
    )
    if finished.exit_code != 0:
        raise BackupError(ErrorId.ENGINE_FAILED, f"redis-server did not start: {finished.stderr or finished.stdout}")
    link = link_to(folder / SOCKET, services)
    await_loaded(link, give_up=lambda: None)
    where = link.keys.socket
    return f"{folder}: redis-cli -s {where}; stop it with: redis-cli -s {where} SHUTDOWN NOSAVE"
