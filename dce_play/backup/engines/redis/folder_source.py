"""A Redis server whose data folder is in reach: saved, then its snapshot and its append-only files in one tar."""

import os
from collections.abc import Iterator

from dce_play.backup.engines.redis.append_only import OpenFile, append_only_files, open_below, rewriting_held
from dce_play.backup.engines.redis.checked import RdbContents, rdb_probe
from dce_play.backup.engines.redis.folder_check import folder_check
from dce_play.backup.engines.redis.link import Link
from dce_play.backup.engines.redis.memory import fork_warnings
from dce_play.backup.engines.redis.places import LABEL, DataPlace
from dce_play.backup.engines.redis.saving import identity, save
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import Consistency, EngineFacts, Produced
from dce_play.backup.streams import CHUNK_BYTES, Sink
from dce_play.backup.tree.index import ContentSum, RunningIndex
from dce_play.backup.tree.pax import Kind, Member
from dce_play.backup.tree.tar import INDEX, TarWriter
from dce_play.errors import ExitCode

FORMAT = "tar"


class FolderSource:
    """``BGSAVE``, then the data folder. An ``EngineSource``."""

    extension = "tar"
    is_compressible = True

    def __init__(self, link: Link, place: DataPlace, *, version: str) -> None:
        self._link = link
        self._place = place
        self._version = version

    def estimate_bytes(self) -> int | None:
        """Return the size of the snapshot that lies there, or what the server's data take in memory."""
        found = identity(self._place.folder / self._place.file)
        return found.bytes if found is not None else int(self._link.info("memory").get("used_memory_dataset", "0"))

    def check(self) -> Sink:
        return folder_check(self._link.services, container=self._link.container)

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002 - a snapshot is whole by itself
        """Save, and write the tar. See ``EngineSource.produce``."""
        link, place = self._link, self._place
        warnings = fork_warnings(link)
        save(link, place.folder / place.file)
        snapshot = open_below(place.folder, place.file)
        try:
            writer = _FolderWriter(out, place)
            contents = writer.add_snapshot(snapshot, link)
            if link.setting("appendonly") == "yes":
                with rewriting_held(link), append_only_files(link, place.folder) as opened:
                    for each in opened:
                        writer.add(each)
            writer.close()
        finally:
            os.close(snapshot.descriptor)
        return Produced(
            engine=EngineFacts(
                name="redis", server_version=self._version, tool="redis-cli", tool_version=contents.version
            ),
            source=link.source_facts(),
            format=FORMAT,
            consistency=Consistency.ENGINE,
            counts=contents.counts(),
            command=link.command("BGSAVE").argv,
            roots=(place.root(),),
            warnings=warnings,
        )


class _FolderWriter:
    """Writes open files as members below one label, and the index of them at the end."""

    def __init__(self, out: Sink, place: DataPlace) -> None:
        self._tar = TarWriter(out)
        self._index = RunningIndex()
        self._lines: list[bytes] = []
        self._folders: set[str] = set()
        self._place = place
        self._mtime_ns = 0
        self._add_folder(".")

    def add_snapshot(self, snapshot: OpenFile, link: Link) -> RdbContents:
        """Write the snapshot and let the engine's own tool look at it on its way."""
        with rdb_probe(link.services, link.container) as probe:
            for chunk in self._written(snapshot):
                probe.write(chunk)
            return probe.finish()

    def add(self, file: OpenFile) -> None:
        """Write a file."""
        for _ in self._written(file):
            pass

    def _written(self, file: OpenFile) -> Iterator[bytes]:
        folder = os.path.dirname(file.name)  # noqa: PTH120 - a name in the tar
        if folder and folder not in self._folders:
            self._add_folder(folder)
        status = file.status
        self._mtime_ns = max(self._mtime_ns, status.st_mtime_ns)
        member = _member(file.name, Kind.FILE, status, status.st_size)
        digest = ContentSum(member)
        self._tar.begin(member)
        at = 0
        while at < status.st_size:
            chunk = os.pread(file.descriptor, min(CHUNK_BYTES, status.st_size - at), at)
            if not chunk:
                raise BackupError(
                    ErrorId.CHANGED, f"{file.name} became shorter while it was read", exit_code=ExitCode.FAILED
                )
            self._tar.data(chunk)
            digest.feed(at, chunk)
            at += len(chunk)
            yield chunk
        self._lines.append(self._index.add(member, digest.hexdigest()))

    def _add_folder(self, name: str) -> None:
        self._folders.add(name)
        member = _member(name, Kind.FOLDER, (self._place.folder / name).stat(), 0)
        self._tar.begin(member)
        self._lines.append(self._index.add(member, ""))

    def close(self) -> None:
        """Write the index and the end mark."""
        lines = b"".join(self._lines)
        self._tar.whole(Member(name=INDEX, kind=Kind.FILE, size_bytes=len(lines), mtime_ns=self._mtime_ns), lines)
        self._tar.end()


def _member(name: str, kind: Kind, status: os.stat_result, size: int) -> Member:
    path = LABEL if name == "." else f"{LABEL}/{name}"
    return Member(
        name=os.fsencode(path),
        kind=kind,
        size_bytes=size,
        mode=status.st_mode & 0o7777,
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
    )
