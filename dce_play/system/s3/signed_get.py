"""Reading objects without the generic machinery of boto3: one signed GET over a pool of connections.

A bucket of small objects is read four times as fast. Only good answers come from here: whoever gets none asks boto3,
which knows every kind of error, redirect and clock that is wrong.
Source: the S3 API, "Authenticating Requests (AWS Signature Version 4)".
"""

import base64
import hashlib
import hmac
import os
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from dce_play.system.s3.errors import S3Corrupt
from dce_play.system.s3.objects import ObjectFacts, facts_from
from dce_play.system.s3.place import CONNECT_S, S3Place

_NO_BODY = hashlib.sha256(b"").hexdigest()
_SIGNED = "host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date"
_META = "x-amz-meta-"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Running(Protocol):
    """A checksum that is being computed."""

    def update(self, data: bytes, /) -> object: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_KINDS: dict[str, Callable[[], Running]] = {
    "x-amz-checksum-sha256": hashlib.sha256,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-crc32": _Crc32,
}


class SignedGets:
    """Connections to one bucket, shared by threads."""

    def __init__(self, place: S3Place) -> None:
        import urllib3  # it comes with boto3

        parts = urlsplit(place.endpoint)
        self._place = place
        self._netloc = parts.netloc
        self._folder = f"{parts.path.rstrip('/')}/{quote(place.bucket, safe='-._~')}"
        self._pool = urllib3.connection_from_url(
            f"{parts.scheme}://{parts.netloc}",
            maxsize=place.connections,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=place.silence_s),
            retries=False,
        )

    @staticmethod
    def fits(place: S3Place) -> bool:
        """Return whether this way is open: a bucket in the path, no proxy, and no authorities of the cloud's tools."""
        behind = any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES)
        own_authorities = place.endpoint.startswith("https:") and os.environ.get("AWS_CA_BUNDLE")
        return place.path_style and not behind and not own_authorities

    def get(self, where: str, key: str, version_id: str) -> "tuple[ObjectFacts, CheckedBody] | None":
        """Return an object's facts and its bytes, or ``None`` where no plain 200 with a length comes."""
        from urllib3.exceptions import HTTPError  # as above

        path = f"{self._folder}/{quote(key, safe='/-._~')}"
        query = f"versionId={quote(version_id, safe='-._~')}" if version_id else ""
        try:
            response = self._pool.urlopen(
                "GET",
                f"{path}?{query}" if query else path,
                headers=self._headers(path, query),
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        except HTTPError:
            return None
        headers = {name.lower(): value for name, value in response.headers.items()}
        if response.status != 200 or "content-length" not in headers or "last-modified" not in headers:
            response.close()
            return None
        return facts_from(_as_said(headers)), CheckedBody(where, response, headers)

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def _headers(self, path: str, query: str) -> dict[str, str]:
        now = datetime.now(UTC)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        scope = f"{day}/{self._place.region}/s3/aws4_request"
        canonical = "\n".join(
            (
                "GET", path, query, f"host:{self._netloc}", "x-amz-checksum-mode:ENABLED",
                f"x-amz-content-sha256:{_NO_BODY}", f"x-amz-date:{stamp}", "", _SIGNED, _NO_BODY,
            )
        )  # fmt: skip
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = _signing_key(self._place.secret_key, day, self._place.region)
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return {
            "Host": self._netloc,
            "Accept-Encoding": "identity",
            "x-amz-checksum-mode": "ENABLED",
            "x-amz-content-sha256": _NO_BODY,
            "x-amz-date": stamp,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self._place.access_key}/{scope}, "
            f"SignedHeaders={_SIGNED}, Signature={signature}",
        }


class CheckedBody:
    """An answer's bytes; the read that finds their end also finds the checksum equal."""

    def __init__(self, where: str, response: Any, headers: Mapping[str, str]) -> None:
        self._where = where
        self._response = response
        self._ended = False
        self._sums = [
            (kind(), headers[name]) for name, kind in _KINDS.items() if name in headers and "-" not in headers[name]
        ]

    def read(self, size_bytes: int) -> bytes:
        """Return some bytes; empty at the end.

        Raises: S3Corrupt; what urllib3 raises when the connection is cut.
        """
        data: bytes = self._response.read(size_bytes)
        for running, _ in self._sums:
            running.update(data)
        if not data:
            self._ended = True
            for running, announced in self._sums:
                if base64.b64encode(running.digest()).decode() != announced:
                    raise S3Corrupt(self._where, "the checksum differs")
        return data

    def close(self) -> None:
        """Give the connection back, or end it where bytes are left on it."""
        if self._ended:
            self._response.release_conn()
        else:
            self._response.close()


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _as_said(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the headers as boto3 tells of them."""
    said: dict[str, Any] = {
        "ContentLength": int(headers["content-length"]),
        "ETag": headers.get("etag", ""),
        "ContentType": headers.get("content-type", ""),
        "LastModified": parsedate_to_datetime(headers["last-modified"]),
        "Metadata": {name[len(_META) :]: value for name, value in headers.items() if name.startswith(_META)},
        "VersionId": headers.get("x-amz-version-id", ""),
        "ChecksumSHA256": headers.get("x-amz-checksum-sha256", ""),
    }
    if "x-amz-server-side-encryption" in headers:
        said["ServerSideEncryption"] = headers["x-amz-server-side-encryption"]
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        said["SSECustomerAlgorithm"] = headers["x-amz-server-side-encryption-customer-algorithm"]
    return said
