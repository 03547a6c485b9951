"""Copies in a bucket: uploaded with a checksum for every part, never over anything, and read back before they count."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dce_play.backup.definitions.model import S3Keys, TargetKeys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import RemoteCopy
from dce_play.backup.manifest import SUFFIX, Manifest, decode_manifest, encode_manifest
from dce_play.backup.protocols import Services
from dce_play.backup.s3_bucket import in_our_words, open_bucket
from dce_play.backup.store.names import split_name, stamp_time
from dce_play.backup.target_protocols import DeadUpload, RemoteBackup
from dce_play.system.counted import counted
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import S3Error
from dce_play.system.s3.upload import part_bytes

PART_BYTES = 16 << 20
_LARGEST_MANIFEST_BYTES = 4 << 20
MARK = "dce-play-backup"
"""The key of an object's metadata that says that we sent it; its value is the sha256 of all of it."""


def open_target(keys: TargetKeys, services: Services, /) -> "S3Target":
    """Return the target that a definition names; contacts nothing yet.

    Raises: BackupError: ``invalid``, ``no-tool``.
    """
    return S3Target(keys.s3, open_bucket(keys.s3, services), services)


class S3Target:
    """A bucket, or the part of one below a prefix."""

    def __init__(self, keys: S3Keys, bucket: Bucket, services: Services) -> None:
        self._prefix = f"{keys.prefix.strip('/')}/" if keys.prefix.strip("/") else ""
        self._bucket = bucket
        self._services = services

    @property
    def name(self) -> str:
        """Return ``s3://bucket/prefix``."""
        return f"s3://{self._bucket.place.bucket}/{self._prefix}".rstrip("/")

    def store(self, path: Path, manifest: Manifest, encode: Callable[[RemoteCopy], bytes], /) -> RemoteCopy:
        """Upload the data, read back, then upload the manifest. Nothing of ours stays where it fails.

        Raises: BackupError (``upload-failed``), whatever went wrong.
        """
        key = f"{self._prefix}{path.name}"
        with in_our_words(ErrorId.UPLOAD_FAILED):
            checksum = self._upload(path, key, manifest)
            try:
                self._read_back(key, manifest, checksum)
                copy = RemoteCopy(
                    target=self.name, key=key, bytes=manifest.bytes, sha256=manifest.sha256, verified_at=_now()
                )
                self._bucket.put(f"{key}{SUFFIX}", encode(copy), only_new=True, content_type="application/json")
            except BaseException:
                with suppress(S3Error):
                    self._bucket.delete(key)
                raise
        return copy

    def _upload(self, path: Path, key: str, manifest: Manifest) -> str:
        """Send the file; return the checksum that the store must name for it.

        What is read from the disk is hashed on its way: a file that is no longer what the manifest says is not sent.
        """
        parts = _parts(path, part_bytes(manifest.bytes, PART_BYTES))
        digest = hashlib.sha256()
        upload = self._bucket.begin(key, metadata={MARK: manifest.sha256})
        try:
            for part in parts:
                digest.update(part)
                upload.add(part)
            _compare(digest.hexdigest(), manifest.sha256, f"{path} is no longer what its manifest says")
            upload.complete(only_new=True)
        except BaseException:
            with suppress(S3Error):
                upload.abort()
            raise
        return upload.checksum()

    def _read_back(self, key: str, manifest: Manifest, checksum: str) -> None:
        facts = self._bucket.head(key)
        if facts is None or facts.size_bytes != manifest.bytes:
            found = "nothing" if facts is None else counted(facts.size_bytes, "byte")
            raise BackupError(
                ErrorId.UPLOAD_FAILED, f"{self.name} has {found} under {key}, not {counted(manifest.bytes, 'byte')}"
            )
        whole = base64.b64encode(bytes.fromhex(manifest.sha256)).decode()
        if facts.sha256 in {checksum, whole}:
            return
        _compare(self._sum(key), manifest.sha256, f"{self.name} gives back other bytes for {key} than were sent")

    def _sum(self, key: str) -> str:
        digest = hashlib.sha256()
        with self._bucket.open(key) as stream:
            for data in stream.chunks():
                digest.update(data)
        return digest.hexdigest()

    def read_again(self, backup: RemoteBackup, /) -> None:
        """Read a copy whole and compare its size and sum.

        Raises: BackupError: ``verify-failed``, for other bytes; ``auth``, ``forbidden``, ``unreachable``.
        """
        with in_our_words():
            found = self._sum(backup.key)
        if not backup.is_good or found != backup.manifest.sha256:
            raise BackupError(ErrorId.VERIFY_FAILED, f"{self.name}/{backup.file} is not what was uploaded")

    def backups(self) -> Sequence[RemoteBackup]:
        """Return all backups that lie there with a manifest of ours, oldest first. A manifest without data is none.

        Raises: BackupError: ``auth``, ``forbidden``, ``unreachable``, ``not-found``.
        """
        with in_our_words():
            sizes = self._sizes()
            found = list(self._told(sizes, [key for key in _told_keys(sizes) if key in sizes]))
        return sorted(found, key=lambda each: (each.manifest.ended, each.file))

    def left_by(self, module: str, /) -> Sequence[RemoteBackup]:
        """Return what removals that were killed have left. A copy that arrives while the pages are read is none of it.

        Raises: BackupError: ``auth``, ``forbidden``, ``unreachable``, ``not-found``.
        """
        with in_our_words():
            sizes = self._sizes()
            bare = self._told(sizes, [key for key in _told_keys(sizes) if key not in sizes])
            return [each for each in bare if each.manifest.module == module and self._bucket.head(each.key) is None]

    def dead_uploads(self, module: str, /, *, before: datetime) -> Sequence[DeadUpload]:
        """Return data of ours without a manifest. Only what bears our mark is ours, whatever its name says.

        Raises: BackupError: ``auth``, ``forbidden``, ``unreachable``, ``not-found``.
        """
        with in_our_words():
            listed = {each.key: each for page in self._bucket.pages(self._prefix) for each in page}
            found = []
            for key, each in listed.items():
                name = split_name(key.removeprefix(self._prefix))
                if name is None or name.module != module or f"{key}{SUFFIX}" in listed:
                    continue
                taken = stamp_time(name.stamp)
                if taken is not None and _is_before(each.last_modified, before) and self._is_dead(key):
                    found.append(DeadUpload(file=str(name), key=key, taken=taken))
        return found

    def _is_dead(self, key: str) -> bool:
        """Return whether an object bears our mark and has no manifest, which may have come since it was listed."""
        facts = self._bucket.head(key)
        return facts is not None and MARK in facts.metadata and self._bucket.head(f"{key}{SUFFIX}") is None

    def remove_dead(self, upload: DeadUpload, /) -> None:
        """Remove data without a manifest.

        Raises: BackupError.
        """
        with in_our_words(has_begun=True):
            if self._is_dead(upload.key):
                self._bucket.delete(upload.key)

    def _sizes(self) -> dict[str, int]:
        return {each.key: each.size_bytes for page in self._bucket.pages(self._prefix) for each in page}

    def _told(self, sizes: Mapping[str, int], keys: Iterable[str]) -> Iterator[RemoteBackup]:
        for key in keys:
            manifest = self._manifest(f"{key}{SUFFIX}")
            file = key.removeprefix(self._prefix)
            if manifest is not None and manifest.file == file:
                yield RemoteBackup(file=file, key=key, bytes=sizes.get(key, 0), manifest=manifest)

    def _manifest(self, key: str) -> Manifest | None:
        with self._bucket.open(key) as stream:
            data = b"".join(stream.chunks())
        try:
            return decode_manifest(data, name=f"{self.name}: {key}")
        except BackupError as error:
            self._services.say(str(error))
            return None

    def mark(self, backup: RemoteBackup, manifest: Manifest, /) -> None:
        """Replace a copy's manifest.

        Raises: BackupError.
        """
        with in_our_words(has_begun=True):
            data = encode_manifest(manifest)
            self._bucket.put(f"{backup.key}{SUFFIX}", data, only_new=False, content_type="application/json")

    def remove(self, backup: RemoteBackup, /) -> None:
        """Remove a backup: its data first, then its manifest.

        Raises: BackupError.
        """
        with in_our_words(has_begun=True):
            self._bucket.delete(backup.key)
            self._bucket.delete(f"{backup.key}{SUFFIX}")


def _told_keys(sizes: Mapping[str, int]) -> list[str]:
    """Return the keys of the data that manifests of a sensible size tell of, whether it is there or not."""
    return [
        key.removesuffix(SUFFIX)
        for key, size in sizes.items()
        if key.endswith(SUFFIX) and size <= _LARGEST_MANIFEST_BYTES
    ]


def _is_before(stamp: str, moment: datetime) -> bool:
    """Return whether a store's time is before a moment; of one that cannot be read nobody knows it."""
    try:
        return datetime.fromisoformat(stamp).astimezone(UTC) < moment
    except ValueError:
        return False


def _compare(found: str, expected: str, otherwise: str) -> None:
    if found != expected:
        raise BackupError(ErrorId.UPLOAD_FAILED, otherwise)


def _parts(path: Path, size_bytes: int) -> Iterator[bytes]:
    """Yield a file in parts; an empty file is one empty part."""
    with path.open("rb") as file:
        data = file.read(size_bytes)
        yield data
        while data := file.read(size_bytes):
            yield data


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
