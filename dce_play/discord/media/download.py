"""One file on its way into the store: asked for, resumed, checked, made durable, named."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin

from dce_play.discord.media.network import MediaNetwork
from dce_play.discord.media.pace import Pace
from dce_play.discord.media_store.hosts import Hosts, MediaRefused, origin_of
from dce_play.discord.media_store.index import MediaIndex
from dce_play.discord.media_store.ledger import Kept
from dce_play.discord.media_store.policy import MediaPolicy, MediaReference, MediaState
from dce_play.discord.media_store.store import MediaStore
from dce_play.discord.media_store.urls import unsigned
from dce_play.system.clock import Clock
from dce_play.system.counted import counted
from dce_play.system.guarded_network import TooSlow

TRIES = 5
_PAUSES_S = (1.0, 2.0, 4.0, 4.0)
_LONGEST_WAIT_S = 60.0
_REDIRECTS = 3
_BLOCK = 256 << 10
_SLOWEST = 4 << 10
"""Bytes a second; a body that drips more slowly over all of it is cut off."""
_PATIENCE_S = 300.0


class Result(NamedTuple):
    """What came of one reference. ``refused`` is set where another signature may help."""

    state: MediaState
    reason: str = ""
    kept: Kept | None = None
    refused: bool = False


class BytesSpent(Exception):
    """The run has fetched as many bytes as it was granted."""


class _Again(Exception):
    """This try came to nothing; another one may not."""

    def __init__(self, reason: str, *, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _Ended(Exception):
    """No further try helps."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.reason)
        self.result = result


