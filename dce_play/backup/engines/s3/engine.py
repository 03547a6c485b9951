"""Class D: a bucket of an object store, mirrored into a tar; its data folder only where no endpoint is given."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from dce_play.backup.definitions.model import Module, S3Keys
from dce_play.backup.engines.s3.archive import Archiver
from dce_play.backup.engines.s3.contents import compare_counts, open_table, read_objects
from dce_play.backup.engines.s3.drill import drill_objects
from dce_play.backup.engines.s3.index import Totals
from dce_play.backup.engines.s3.restore import compare, put_back, put_into, wanted_of
from dce_play.backup.engines.s3.roster import open_roster
from dce_play.backup.errors import BackupError, ErrorId, WarningId
from dce_play.backup.facts import Consistency, Drilled, EngineFacts, Health, PlanItem, Produced, SourceFacts, Warned
from dce_play.backup.manifest import Manifest
from dce_play.backup.mounted import FORMAT as MOUNTED
from dce_play.backup.mounted import files_engine, mounted_source, names_a_place
from dce_play.backup.protocols import DrillOptions, EngineSource, OpenBackup, Restoring, Services
from dce_play.backup.s3_bucket import alias_of, in_our_words, open_bucket
from dce_play.backup.streams import PulledSink, Sink
from dce_play.system.counted import counted, in_number
from dce_play.system.s3.bucket import Bucket

NAME = "s3"
FORMAT = "s3-tar"


class ObjectsCheck:
    """Level 2: every object hashed and held against the index, and that against the manifest's counts."""

    def __init__(self, services: Services, manifest: Manifest | None) -> None:
        self._kept = ExitStack()
        folder = self._kept.enter_context(services.temporary_folder("dce-play-check-"))
        table = self._kept.enter_context(open_table(folder))

        def read(stream: BinaryIO) -> Totals:
            totals = read_objects(stream, table)
            if manifest is not None:
                compare_counts(totals, manifest.counts)
            return totals

        self._reader = PulledSink(read, name="objects-check")

    def write(self, data: "bytes | memoryview", /) -> None:
        """Take more of the stream."""
        self._reader.write(data)

    def finish(self) -> None:
        """See what the reader found.

        Raises: BackupError: ``truncated``, ``incomplete``, ``verify-failed``.
        """
        self._reader.finish()
        self._kept.close()

    def abort(self) -> None:
        """Let go of the reader and its table."""
        self._reader.abort()
        self._kept.close()


class BucketSource:
    """A bucket that is about to be read."""

    extension = "tar"
    is_compressible = True

    def __init__(self, module: Module, services: Services, bucket: Bucket) -> None:
        self._keys = module.keys
        self._services = services
        self._bucket = bucket

    def estimate_bytes(self) -> None:
        """Return nothing: only a whole listing would tell."""

    def check(self) -> Sink:
        """Return a reader of such archives."""
        return ObjectsCheck(self._services, None)

    def produce(self, out: Sink, /, *, quiesced: bool) -> Produced:  # noqa: ARG002  # the store is asked, not its disk
        """Write all objects and then their index.

        Raises: BackupError: ``auth``, ``forbidden``, ``not-found``, ``unreachable``, ``verify-failed``, ``changed``.
        """
        keys = self._keys.s3
        with (
            self._services.temporary_folder("dce-play-s3-") as folder,
            open_roster(folder) as roster,
            in_our_words(has_begun=True),
        ):
            archiver = Archiver(self._bucket, out, roster, prefix=keys.prefix, versions=keys.versions)
            totals = archiver.write()
        warnings: tuple[Warned, ...] = ()
        if archiver.changed_to_the_end:
            changed = counted(archiver.changed_to_the_end, "object")
            message = f"{changed} still changed after being fetched again three times"
            if self._keys.on_change == "fail":
                raise BackupError(ErrorId.CHANGED, message)
            warnings = (Warned(id=WarningId.LIVE_CHANGED, message=message),)
        return Produced(
            engine=EngineFacts(name=NAME, tool="libcurl", tool_version=_version()),
            source=SourceFacts(kind="endpoint", where=_where(keys, self._bucket)),
            format=FORMAT,
            consistency=Consistency.LIVE_CHANGED if warnings else Consistency.LIVE,
            counts=totals.counts(),
            warnings=warnings,
        )


