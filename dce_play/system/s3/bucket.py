"""One bucket: its pages of objects, reading them, and writing them only where nothing is yet.

Every read checks the store's checksum header, every write sends a SHA-256 that the store checks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from dce_play.system.counted import counted
from dce_play.system.s3.errors import S3Error, S3NotFound, translated
from dce_play.system.s3.objects import Listed, ObjectFacts, ObjectStream, facts_from, listed_from
from dce_play.system.s3.place import S3Place, look_for_packages, new_client
from dce_play.system.s3.transfers import Transfers
from dce_play.system.s3.upload import Part, Unfinished, Upload, sha256_base64


class Bucket:
    """A bucket of an S3 API. Shared by threads. ``close`` ends its connections.

    Raises: S3Missing, when boto3 or pycurl is not installed.
    """

    def __init__(self, place: S3Place) -> None:
        look_for_packages()
        self.place = place
        self._name = place.bucket

    @cached_property
    def _client(self) -> Any:
        return new_client(self.place)

    def close(self) -> None:
        """End all connections."""
        if "_client" in self.__dict__:
            self._client.close()

    @contextmanager
    def transfers(self) -> Iterator[Transfers]:
        """Give a quick way to many pages and small objects, for one thread."""
        transfers = Transfers(self.place)
        try:
            yield transfers
        finally:
            transfers.close()

    def look(self, prefix: str = "") -> None:
        """See that the bucket is there and may be listed.

        Raises: S3Error.
        """
        with self.transfers() as transfers:
            next(self.pages(prefix, page_size=1, over=transfers))

    def where(self, key: str) -> str:
        """Return an object's address for people; what is not printable in its key is escaped."""
        return f"{self.place.where}/{key.encode('unicode_escape').decode()}"

    def pages(
        self, prefix: str = "", *, versions: bool = False, page_size: int = 1000, over: Transfers | None = None
    ) -> Iterator[tuple[Listed, ...]]:
        """Yield the objects page by page, in the store's order, which need not be the keys' order.

        Deletion marks are left out. Long listings are quicker ``over`` the caller's transfers.
        Raises: S3Error, also for a listing that makes no progress or contradicts itself.
        """
        ask = self._version_page if versions else partial(self._page, over)
        marker: dict[str, str] = {}
        while True:
            with translated(self.place.where):
                page, following, cut = ask(prefix, marker, page_size)
            yield page
            if not cut:
                return
            if not following or following == marker:
                raise S3Error(self.place.where, "the listing is cut off and names no next page")
            marker = following

    def _page(
        self, over: Transfers | None, prefix: str, marker: dict[str, str], size: int
    ) -> tuple[tuple[Listed, ...], dict[str, str], bool]:
        said = None if over is None else over.page(prefix, marker.get("ContinuationToken", ""), size)
        if said is None:
            said = self._client.list_objects_v2(Bucket=self._name, Prefix=prefix, MaxKeys=size, **marker)
        listed = tuple(listed_from(each) for each in said.get("Contents", ()))
        if said.get("KeyCount", len(listed)) != len(listed):
            raise S3Error(
                self.place.where, f"a page announces {counted(said['KeyCount'], 'object')} and lists {len(listed)}"
            )
        token = said.get("NextContinuationToken", "")
        return listed, {"ContinuationToken": token} if token else {}, bool(said.get("IsTruncated"))

    def _version_page(
        self, prefix: str, marker: dict[str, str], size: int
    ) -> tuple[tuple[Listed, ...], dict[str, str], bool]:
        said = self._client.list_object_versions(Bucket=self._name, Prefix=prefix, MaxKeys=size, **marker)
        listed = tuple(listed_from(each) for each in said.get("Versions", ()))
        following = {
            f"{name}Marker": said[f"Next{name}Marker"] for name in ("Key", "VersionId") if said.get(f"Next{name}Marker")
        }
        return listed, following, bool(said.get("IsTruncated"))

    @contextmanager
    def open(self, key: str, *, version_id: str = "") -> Iterator[ObjectStream]:
        """Open one object for reading.

        Raises: S3NotFound, S3Error.
        """
        where = self.where(key)
        versioned = {"VersionId": version_id} if version_id else {}
        with translated(where):
            said = self._client.get_object(Bucket=self._name, Key=key, ChecksumMode="ENABLED", **versioned)
        try:
            yield ObjectStream(where, facts_from(said), said["Body"])
        finally:
            said["Body"].close()

    def head(self, key: str) -> ObjectFacts | None:
        """Return what the store says of an object, or ``None`` where there is none."""
        try:
            with translated(self.where(key)):
                return facts_from(self._client.head_object(Bucket=self._name, Key=key, ChecksumMode="ENABLED"))
        except S3NotFound:
            return None

    def put(
        self,
        key: str,
        data: bytes,
        *,
        only_new: bool,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a small object whole.

        Raises: S3Taken, when it must be new and is not; S3Error.
        """
        only = {"IfNoneMatch": "*"} if only_new else {}
        with translated(self.where(key)):
            self._client.put_object(
                Bucket=self._name, Key=key, Body=data, ChecksumSHA256=sha256_base64(data), ContentType=content_type,
                Metadata=dict(metadata or {}), **only,
            )  # fmt: skip

    def begin(
        self, key: str, *, content_type: str = "application/octet-stream", metadata: Mapping[str, str] | None = None
    ) -> Upload:
        """Begin an upload in parts; nothing shows under the key before it is completed."""
        with translated(self.where(key)):
            said = self._client.create_multipart_upload(
                Bucket=self._name, Key=key, ChecksumAlgorithm="SHA256", ContentType=content_type,
                Metadata=dict(metadata or {}),
            )  # fmt: skip
        return Upload(self._client, self.where(key), self._name, key, said["UploadId"])

    def resume(self, key: str, upload_id: str, parts: tuple[Part, ...]) -> Upload:
        """Take up an upload that was begun elsewhere, with the parts that are known to be there."""
        return Upload(self._client, self.where(key), self._name, key, upload_id, parts)

    def unfinished(self, prefix: str = "") -> Iterator[Unfinished]:
        """Yield the uploads in parts that were begun and neither completed nor aborted.

        Raises: S3Error, also for a listing that makes no progress.
        """
        marker: dict[str, str] = {}
        while True:
            with translated(self.place.where):
                said = self._client.list_multipart_uploads(Bucket=self._name, Prefix=prefix, **marker)
            for each in said.get("Uploads", ()):
                yield Unfinished(key=each["Key"], upload_id=each["UploadId"], begun=each["Initiated"])
            if not said.get("IsTruncated"):
                return
            following = {
                name: said[f"Next{name}"] for name in ("KeyMarker", "UploadIdMarker") if said.get(f"Next{name}")
            }
            if not following or following == marker:
                raise S3Error(self.place.where, "the listing is cut off and names no next page")
            marker = following

    def copy(self, source: str, key: str, *, only_new: bool) -> None:
        """Copy an object inside the bucket.

        Raises: S3Taken, S3Error.
        """
        only = {"IfNoneMatch": "*"} if only_new else {}
        with translated(self.where(key)):
            self._client.copy_object(
                Bucket=self._name, Key=key, CopySource={"Bucket": self._name, "Key": source}, **only
            )

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens where there is none."""
        with translated(self.where(key)):
            self._client.delete_object(Bucket=self._name, Key=key)
