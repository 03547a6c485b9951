"""Resumable uploads: the client's side of the IETF draft "Resumable Uploads for HTTP", without interim answers.

The upload's address lies in ``outbox/<id>.upload.json``, so that any later process goes on where the receiver says.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.connection.answer import Answer
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.episodes.spool import PackRecord, Spool, Suffix
from dce_play.transfer.wire import INCONSISTENT_LENGTH, MISMATCHING_OFFSET, PIECE_TYPE

_NO_UPLOADS = frozenset({404, 405, 501})
_GONE = frozenset({404, 410})
_MOST_ROUNDS = 8
"""How often an upload is asked anew where it stands, in one try."""
_MOST_APPENDED = re.compile(r"(?:^|[,\s])max-append-size=(\d{1,18})(?=$|[,;\s])", re.ASCII)


class UploadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``upload.json``: where an upload lives, and for which bytes."""

    v: int = 1
    id: str
    path: str
    """The path of its address."""
    sha256: str
    max_append: int = 0
    """Bytes of one piece at most; 0 when the receiver did not say."""


class Stretch(Protocol):
    """Yields a stretch of a file as it may go out."""

    def __call__(self, path: Path, start: int, size: int, /) -> Iterator[bytes]: ...


class Uploader:
    """Sends archives in pieces."""

    def __init__(self, client: Client, spool: Spool, *, chunk: int, stretch: Stretch) -> None:
        self._client = client
        self._spool = spool
        self._chunk = chunk
        self._stretch = stretch

    def send(self, record: PackRecord, headers: dict[str, str]) -> Answer | None:
        """Return the last answer, to be judged like a PUT's; ``None`` when the receiver knows no uploads."""
        for _ in range(_MOST_ROUNDS):
            upload = self._known(record)
            offset: int | Answer = 0
            if upload is None:
                made = self._create(record, headers)
                if isinstance(made, Answer):
                    return None if made.status in _NO_UPLOADS else made
                upload = made
            else:
                offset = self._offset(upload, record)
            answer = offset if isinstance(offset, Answer) else self._append(upload, record, offset)
            if answer is not None and answer.status not in _GONE:
                return answer
            if answer is not None:
                self._forget(record)
        return Answer(status=500, detail="the upload gets nowhere")

    def _create(self, record: PackRecord, headers: dict[str, str]) -> UploadRecord | Answer:
        more = {**headers, "Upload-Complete": "?0", "Upload-Length": str(record.size)}
        answer = self._client.ask("POST", f"/v1/episodes/{record.id}/uploads", headers=more)
        if answer.status != 201:
            return answer
        path = self._client.own_path(answer.headers.get("location", ""))
        if path is None:
            return Answer(status=500, detail="the upload's Location is none of this receiver's", headers=answer.headers)
        limit = _MOST_APPENDED.search(answer.headers.get("upload-limit", ""))
        upload = UploadRecord(id=record.id, path=path, sha256=record.sha256, max_append=int(limit[1]) if limit else 0)
        self._spool.write_file(EpisodeId(record.id), Suffix.UPLOAD, msgspec.json.encode(upload))
        return upload

    def _offset(self, upload: UploadRecord, record: PackRecord) -> int | Answer:
        """Return how much the receiver has; an answer when that cannot be told or there is nothing left to send."""
        answer = self._client.ask("HEAD", upload.path)
        told = _whole(answer.headers.get("upload-offset"))
        if answer.status not in {200, 204}:
            return answer
        if answer.headers.get("upload-complete") == "?1":
            return self._client.ask("GET", f"/v1/episodes/{record.id}")
        if told is None or told > record.size:
            self._forget(record)
            return Answer(status=500, detail="the upload's offset makes no sense", headers=answer.headers)
        return told

    def _append(self, upload: UploadRecord, record: PackRecord, offset: int) -> Answer | None:
        """Send piece after piece from the offset on; return the answer that ends it, ``None`` to ask for the offset."""
        piece = max(1, min(self._chunk, upload.max_append or self._chunk))
        tar = self._spool.file(EpisodeId(record.id), Suffix.TAR)
        while True:
            size = min(piece, record.size - offset)
            last = offset + size == record.size
            more = {
                "Content-Type": PIECE_TYPE,
                "Upload-Offset": str(offset),
                "Upload-Complete": "?1" if last else "?0",
            }
            body = self._stretch(tar, offset, size)
            answer = self._client.ask("PATCH", upload.path, headers=more, body=body, size=size)
            told = _whole(answer.headers.get("upload-offset"))
            if answer.status == 204 and not last and told is not None and offset < told <= offset + size:
                offset = told
                continue
            kind = str((answer.problem or {}).get("type", ""))
            if kind == MISMATCHING_OFFSET:
                return None
            if answer.status in {400, 204}:  # damaged, of another length, or an answer that makes no sense
                self._forget(record)
            if answer.status == 204 or kind == INCONSISTENT_LENGTH:
                return Answer(status=500, detail="the upload's offset makes no sense", headers=answer.headers)
            return answer

    def _known(self, record: PackRecord) -> UploadRecord | None:
        data = self._spool.read_file(EpisodeId(record.id), Suffix.UPLOAD)
        if data is None:
            return None
        try:
            upload = msgspec.json.decode(data, type=UploadRecord)
        except msgspec.DecodeError:
            return None
        fits = upload.id == record.id and upload.sha256 == record.sha256 and upload.path.startswith("/")
        return upload if fits else None

    def _forget(self, record: PackRecord) -> None:
        self._spool.file(EpisodeId(record.id), Suffix.UPLOAD).unlink(missing_ok=True)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None