class S3Engine:
    """Buckets: archived, checked, drilled into a folder, put back."""

    name = NAME

    def probe(self, module: Module, services: Services, /, *, timeout_s: float) -> Health:
        """Return healthy where the bucket can be listed; unknown where only its data folder is known."""
        keys = module.keys.s3
        if not (keys.endpoint or alias_of(keys, services)):
            return Health.UNKNOWN
        try:
            with _opened(keys, services, patience_s=timeout_s) as bucket, in_our_words():
                bucket.look(keys.prefix)
        except BackupError:
            return Health.UNHEALTHY
        return Health.HEALTHY

    def readiness(self, module: Module, /) -> tuple[str, ...]:
        """Return what the definition lacks."""
        keys = module.keys.s3
        if keys.bucket and (keys.endpoint or keys.alias):
            return ()
        if keys.data_folder or names_a_place(module):
            return ()
        return ("no data place: set s3.endpoint and s3.bucket",)

    @contextmanager
    def open(self, module: Module, services: Services, /, *, dry_run: bool, excluding: Path) -> Iterator[EngineSource]:
        """Look whether the bucket can be listed; without an endpoint or alias take its data folder.

        Raises: BackupError: ``auth``, ``forbidden``, ``not-found``, ``unreachable``, ``no-tool``, ``invalid``.
        """
        keys = module.keys.s3
        if not (keys.endpoint or alias_of(keys, services)) and (keys.data_folder or names_a_place(module)):
            because = f"{module.name} has no endpoint of its object store"
            with mounted_source(
                module, services, folder=keys.data_folder, engine=NAME, because=because, dry_run=dry_run,
                excluding=excluding,
            ) as source:  # fmt: skip
                yield source
            return
        with _opened(keys, services) as bucket:
            with in_our_words():
                bucket.look(keys.prefix)
            yield BucketSource(module, services, bucket)

    def quiesce_places(self, module: Module, services: Services, /) -> tuple[str, ...]:  # noqa: ARG002  # protocol
        """Return the data folder, if one is named."""
        return (module.keys.s3.data_folder,) if module.keys.s3.data_folder else ()

    def check(self, manifest: Manifest, services: Services, /) -> Sink | None:
        """Return a reader of such archives, told what it must find."""
        if manifest.format == MOUNTED:
            return files_engine().check(manifest, services)
        return ObjectsCheck(services, manifest)

    def drill(self, backup: OpenBackup, services: Services, options: DrillOptions, /) -> Drilled:
        """Put the objects into a folder and read them there."""
        if backup.manifest.format == MOUNTED:
            return files_engine().drill(backup, services, options)
        return drill_objects(backup, services, options)

    def plan_restore(
        self, backup: OpenBackup, module: Module, services: Services, /, *, into: Path | None
    ) -> tuple[PlanItem, ...]:
        """Return what would be put where, and what stays."""
        if backup.manifest.format == MOUNTED:
            return files_engine().plan_restore(backup, module, services, into=into)
        counts = backup.manifest.counts
        held = f"{counted(counts.get('objects', 0), 'object')}, {counted(counts.get('bytes', 0), 'byte')}"
        if into is not None:
            written = PlanItem(what="write", detail=f"objects and index to {into}")
            return (PlanItem(what="contents", detail=held), written)
        keys = module.keys.s3
        with (
            services.temporary_folder("dce-play-restore-") as folder,
            wanted_of(backup, folder) as wanted,
            _opened(keys, services) as bucket,
            in_our_words(),
        ):
            found = compare(bucket, wanted, prefix=keys.prefix, drop_equal=False)
            where = _where(keys, bucket)
        return (
            PlanItem(
                what="replace",
                detail=f"{counted(found.differing, 'object')} in {where} that "
                f"{in_number(found.differing, 'differs', 'differ')}",
            ),
            PlanItem(what="put", detail=counted(found.missing, "object that is missing", "objects that are missing")),
            PlanItem(
                what="equal",
                detail=counted(found.equal, "object is equal and left alone", "objects are equal and left alone"),
            ),
            PlanItem(
                what="keep",
                detail=counted(found.extra, "object that the backup lacks stays", "objects that the backup lacks stay"),
            ),
            PlanItem(what="contents", detail=held),
        )

    def restore(self, backup: OpenBackup, module: Module, services: Services, restoring: Restoring, /) -> None:
        """Put objects that are missing or differ, with type and metadata; the others stay.

        Raises: BackupError: ``usage``, when objects differ and ``replace`` was not given.
        """
        if backup.manifest.format == MOUNTED:
            files_engine().restore(backup, module, services, restoring)
            return
        keys = module.keys.s3
        with (
            services.temporary_folder("dce-play-restore-") as folder,
            wanted_of(backup, folder) as wanted,
            _opened(keys, services) as bucket,
            in_our_words(has_begun=True),
        ):
            found = compare(bucket, wanted, prefix=keys.prefix, drop_equal=True)
            if found.differing and not restoring.replace:
                raise BackupError(
                    ErrorId.USAGE,
                    f"{counted(found.differing, 'object')} in {_where(keys, bucket)} would be replaced with others",
                    hint=f"replace them with --confirm {module.name}",
                )
            if found.differing or found.missing:
                restoring.begins()  # objects are put one by one, and nothing puts the old ones back
            count = put_back(backup, bucket, wanted)
        services.say(
            f"put {counted(count, 'object')}; left alone: {found.equal} equal, {found.extra} that the backup lacks"
        )

    def restore_into(self, backup: OpenBackup, folder: Path, services: Services, /) -> None:
        """Write the objects as files, and the index that tells their keys."""
        if backup.manifest.format == MOUNTED:
            files_engine().restore_into(backup, folder, services)
            return
        with services.temporary_folder("dce-play-restore-") as notes, wanted_of(backup, notes) as wanted:
            put_into(backup, folder, wanted)


@contextmanager
def _opened(keys: S3Keys, services: Services, *, patience_s: float | None = None) -> Iterator[Bucket]:
    bucket = open_bucket(keys, services, patience_s=patience_s)
    try:
        yield bucket
    finally:
        bucket.close()


def _where(keys: S3Keys, bucket: Bucket) -> str:
    return f"{bucket.place.where}/{keys.prefix}".rstrip("/")


def _version() -> str:
    import pycurl  # loaded by now

    version: str = pycurl.version_info()[1]
    return version


ENGINE = S3Engine()
