"""One episode in one pass: from whatever state it is in as far as it gets."""

import os

import msgspec

from dce_play.system.clock import utc_stamp
from dce_play.system.disk import FULL, growth_hint
from dce_play.system.lock.file_lock import FileBusy
from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.connection.delivery import Delivery
from dce_play.transfer.sending.connection.verdict import LOGGED_WITH_FIX, Outcome, Verdict
from dce_play.transfer.sending.episodes.episode import Meta, MetaState, UnsafeMember, read_meta
from dce_play.transfer.sending.episodes.moves import heal_reason, quarantine, retire_all
from dce_play.transfer.sending.episodes.pack import EpisodeChanged
from dce_play.transfer.sending.episodes.reason import Reason, read_reason
from dce_play.transfer.sending.episodes.spool import PackRecord, Suffix
from dce_play.transfer.sending.log_lines import Level
from dce_play.transfer.sending.packs import NoRoom, Packs
from dce_play.transfer.sending.state import moment
from dce_play.transfer.sending.tools import Tools

_MOST_ROUNDS = 3
"""How often an episode is packed in one pass while its writer goes on writing."""
_MOST_DAMAGED = 3
_RETIRED_TOGETHER = 16
_LONGEST_UNRETIRED_S = 1.0
_CHANGING = Verdict(outcome=Outcome.RETRY, code="changed", detail="it changes faster than it is packed")
_LEVELS = {Outcome.QUARANTINED: Level.ERROR, Outcome.RETRY: Level.WARNING, Outcome.HELD: Level.WARNING}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an episode in a pass."""

    id: str
    verdict: Verdict
    tried: bool = True
    """Whether anything was done; an episode that waits for its next try, or is held, was not."""


class Attempt:
    """Brings episodes forward, one call each; threads may share it."""

    def __init__(self, tools: Tools, *, packs: Packs, delivery: Delivery) -> None:
        self._config = tools.config
        self._spool = tools.spool
        self._state = tools.state
        self._backoff = tools.backoff
        self._log = tools.log
        self._clock = tools.clock
        self._packs = packs
        self._delivery = delivery
        self._acknowledged: list[PackRecord] = []
        self._oldest = 0.0

    def run(self, identifier: EpisodeId, *, obey: bool) -> Result | None:
        """Bring one episode forward; ``None`` when it is not ready or gone. ``obey``: honour its back-off.

        What the disk refuses is a retry; what ``moved`` raises goes through.
        """
        began = self._clock.monotonic()
        try:
            result = self._go(identifier, obey=obey)
        except OSError as error:
            code = "no_space" if error.errno in FULL else "io_error"
            self._backoff.failed(identifier, None)
            told = self._unwritten(error, identifier)
            result = Result(id=identifier, verdict=Verdict(outcome=Outcome.RETRY, code=code, detail=told))
        except FileBusy as error:
            result = Result(id=identifier, verdict=Verdict(outcome=Outcome.RETRY, code="busy", detail=str(error)))
        if result is not None and result.tried:
            self._tell(result, round(1000 * (self._clock.monotonic() - began)))
        return result

    def _unwritten(self, error: OSError, identifier: EpisodeId) -> str:
        """Return what went wrong and where; a write that fails does not say of which file: most often it is this."""
        file = os.fsdecode(error.filename) if error.filename else self._spool.file(identifier, Suffix.PART)
        return f"{file}: {(error.strerror or str(error)).lower()}{growth_hint(error)}"

    def _go(self, identifier: EpisodeId, *, obey: bool) -> Result | None:
        if self._spool.has_reason(identifier):
            name = heal_reason(self._spool, identifier)
            if name is not None:
                return self._found_quarantined(identifier, name)
        meta = read_meta(self._spool.episode(identifier))
        if meta.commit is not None and self._is_held(meta.commit):
            held = Verdict(outcome=Outcome.HELD, code="commit_not_in_window", detail=f"commit {meta.commit} is held")
            return Result(id=identifier, verdict=held, tried=False)
        for _ in range(_MOST_ROUNDS):
            record = self._packs.sound(identifier)
            if record is not None and self._packs.is_acknowledged(record):
                return self._keep(record, Verdict(outcome=Outcome.STORED, detail="was acknowledged before"))
            if obey and self._backoff.waits(identifier):
                waits = Verdict(outcome=Outcome.RETRY, code="backoff", detail="waits for its next try")
                return Result(id=identifier, verdict=waits, tried=False)
            if record is None:
                packed = self._pack(identifier, read_meta(self._spool.episode(identifier)))
                if not isinstance(packed, PackRecord):
                    return packed
                record = packed
            verdict = self._send(identifier, record)
            if verdict is not None:
                return self._settled(identifier, record, verdict)
        return Result(id=identifier, verdict=_CHANGING)

    def prepare(self, identifier: EpisodeId, *, obey: bool) -> None:
        """Pack an episode that comes next while another one is sent."""
        if not (obey and self._backoff.waits(identifier)):
            self._packs.make_ahead(identifier)

    def retire_due(self, *, now: bool) -> list[EpisodeId]:
        """Retire what was acknowledged, when there is enough of it, or ``now``; return what was not what was sent.

        Retiring many at once shares the fsyncs of their folders. Until then a crash leaves them acknowledged.

        Raises: OSError; FileBusy. What was not retired is, by the next pass.
        """
        late = self._clock.monotonic() - self._oldest > _LONGEST_UNRETIRED_S
        if not self._acknowledged or not (now or late or len(self._acknowledged) >= _RETIRED_TOGETHER):
            return []
        records, self._acknowledged = self._acknowledged, []
        broken = retire_all(self._spool, records)
        for record in records:
            self._backoff.forget(EpisodeId(record.id))
        for identifier in broken:
            self._packs.discard(identifier)
        return broken

    def leave(self, identifier: EpisodeId) -> Result:
        """Leave an episode that was other content each time it was sent to the next pass."""
        result = Result(id=identifier, verdict=_CHANGING)
        self._tell(result, 0)
        return result

    def _keep(self, record: PackRecord, verdict: Verdict) -> Result:
        """Remember an acknowledged episode, to be retired with others."""
        if not self._acknowledged:
            self._oldest = self._clock.monotonic()
        self._acknowledged.append(record)
        return Result(id=record.id, verdict=verdict)

    def _is_held(self, commit: str) -> bool:
        return self._config.on_gate == "hold" and commit in self._state.state.held

    def _pack(self, identifier: EpisodeId, meta: Meta) -> PackRecord | Result | None:
        if not self._packs.is_ready(identifier, meta):
            return None
        if meta.state is MetaState.BROKEN:
            return self._quarantine(identifier, None, Verdict(outcome=Outcome.QUARANTINED, code="bad_meta"))
        try:
            return self._packs.make(identifier, meta)
        except UnsafeMember as error:
            unsafe = Verdict(outcome=Outcome.QUARANTINED, code="unsafe_member", detail=str(error))
            return self._quarantine(identifier, None, unsafe)
        except NoRoom as error:
            full = Verdict(outcome=Outcome.RETRY, code="no_space", detail=str(error))
            return Result(id=identifier, verdict=full)
        except (EpisodeChanged, FileNotFoundError) as error:
            if not self._spool.episode(identifier).exists():
                return None
            changed = Verdict(outcome=Outcome.RETRY, code="changed", detail=str(error))
            return Result(id=identifier, verdict=changed)

    def _send(self, identifier: EpisodeId, record: PackRecord) -> Verdict | None:
        """Try to deliver once; ``None`` when what lay packed has rotted, and is gone now."""
        fresh = self._packs.take_fresh(identifier)
        if not fresh and self._packs.has_rotted(record):
            self._packs.discard(identifier)
            return None
        verdict = self._delivery.deliver(record, first=fresh and record.attempts == 0)
        if verdict.damaged and self._packs.has_rotted(record):
            self._packs.discard(identifier)
            return None
        if verdict.receipt is not None:
            self._spool.write_receipt(identifier, verdict.receipt)
        return verdict

    def _settled(self, identifier: EpisodeId, record: PackRecord, verdict: Verdict) -> Result:
        if verdict.outcome in {Outcome.STORED, Outcome.DUPLICATE}:
            return self._keep(record, verdict)
        if verdict.damaged:
            with self._state.lock:
                counts = self._state.state.mismatches
                counts[identifier] = counts.get(identifier, 0) + 1
                if counts[identifier] >= _MOST_DAMAGED:
                    verdict = msgspec.structs.replace(verdict, outcome=Outcome.QUARANTINED)
        if verdict.outcome is Outcome.QUARANTINED:
            return self._quarantine(identifier, record, verdict) or Result(id=identifier, verdict=verdict)
        if verdict.outcome in {Outcome.RETRY, Outcome.HELD}:
            again = msgspec.structs.replace(record, attempts=record.attempts + 1)
            self._spool.write_file(identifier, Suffix.PACK, msgspec.json.encode(again))
        if verdict.outcome is Outcome.HELD and record.commit is not None:
            with self._state.lock:
                self._state.state.held[record.commit] = self._clock.now().timestamp()
        if verdict.outcome is Outcome.RETRY and verdict.pause is None:
            self._backoff.failed(identifier, verdict.retry_after_s)
        return Result(id=identifier, verdict=verdict)

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
            quarantined_at=utc_stamp(moment(self._state.state, self._clock.now())),
        )
        name = quarantine(self._spool, identifier, reason)
        self._backoff.forget(identifier)
        return None if name is None else Result(id=identifier, verdict=verdict)

    def _found_quarantined(self, identifier: EpisodeId, name: str) -> Result:
        reason = read_reason(self._spool.quarantine / name)
        verdict = Verdict(
            outcome=Outcome.QUARANTINED,
            http=(reason.http or 0) if reason else 0,
            code=reason.reason if reason else "",
            detail="its move was cut, and is finished now",
        )
        return Result(id=identifier, verdict=verdict)

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
        if verdict.http in LOGGED_WITH_FIX:
            self._log.fix(verdict.fix)