class Budget:
    """How many bytes the run may still fetch."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    def spend(self, size: int) -> None:
        """Take bytes off. Raises: BytesSpent, when that many are not left."""
        if self._left is None:
            return
        if size > self._left:
            raise BytesSpent
        self._left -= size

    def check(self, size: int) -> None:
        """Raises: BytesSpent, when a file of this size would not fit."""
        if self._left is not None and (self._left <= 0 or size > self._left):
            raise BytesSpent


class Downloader:
    """Fetches files of one run, from several threads."""

    def __init__(
        self,
        store: MediaStore,
        index: MediaIndex,
        policy: MediaPolicy,
        hosts: Hosts,
        *,
        clock: Clock,
        beat: Callable[[], None],
    ) -> None:
        """``beat`` is called while bytes come and while time passes; it may raise to stop."""
        self._store = store
        self._index = index
        self._policy = policy
        self._hosts = hosts
        self._clock = clock
        self._beat = beat
        self._pace = Pace(policy.bandwidth, clock=clock)
        self._network = MediaNetwork(hosts, clock=clock, connections=policy.jobs)
        self.budget = Budget(policy.budget)

    def close(self) -> None:
        """End all connections."""
        self._network.close()

    def before_asking(self, reference: MediaReference) -> Result | None:
        """Return what is decided without asking, or ``None``."""
        if self._is_excluded(reference.name):
            return Result(MediaState.EXCLUDED, "its name is excluded")
        try:
            self._hosts.request_url(reference.url)
        except MediaRefused as refused:
            return Result(MediaState.EXCLUDED, str(refused))
        most = self._policy.max_file
        if most is not None and reference.size is not None and reference.size > most:
            return Result(MediaState.TOO_LARGE, counted(reference.size, "byte"))
        return None

    def fetch(self, reference: MediaReference, signed: str) -> Result:
        """Fetch a file by a URL that is signed now. Never raises for what a server does.

        Raises: BytesSpent; OSError of the store; whatever ``beat`` raises.
        """
        self.budget.check(reference.size or 0)
        part = self._store.part(unsigned(reference.url))
        reason = ""
        for attempt in range(TRIES):
            try:
                return self._once(reference, signed, part)
            except _Ended as ended:
                _drop(part)
                return ended.result
            except (MediaRefused, ValueError) as refused:  # also a URL, or a redirect to one, that cannot be sent
                _drop(part)
                return Result(MediaState.FAILED, str(refused))
            except _Again as again:
                reason, wait_s = str(again), again.wait_s
            except TooSlow:
                reason, wait_s = "its bytes come too slowly", None
            except self._network.failures as error:
                reason, wait_s = f"{type(error).__name__}: {error}", None
            if attempt < TRIES - 1:
                self._wait(max(_PAUSES_S[attempt], wait_s or 0.0))
        _drop(part)
        return Result(MediaState.FAILED, f"{reason}, {TRIES} times")

    def _wait(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            self._beat()
            self._clock.sleep(min(left, 0.2))

    def _once(self, reference: MediaReference, signed: str, part: Path) -> Result:
        key = unsigned(reference.url)
        url = self._hosts.request_url(signed)
        etag = self._index.etag(key)
        have = _size(part) if etag else 0
        headers = {"Range": f"bytes={have}-", "If-Range": etag} if have else {}
        total_s = _PATIENCE_S + max(reference.size or 0, self._policy.max_file or 0, 64 << 20) / _SLOWEST
        self._network.begin(total_s, self._beat)
        origin = origin_of(url)
        for _ in range(_REDIRECTS + 1):
            with self._network.stream(url, headers) as response:
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
                if 300 <= response.status < 400 and response.status != 304:
                    url = urljoin(url, told.get("location", ""))
                    if origin_of(url) != origin or not told.get("location"):
                        raise _Ended(Result(MediaState.FAILED, "a redirect to another server"))
                    continue
                self._check_status(response.status, told)
                return self._body(reference, response, told, part, have)
        raise _Ended(Result(MediaState.FAILED, "redirects without an end"))

    def _check_status(self, status: int, told: Mapping[str, str]) -> None:
        if status in {200, 206, 416}:
            return
        if status in {403, 404, 410}:
            raise _Ended(Result(MediaState.GONE, f"HTTP {status}", refused=True))
        if status == 429 or status >= 500 or status == 408:
            wait_s = _seconds(told.get("retry-after"))
            if wait_s is not None and wait_s > _LONGEST_WAIT_S:
                raise _Ended(Result(MediaState.FAILED, f"HTTP {status}, to wait for {wait_s:.0f} s"))
            raise _Again(f"HTTP {status}", wait_s=wait_s)
        raise _Ended(Result(MediaState.FAILED, f"HTTP {status}"))

    def _body(self, reference: MediaReference, response: Any, told: Mapping[str, str], part: Path, have: int) -> Result:
        key = unsigned(reference.url)
        content_type = told.get("content-type") or None
        if content_type and self._is_excluded(content_type.partition(";")[0].strip()):
            raise _Ended(Result(MediaState.EXCLUDED, f"{content_type} is excluded"))
        if told.get("content-encoding", "identity").lower() not in {"", "identity"}:
            raise _Ended(Result(MediaState.FAILED, "bytes in an encoding that was not asked for"))
        etag = told.get("etag", "")
        goes_on = response.status == 206 and have > 0
        if response.status == 416 or (response.status == 206 and not have):
            self._index.etag(key, "")
            _drop(part)
            raise _Again(f"HTTP {response.status} that was not asked for")
        if goes_on and (not _is_rest(told.get("content-range"), have) or (etag and etag != self._index.etag(key))):
            self._index.etag(key, "")
            _drop(part)
            raise _Again("another part, or of another file, than was asked for", wait_s=0.0)
        begin = have if goes_on else 0
        length = _number(told.get("content-length"))
        self._check_length(reference, None if length is None else begin + length)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if goes_on else os.O_TRUNC)
        descriptor = os.open(part, flags, 0o666)
        try:
            if not goes_on:  # only when the bytes of another validator are away: killed in between, nothing is mixed
                self._index.etag(key, etag if etag.startswith('"') else "")
            size, digest = self._receive(reference, response, descriptor, begin)
            if length is not None and size != begin + length:
                raise _Again("the answer was cut")
            if length is None and reference.size is not None and size < reference.size:
                raise _Again("the answer ended early")
            if reference.size is not None and size != reference.size:
                raise _Ended(Result(MediaState.FAILED, f"{counted(size, 'byte')} came, and not {reference.size}"))
            self._store.adopt_part(part, descriptor, digest)
        finally:
            os.close(descriptor)
        return Result(MediaState.KEPT, kept=Kept(digest, size, content_type))

    def _check_length(self, reference: MediaReference, total: int | None) -> None:
        """Refuse what is announced to be too long, before its bytes."""
        if total is None:
            self.budget.check(reference.size or 0)
            return
        if self._policy.max_file is not None and total > self._policy.max_file:
            raise _Ended(Result(MediaState.TOO_LARGE, counted(total, "byte")))
        if reference.size is not None and total != reference.size:
            raise _Ended(Result(MediaState.FAILED, f"{counted(total, 'byte')} announced, and not {reference.size}"))
        self.budget.check(total)

    def _receive(self, reference: MediaReference, response: Any, descriptor: int, begin: int) -> tuple[int, str]:
        found = sha256()
        size = 0
        while size < begin:
            block = os.pread(descriptor, min(_BLOCK, begin - size), size)
            if not block:
                raise _Again("what was fetched so far is not there", wait_s=0.0)
            found.update(block)
            size += len(block)
        for block in response.iter_stream():
            size += len(block)
            if self._policy.max_file is not None and size > self._policy.max_file:
                raise _Ended(Result(MediaState.TOO_LARGE, f"more than {counted(self._policy.max_file, 'byte')}"))
            if reference.size is not None and size > reference.size:
                raise _Ended(Result(MediaState.FAILED, f"more bytes came than {reference.size}"))
            self.budget.spend(len(block))
            _write(descriptor, block, size - len(block))
            found.update(block)
            self._pace.wait(len(block), self._beat)
        return size, found.hexdigest()

    def _is_excluded(self, text: str) -> bool:
        return any(fnmatchcase(text.lower(), pattern.lower()) for pattern in self._policy.exclude)


def _write(descriptor: int, block: bytes, offset: int) -> None:
    view = memoryview(block)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view = view[done:]
        offset += done


def _drop(part: Path) -> None:
    with suppress(OSError):
        part.unlink(missing_ok=True)


def _size(part: Path) -> int:
    try:
        return part.lstat().st_size
    except OSError:
        return 0


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def _seconds(text: str | None) -> float | None:
    try:
        return max(float(text), 0.0) if text else None
    except ValueError:
        return None


def _is_rest(content_range: str | None, start: int) -> bool:
    """Return whether a part begins where it was asked for and, where the whole length is told, goes to its end."""
    unit, _, rest = (content_range or "").partition(" ")
    span, _, whole = rest.partition("/")
    first, _, last = span.partition("-")
    end, total = _number(last), _number(whole)
    return unit == "bytes" and _number(first) == start and (total is None or end == total - 1)
