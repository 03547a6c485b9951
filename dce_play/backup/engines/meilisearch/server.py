"""A Meilisearch server over its API: health, what it holds, and making a dump.

No Meilisearch is to be had where this was built: the API is spoken as its reference describes it, against a stub.
Source: the Meilisearch reference, "Dumps", "Tasks", "Stats", "Health", "Version".
"""

import re

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.http_api import Answer, HttpApi
from dce_play.errors import ExitCode
from dce_play.system.clock import Clock

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_DUMP_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_ENDED_BADLY = frozenset({"failed", "canceled"})


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says it holds: the documents of each index."""

    indexes: dict[str, int]

    @property
    def documents(self) -> int:
        return sum(self.indexes.values())


def headers(key: str) -> dict[str, str]:
    """Return what every request carries. An empty key: a server without one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def is_healthy(api: HttpApi, *, total_s: float) -> bool:
    """Return whether the server says that it is available.

    Raises: BackupError (``unreachable``).
    """
    answer = api.ask("GET", "/health", total_s=total_s)
    return answer.status == 200 and answer.text("status") == "available"


def version(api: HttpApi) -> str:
    """Return the server's version; empty where the key may not ask for it."""
    return api.ask("GET", "/version").text("pkgVersion")


def held(api: HttpApi) -> Held | None:
    """Return what the server holds; nothing while it is indexing, or where the key may not ask."""
    answer = api.ask("GET", "/stats")
    body = answer.body
    indexes = body.get("indexes") if answer.status == 200 and isinstance(body, dict) else None
    if not isinstance(indexes, dict):
        return None
    counts: dict[str, int] = {}
    for name, stats in indexes.items():
        count = stats.get("numberOfDocuments") if isinstance(stats, dict) else None
        if not isinstance(count, int) or (isinstance(stats, dict) and stats.get("isIndexing") is True):
            return None
        counts[name] = count
    return Held(indexes=counts)


def make_dump(api: HttpApi, clock: Clock, *, timeout_s: float) -> str:
    """Have the server make a dump, wait for it, and return its name.

    Raises: BackupError: ``auth``, ``forbidden``, ``engine-failed``, ``timeout``, ``unreachable``.
    """
    ends_at = clock.monotonic() + timeout_s
    asked = _accepted(api, api.ask("POST", "/dumps"), {200, 202})
    body = asked.body
    uid = body.get("taskUid", body.get("uid")) if isinstance(body, dict) else None
    if not isinstance(uid, int | str) or isinstance(uid, bool) or not _DUMP_NAME.match(str(uid)):
        raise BackupError(ErrorId.ENGINE_FAILED, f"{api.where} accepts a dump and names no task")
    pause_s = _FIRST_PAUSE_S
    while True:
        task = _accepted(api, api.ask("GET", f"/tasks/{uid}"), {200})
        status = task.text("status")
        if status == "succeeded":
            return _dump_name(api, task)
        if status in _ENDED_BADLY:
            reason = task.text("error", "message") or "no reason given"
            raise BackupError(ErrorId.ENGINE_FAILED, f"{api.where}: the dump {status}: {reason}")
        if clock.monotonic() >= ends_at:
            raise BackupError(
                ErrorId.TIMEOUT,
                f"{api.where}: the dump is {status or 'unknown'} after {timeout_s:g} s",
                hint="give meilisearch.timeout more time",
                exit_code=ExitCode.FAILED,
            )
        clock.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _dump_name(api: HttpApi, task: Answer) -> str:
    name = task.text("details", "dumpUid")
    if not _DUMP_NAME.match(name):
        raise BackupError(ErrorId.ENGINE_FAILED, f"{api.where} made a dump and names no file")
    return name


def _accepted(api: HttpApi, answer: Answer, statuses: set[int]) -> Answer:
    if answer.status in statuses:
        return answer
    said, code = answer.said(), answer.text("code")
    if answer.status == 401 or code in {"invalid_api_key", "missing_authorization_header"}:
        raise BackupError(ErrorId.AUTH, f"{api.where} does not accept the key: {said}", hint="check meilisearch.key")
    if answer.status == 403:
        raise BackupError(
            ErrorId.FORBIDDEN, f"{api.where} does not let this key: {said}", hint="it needs dumps.create and tasks.get"
        )
    raise BackupError(ErrorId.ENGINE_FAILED, f"{api.where} answers {answer.status}: {said}")
