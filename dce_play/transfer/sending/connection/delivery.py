"""One try to deliver a packed episode: HEAD before a second one, then a PUT or a resumable upload."""

import os
from collections.abc import Iterator
from pathlib import Path

from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.bandwidth import Pacer
from dce_play.transfer.sending.connection.answer import Answer
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.connection.upload import Uploader
from dce_play.transfer.sending.connection.verdict import Outcome, Verdict, judge, receipt_of, retry
from dce_play.transfer.sending.episodes.spool import PackRecord, Suffix
from dce_play.transfer.sending.tools import Tools
from dce_play.transfer.wire import ARCHIVE_TYPE, encode_digest

_READ = 256 << 10


class Delivery:
    """Puts archives to the receiver."""

    def __init__(self, tools: Tools, client: Client, pacer: Pacer) -> None:
        self._config = tools.config
        self._spool = tools.spool
        self._clock = tools.clock
        self._moved = tools.moved
        self._client = client
        self._pacer = pacer
        self._uploader = Uploader(client, tools.spool, chunk=tools.config.resume_chunk, stretch=self._stretch)

    def deliver(self, record: PackRecord, *, first: bool) -> Verdict:
        """Try once. Unless it is certainly the first try, the receiver is asked whether it has the episode already.

        Raises: OSError, when the archive cannot be read.
        """
        identifier = EpisodeId(record.id)
        if not first:
            known = self._ask_first(identifier, record)
            if known is not None:
                return known
        answer = self._send(identifier, record)
        return judge(
            answer,
            identifier=identifier,
            digest=record.manifest_digest,
            on_gate=self._config.on_gate,
            now=self._clock.now(),
        )

    def _ask_first(self, identifier: EpisodeId, record: PackRecord) -> Verdict | None:
        """Return a verdict when the receiver has our content, or does not let us ask; else ``None``."""
        head = self._client.ask("HEAD", f"/v1/episodes/{identifier}")
        if head.status != 200:
            return retry(head, self._clock.now())
        theirs = head.headers.get(self._config.manifest_header.lower()) or head.headers.get("etag", "").strip('"')
        if theirs != record.manifest_digest:
            return None  # the PUT is told of the conflict
        answer = self._client.ask("GET", f"/v1/episodes/{identifier}")
        if answer.status == 200 and receipt_of(answer, identifier) == record.manifest_digest:
            return Verdict(outcome=Outcome.DUPLICATE, http=200, receipt=answer.body)
        stopped = retry(answer, self._clock.now())
        detail = "the receiver has the episode, but gave no receipt of it"
        return stopped or Verdict(
            outcome=Outcome.RETRY, http=answer.status, code="no_receipt", detail=detail, unexpected=True
        )

    def _send(self, identifier: EpisodeId, record: PackRecord) -> Answer:
        headers = self._headers(record)
        above = self._config.resume_above
        if above is not None and record.size >= above:
            answer = self._uploader.send(record, headers)
            if answer is not None:
                return answer
        tar = self._spool.file(identifier, Suffix.TAR)
        body = self._stretch(tar, 0, record.size)
        return self._client.ask("PUT", f"/v1/episodes/{identifier}", headers=headers, body=body, size=record.size)

    def _headers(self, record: PackRecord) -> dict[str, str]:
        headers = {
            "Content-Type": ARCHIVE_TYPE,
            "Repr-Digest": encode_digest(record.sha256),
            self._config.manifest_header: record.manifest_digest,
        }
        if record.commit is not None:
            headers[self._config.commit_header] = record.commit
        return headers

    def _stretch(self, path: Path, start: int, size: int) -> Iterator[bytes]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while size:
                data = os.pread(descriptor, min(_READ, size), start)
                if not data:
                    raise OSError(f"{path} ended while it was sent")
                yield from self._pacer.pieces(data, self._moved)
                start += len(data)
                size -= len(data)
        finally:
            os.close(descriptor)
