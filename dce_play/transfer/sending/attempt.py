"""One episode in one pass: from whatever state it is in as far as it gets."""

import errno
import hashlib
import os
import shutil
import threading

import msgspec

from dce_play.system.clock import utc_stamp
from dce_play.system.lock.file_lock import FileBusy
from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.answer import Answer
from dce_play.transfer.sending.delivery import Delivery
from dce_play.transfer.sending.episode import Meta, MetaState, UnsafeMember, changed_within, read_meta
from dce_play.transfer.sending.log_lines import Level
from dce_play.transfer.sending.moves import SealBroken, heal_reason, quarantine, retire, seal_holds
from dce_play.transfer.sending.pack import EpisodeChanged, Packer
from dce_play.transfer.sending.reason import Reason, read_reason
from dce_play.transfer.sending.spool import PackRecord, Suffix
from dce_play.transfer.sending.tools import Tools
from dce_play.transfer.sending.verdict import Outcome, Verdict, receipt_of

_MOST_ROUNDS = 3
"""How often an episode is packed in one pass while its writer goes on writing."""
_MOST_DAMAGED = 3
_READ = 1 << 20
_LEVELS = {Outcome.QUARANTINED: Level.ERROR, Outcome.RETRY: Level.WARNING, Outcome.HELD: Level.WARNING}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an episode in a pass."""

    id: str
    verdict: Verdict
    tried: bool = True
    """Whether anything was done; an episode that waits for its next try, or is held, was not."""


class Attempt:
    """Brings episodes forward, one call each; threads may share it."""

    def __init__(self, tools: Tools, *, packer: Packer, delivery: Delivery) -> None:
        self._config = tools.config
        self._spool = tools.spool
        self._state = tools.state
        self._backoff = tools.backoff
        self._log = tools.log
        self._clock = tools.clock
        self._moved = tools.moved
        self._packer = packer
        self._delivery = delivery
        self._fresh: set[EpisodeId] = set()
        """What this process has just packed, so that its bytes need no check."""
        self._packing = threading.Lock()

    def run(self, identifier: EpisodeId, *, obey: bool) -> Result | None:
        """Bring one episode forward; ``None`` when it is not ready or gone. ``obey``: honour its back-off.

        What the disk refuses is a retry; what ``moved`` raises goes through.
        """
        began = self._clock.monotonic()
        try:
            result = self._go(identifier, obey=obey)
        except OSError as error:
            code = "no_space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "io_error"
            self._backoff.failed(identifier, None)
            result = self._result(identifier, Verdict(outcome=Outcome.RETRY, code=code, detail=_told(error)))
        except FileBusy as error:
            result = self._result(identifier, Verdict(outcome=Outcome.RETRY, code="busy", detail=str(error)))
        if result is not None and result.tried:
            self._tell(result, round(1000 * (self._clock.monotonic() - began)))
        return result

    def _go(self, identifier: EpisodeId, *, obey: bool) -> Result | None:
        if self._spool.has_reason(identifier):
            name = heal_reason(self._spool, identifier)
            if name is not None:
                return self._found_quarantined(identifier, name)
        meta = read_meta(self._spool.episode(identifier))
        if meta.commit is not None and self._is_held(meta.commit):
            held = Verdict(outcome=Outcome.HELD, code="commit_not_in_window", detail=f"commit {meta.commit} is held")
            return self._result(identifier, held, tried=False)
        for _ in range(_MOST_ROUNDS):
            record = self._sound_record(identifier)
            if record is not None and self._is_acknowledged(record):
                verdict: Verdict | None = Verdict(outcome=Outcome.STORED, detail="was acknowledged before")
            elif obey and self._backoff.waits(identifier):
                waits = Verdict(outcome=Outcome.RETRY, code="backoff", detail="waits for its next try")
                return self._result(identifier, waits, tried=False)
            else:
                if record is None:
                    packed = self._pack(identifier, read_meta(self._spool.episode(identifier)))
                    if not isinstance(packed, PackRecord):
                        return packed
                    record = packed
                verdict = self._send(identifier, record)
            if verdict is None or (verdict.outcome in {Outcome.STORED, Outcome.DUPLICATE} and not self._retire(record)):
                continue
            return self._settled(identifier, record, verdict)
        changing = Verdict(outcome=Outcome.RETRY, code="changed", detail="it changes faster than it is packed")
        return self._result(identifier, changing)

    def _is_held(self, commit: str) -> bool:
        return self._config.on_gate == "hold" and commit in self._state.state.held

    def _sound_record(self, identifier: EpisodeId) -> PackRecord | None:
        """Return the record of what lies packed and may be sent; what may not leaves the outbox here."""
        tar = self._spool.file(identifier, Suffix.TAR)
        record = self._spool.read_pack(identifier)
        if record is None or not tar.exists():
            if self._spool.file(identifier, Suffix.RECEIPT).exists() or tar.exists():
                self._spool.remove_files(identifier)  # half of a packing that was cut
            return None
        if tar.stat().st_size == record.size and seal_holds(self._spool.episode(identifier), record):
            return record
        self._discard(identifier)
        return None

    def _is_acknowledged(self, record: PackRecord) -> bool:
        """Return whether a receipt of this very content lies beside it; any other goes."""
        identifier = EpisodeId(record.id)
        data = self._spool.read_file(identifier, Suffix.RECEIPT)
        if data is None:
            return False
        if receipt_of(Answer(status=200, body=data), identifier) == record.manifest_digest:
            return True
        self._spool.file(identifier, Suffix.RECEIPT).unlink(missing_ok=True)
        return False

    def _discard(self, identifier: EpisodeId) -> None:
        with self._spool.moving():
            self._spool.remove_files(identifier)
        self._fresh.discard(identifier)
        self._backoff.forget(identifier)
        self._log.event("ship.repacked", Level.WARNING, id=identifier)

    def _pack(self, identifier: EpisodeId, meta: Meta) -> PackRecord | Result | None:
        episode = self._spool.episode(identifier)
        if meta.state is MetaState.MISSING or not self._is_ready(identifier, meta):
            return None
        if meta.state is MetaState.BROKEN:
            return self._quarantine(identifier, None, Verdict(outcome=Outcome.QUARANTINED, code="bad_meta"))
        free = shutil.disk_usage(self._spool.outbox).free
        if free < self._config.min_free:
            detail = f"{free} bytes are free, less than min_free"
            return self._result(identifier, Verdict(outcome=Outcome.RETRY, code="no_space", detail=detail))
        try:
            with self._packing:
                part = self._spool.file(identifier, Suffix.PART)
                packed = self._packer.pack(episode, identifier, part, moved=self._moved)
        except UnsafeMember as error:
            unsafe = Verdict(outcome=Outcome.QUARANTINED, code="unsafe_member", detail=str(error))
            return self._quarantine(identifier, None, unsafe)
        except (EpisodeChanged, FileNotFoundError) as error:
            if not episode.exists():
                return None
            return self._result(identifier, Verdict(outcome=Outcome.RETRY, code="changed", detail=str(error)))
        record = PackRecord(
            id=identifier,
            size=packed.size,
            sha256=packed.sha256,
            manifest_digest=packed.manifest_digest,
            commit=meta.commit,
            seal=packed.seal,
            packed_at=utc_stamp(self._clock.now()),
        )
        self._spool.publish_tar(record)
        self._fresh.add(identifier)
        return record

    def _is_ready(self, identifier: EpisodeId, meta: Meta) -> bool:
        """Return whether to go on: a whole meta.json, or a broken one that nobody mends any more."""
        if meta.state is MetaState.GOOD and self._config.ready_when == "meta":
            return True
        now_ns = int(self._clock.now().timestamp() * 1e9)
        return not changed_within(self._spool.episode(identifier), self._config.ready_quiet_s, now_ns=now_ns)

    def _send(self, identifier: EpisodeId, record: PackRecord) -> Verdict | None:
        """Try to deliver once; ``None`` when what lay packed has rotted, and is gone now."""
        fresh = identifier in self._fresh
        self._fresh.discard(identifier)
        if not fresh and self._has_rotted(identifier, record):
            self._discard(identifier)
            return None
        verdict = self._delivery.deliver(record, first=fresh and record.attempts == 0)
        if verdict.damaged and self._has_rotted(identifier, record):
            self._discard(identifier)
            return None
        if verdict.receipt is not None:
            self._spool.write_file(identifier, Suffix.RECEIPT, verdict.receipt)
        return verdict

    def _has_rotted(self, identifier: EpisodeId, record: PackRecord) -> bool:
        digest = hashlib.sha256()
        with self._spool.file(identifier, Suffix.TAR).open("rb") as file:
            while data := file.read(_READ):
                digest.update(data)
                self._moved(len(data))
        return digest.hexdigest() != record.sha256

    def _retire(self, record: PackRecord) -> bool:
        """Return whether the episode is retired, or gone; else it is not what was sent, and counts as new."""
        identifier = EpisodeId(record.id)
        try:
            retire(self._spool, identifier, record)
        except SealBroken:
            self._discard(identifier)
            return False
        self._backoff.forget(identifier)
        return True

    def _settled(self, identifier: EpisodeId, record: PackRecord, verdict: Verdict) -> Result:
        if verdict.damaged:
            with self._state.lock:
                counts = self._state.state.mismatches
                counts[identifier] = counts.get(identifier, 0) + 1
                if counts[identifier] >= _MOST_DAMAGED:
                    verdict = msgspec.structs.replace(verdict, outcome=Outcome.QUARANTINED)
        if verdict.outcome is Outcome.QUARANTINED:
            return self._quarantine(identifier, record, verdict) or self._result(identifier, verdict)
        if verdict.outcome in {Outcome.RETRY, Outcome.HELD}:
            again = msgspec.structs.replace(record, attempts=record.attempts + 1)
            self._spool.write_file(identifier, Suffix.PACK, msgspec.json.encode(again))
        if verdict.outcome is Outcome.HELD and record.commit is not None:
            with self._state.lock:
                self._state.state.held[record.commit] = self._clock.now().timestamp()
        if verdict.outcome is Outcome.RETRY and verdict.pause is None:
            self._backoff.failed(identifier, verdict.retry_after_s)
        return self._result(identifier, verdict)

    def _quarantine(self, identifier: EpisodeId, record: PackRecord | None, verdict: Verdict) -> Result | None:
        reason = Reason(
            id=identifier,
            reason=verdict.code,
            http=verdict.http or None,
            detail=verdict.detail,
            problem=verdict.problem,
            fix=verdict.fix,
            commit=record.commit if record else read_meta(self._spool.episode(identifier)).commit,
            host_id=self._config.host_id,
            attempts=record.attempts + 1 if record else 0,
            manifest_digest=record.manifest_digest if record else None,
            theirs=verdict.theirs,
            quarantined_at=utc_stamp(self._clock.now()),
        )
        name = quarantine(self._spool, identifier, reason)
        self._backoff.forget(identifier)
        return None if name is None else self._result(identifier, verdict)

    def _found_quarantined(self, identifier: EpisodeId, name: str) -> Result:
        reason = read_reason(self._spool.quarantine / name)
        verdict = Verdict(
            outcome=Outcome.QUARANTINED,
            http=(reason.http or 0) if reason else 0,
            code=reason.reason if reason else "",
            detail="its move was cut, and is finished now",
        )
        return self._result(identifier, verdict)

    def _result(self, identifier: EpisodeId, verdict: Verdict, *, tried: bool = True) -> Result:
        return Result(id=identifier, verdict=verdict, tried=tried)

    def _tell(self, result: Result, ms: int) -> None:
        verdict = result.verdict
        key = f"{verdict.http} {verdict.outcome}"
        with self._state.lock:
            results = self._state.state.results
            results[key] = results.get(key, 0) + 1
            if verdict.outcome in {Outcome.STORED, Outcome.DUPLICATE}:
                self._state.state.last_success = utc_stamp(self._clock.now())
        level = _LEVELS.get(verdict.outcome, Level.INFO)
        fields = {"http": verdict.http, "code": verdict.code, "outcome": verdict.outcome, "ms": ms}
        self._log.event("ship.result", level, id=result.id, **fields)
        if verdict.unexpected:
            self._log.event("ship.unexpected", Level.WARNING, id=result.id, http=verdict.http)
        self._log.fix(verdict.fix)


def _told(error: OSError) -> str:
    place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    return f"{place}{(error.strerror or str(error)).lower()}"
