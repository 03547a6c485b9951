"""A store's own answers, told as boto3 tells them: an object's headers, and a page's XML.

Source: the S3 API, "GetObject" and "ListObjectsV2".
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, ParseError, fromstring

from dce_play.system.s3.errors import S3Corrupt
from dce_play.system.s3.objects import ObjectFacts, check_bytes, facts_from

_META = "x-amz-meta-"
_OBJECT = ("Key", "Size", "ETag", "LastModified")
_SUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
}
_TOLD = {
    "ETag": "etag",
    "ContentType": "content-type",
    "VersionId": "x-amz-version-id",
    "ChecksumSHA256": "x-amz-checksum-sha256",
}
_TOLD_WHERE_THERE = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSECustomerAlgorithm": "x-amz-server-side-encryption-customer-algorithm",
}


def facts_of(headers: Mapping[str, str]) -> ObjectFacts | None:
    """Return what an answer's headers (lower-case names) say of an object, or ``None`` where they lack something."""
    try:
        said: dict[str, Any] = {
            "ContentLength": int(headers["content-length"]),
            "LastModified": _moment(headers["last-modified"]),
        }
    except (KeyError, ValueError):
        return None
    said |= {name: headers.get(header, "") for name, header in _TOLD.items()}
    said |= {name: headers[header] for name, header in _TOLD_WHERE_THERE.items() if header in headers}
    said["Metadata"] = {name[len(_META) :]: value for name, value in headers.items() if name.startswith(_META)}
    return facts_from(said)


_moment = lru_cache(maxsize=1024)(parsedate_to_datetime)
"""Many objects of a bucket were written within one second."""


def checked(where: str, facts: ObjectFacts, headers: Mapping[str, str], data: bytes) -> bytes:
    """Return an object's bytes, found to be those that were announced.

    Raises: S3Corrupt; S3Unreachable, when their number is another.
    """
    check_bytes(where, facts, len(data), hashlib.md5(data, usedforsecurity=False) if facts.etag_is_md5 else None)
    for name, computed in _SUMS.items():
        announced = headers.get(name, "-")
        if "-" not in announced and base64.b64encode(computed(data)).decode() != announced:
            raise S3Corrupt(where, "the checksum differs")
    return data


def page_of(text: bytes) -> dict[str, Any] | None:
    """Return a page as boto3 tells of it, or ``None`` where anything in it is not as it must be."""
    try:
        root = fromstring(text)  # noqa: S314  # expat bounds what entities grow to
        if root.tag.endswith("ListBucketResult"):
            return _page(root, root.tag.removesuffix("ListBucketResult"))
    except (ParseError, ValueError, KeyError):
        pass
    return None


def _page(root: Element, namespace: str) -> dict[str, Any]:
    start = len(namespace)
    contents: list[dict[str, str]] = []
    said: dict[str, str] = {}
    for child in root:
        if child.tag[start:] == "Contents":
            contents.append({part.tag[start:]: part.text or "" for part in child})
        else:
            said[child.tag[start:]] = child.text or ""
    decoded = unquote_plus if said.get("EncodingType") == "url" else str
    page: dict[str, Any] = {
        "Contents": [_entry(each, decoded) for each in contents],
        "IsTruncated": {"true": True, "false": False}[said["IsTruncated"]],
    }
    if "KeyCount" in said:
        page["KeyCount"] = int(said["KeyCount"])
    if said.get("NextContinuationToken"):
        page["NextContinuationToken"] = said["NextContinuationToken"]
    return page


def _entry(said: Mapping[str, str], decoded: Callable[[str], str]) -> dict[str, Any]:
    key, size, etag, moment = (said[name] for name in _OBJECT)
    return {"Key": decoded(key), "Size": int(size), "ETag": etag, "LastModified": datetime.fromisoformat(moment)}
