"""Many small objects and pages of one bucket, over libcurl: signed GETs, several at once, in one thread.

boto3 takes ten times as long for a small object. Only good answers come from here: whoever gets none asks boto3, which
knows every kind of error, redirect and clock that is wrong.
"""

import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit

from dce_play.system.s3.answers import checked, facts_of, page_of
from dce_play.system.s3.errors import S3Unreachable
from dce_play.system.s3.objects import ObjectFacts
from dce_play.system.s3.place import CONNECT_S, S3Place
from dce_play.system.s3.signature import signed_headers

_UNRESERVED = "-._~"
_LONGEST_PAGE_BYTES = 64 << 20
_TICK_S = 1.0


def _authorities() -> str:
    """Return the file of the certificate authorities that boto3 trusts."""
    from botocore.httpsession import get_cert_path  # 100 ms to import

    return os.environ.get("AWS_CA_BUNDLE") or str(get_cert_path(verify=True))


@dataclass(slots=True, eq=False)
class Transfer:
    """One GET: what was asked, and what has come of it."""

    path: str
    query: str
    most_bytes: int
    """A body that is longer is given up."""
    head: BytesIO = field(default_factory=BytesIO)
    body: bytearray = field(default_factory=bytearray)
    is_done: bool = False
    is_good: bool = False
    """A plain 200 came, whole. ``False`` until it is done."""
    is_longer: bool = False
    failure: str = ""
    """Why no whole answer came, in libcurl's words."""

    def take(self, data: bytes) -> int | None:
        """Take some of the body, as libcurl hands it on."""
        if len(self.body) + len(data) > self.most_bytes:
            self.is_longer = True
            return -1
        self.body += data
        return None

    def headers(self) -> dict[str, str]:
        """Return the answer's headers by lower-case names; the last of several counts."""
        lines = self.head.getvalue().decode("iso-8859-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        return {name.strip().lower(): value.strip() for name, _, value in pairs if name}


class Transfers:
    """Signed GETs of one bucket, for one thread. ``close`` ends the connections and what is under way."""

    def __init__(self, place: S3Place) -> None:
        import pycurl  # only object stores need it

        self._curl: Any = pycurl
        self._place = place
        parts = urlsplit(place.endpoint)
        folder = parts.path.rstrip("/")
        name = quote(place.bucket, safe=_UNRESERVED)
        self._netloc = parts.netloc if place.path_style else f"{name}.{parts.netloc}"
        self._address = f"{parts.scheme}://{self._netloc}"
        self._folder = f"{folder}/{name}" if place.path_style else folder
        self._authorities = _authorities() if parts.scheme == "https" else ""
        self._multi = pycurl.CurlMulti()
        self._idle: list[Any] = []
        self._active: dict[Any, Transfer] = {}
        self._waiting: deque[Transfer] = deque()

    def start(self, key: str, version_id: str, *, most_bytes: int) -> Transfer:
        """Ask for an object; it comes while another is waited for."""
        query = f"versionId={quote(version_id, safe=_UNRESERVED)}" if version_id else ""
        return self._started(Transfer(f"{self._folder}/{quote(key, safe='/' + _UNRESERVED)}", query, most_bytes))

    def received(self, where: str, transfer: Transfer) -> tuple[ObjectFacts, bytes] | None:
        """Wait for an object; return it, or ``None`` where no plain 200 came with all that must be known of it.

        Raises: S3Corrupt, when the length, the checksum header or the md5 is another; S3Unreachable, where the place
        allows one attempt and this was it.
        """
        if not self._is_good(where, transfer):
            return None
        headers = transfer.headers()
        facts = facts_of(headers)
        if facts is None:
            return None
        return facts, checked(where, facts, headers, bytes(transfer.body))

    def page(self, prefix: str, token: str, size: int) -> Mapping[str, Any] | None:
        """Return a page of the bucket as boto3 tells of it, or ``None`` where no page comes that can be read.

        Raises: S3Unreachable, as ``received``.
        """
        asked = {"encoding-type": "url", "list-type": "2", "max-keys": str(size), "prefix": prefix}
        if token:
            asked["continuation-token"] = token
        query = "&".join(f"{name}={quote(asked[name], safe=_UNRESERVED)}" for name in sorted(asked))
        transfer = self._started(Transfer(self._folder or "/", query, _LONGEST_PAGE_BYTES))
        return page_of(bytes(transfer.body)) if self._is_good(self._place.where, transfer) else None

    def close(self) -> None:
        """End the connections, also of transfers that have not ended."""
        for handle in self._active:
            with suppress(self._curl.error):
                self._multi.remove_handle(handle)
        for handle in (*self._active, *self._idle):
            handle.close()
        self._active.clear()
        self._idle.clear()
        self._multi.close()

    def _started(self, transfer: Transfer) -> Transfer:
        self._waiting.append(transfer)
        self._fill()
        return transfer

    def _fill(self) -> None:
        while self._waiting and len(self._active) < self._place.connections:
            transfer = self._waiting.popleft()
            handle = self._idle.pop() if self._idle else self._new_handle()
            headers = signed_headers(self._place, self._netloc, transfer.path, transfer.query)
            target = f"{transfer.path}?{transfer.query}" if transfer.query else transfer.path
            handle.setopt(self._curl.URL, self._address + target)
            handle.setopt(self._curl.HTTPHEADER, [f"{name}: {value}" for name, value in headers.items()])
            handle.setopt(self._curl.WRITEFUNCTION, transfer.take)
            handle.setopt(self._curl.WRITEHEADER, transfer.head)
            self._active[handle] = transfer
            self._multi.add_handle(handle)

    def _new_handle(self) -> Any:
        curl = self._curl
        handle = curl.Curl()
        handle.setopt(curl.NOSIGNAL, 1)
        handle.setopt(curl.PATH_AS_IS, 1)  # keys such as "a/../b" are names, not places
        handle.setopt(curl.HTTP_VERSION, curl.CURL_HTTP_VERSION_1_1)
        if self._authorities:
            handle.setopt(curl.CAINFO, self._authorities)
        handle.setopt(curl.CONNECTTIMEOUT_MS, round(1000 * min(CONNECT_S, self._place.silence_s)))
        handle.setopt(curl.LOW_SPEED_LIMIT, 1)
        handle.setopt(curl.LOW_SPEED_TIME, max(1, round(self._place.silence_s)))
        return handle

    def _is_good(self, where: str, transfer: Transfer) -> bool:
        while not transfer.is_done:
            self._multi.perform()
            if not self._collected():
                self._multi.select(_TICK_S)
        if transfer.failure and not transfer.is_longer and self._place.attempts == 1:
            raise S3Unreachable(where, f"no whole answer: {transfer.failure}")
        return transfer.is_good

    def _collected(self) -> bool:
        """Note what has ended and start what waits; return whether anything had."""
        more, good, bad = self._multi.info_read()
        for handle in good:
            self._ended(handle).is_good = handle.getinfo(self._curl.RESPONSE_CODE) == HTTPStatus.OK
        for handle, _, words in bad:
            self._ended(handle).failure = words or "the connection failed"
        self._fill()
        return bool(good or bad or more)

    def _ended(self, handle: Any) -> Transfer:
        transfer = self._active.pop(handle)
        transfer.is_done = True
        self._multi.remove_handle(handle)
        self._idle.append(handle)
        return transfer
