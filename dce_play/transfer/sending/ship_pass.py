"""One pass: clean up, sweep, look at every episode, send what may be sent, tell what came of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from itertools import islice

import msgspec

from dce_play.system.lock.file_lock import FileBusy
from dce_play.transfer.ids import EpisodeId
from dce_play.transfer.sending.attempt import Attempt, Result
from dce_play.transfer.sending.connection.answer import Answer
from dce_play.transfer.sending.connection.client import Client
from dce_play.transfer.sending.connection.ping import ask_ping, gate_takes, is_answered
from dce_play.transfer.sending.connection.verdict import Outcome, Verdict
from dce_play.transfer.sending.episodes.cleanup import clean_up
from dce_play.transfer.sending.episodes.episode import META, read_meta
from dce_play.transfer.sending.episodes.spool import Spool, Suffix
from dce_play.transfer.sending.episodes.sweep import sweep
from dce_play.transfer.sending.log_lines import Level
from dce_play.transfer.sending.tools import Tools

_ASK_GATE_S = 60.0
_ROW = 3
_ROUNDS = 3
"""How often an episode is sent again in one pass while its writer goes on writing."""
_PACKED = frozenset({Suffix.TAR, Suffix.PACK})


class PassResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass came to."""

    results: list[Result]
    waiting: int
    """Episodes that are not ready."""
    new: int
    packed: int
    bad_names: list[str]
    paused: str | None

    def count(self, outcome: Outcome) -> int:
        """Return how many episodes had an outcome."""
        return sum(result.verdict.outcome is outcome for result in self.results)


class _Course:
    """How the sending of a pass goes: the results by id, and whether anything more is begun."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._row = 0
        self.results: dict[str, Result] = {}
        self.halted: str | None = None
        """Why nothing more is begun, once that is so."""
        self.not_retired = False

    def take(self, result: Result) -> None:
        """Take a result; three failures in a row, a refusal of us or an unreachable receiver halt the pass."""
        self.results[result.id] = result
        verdict = result.verdict
        if not result.tried:
            return
        if verdict.in_a_row:
            self._row += 1
        elif verdict.http:
            self._row = 0
            if verdict.pause is None and self.halted is None:
                self._tools.backoff.resume()
        why = verdict.pause or ("unreachable" if self._row >= _ROW else None)
        if why is not None and self.halted is None:
            self.halted = why
            self._tools.backoff.pause(why, verdict.retry_after_s)
            self._tools.log.event("ship.paused", Level.WARNING, why=why)

    def leave_behind(self, spool: Spool) -> None:
        """Call what is acknowledged but not retired what it is: left for the next pass."""
        behind = Verdict(outcome=Outcome.RETRY, code="io_error", detail="it is stored, and could not be retired")
        for name in self.results:
            if spool.file(EpisodeId(name), Suffix.PACK).exists() and self.results[name].verdict.receipt is not None:
                self.results[name] = Result(id=name, verdict=behind)


class Passes:
    """Makes passes, with what one remembers for the next."""

    def __init__(
        self, tools: Tools, *, attempt: Attempt, client: Client, on_result: Callable[[Result], None] = lambda _: None
    ) -> None:
        """``on_result`` is told of each try as it ends; an episode whose writer was late has two."""
        self._on_result = on_result
        self._tools = tools
        self._attempt = attempt
        self._client = client
        self._asked_gate: dict[str, float] = {}

    def once(self, *, obey: bool) -> PassResult:
        """Make one pass. With ``obey`` back-off is honoured; without it everything is tried now.

        Raises: whatever ``moved`` raises; OSError, when the folders themselves cannot be listed.
        """
        tools = self._tools
        clean_up(tools.config, tools.spool, tools.state.state, clock=tools.clock, log=tools.log)
        outbox = tools.spool.list_outbox()
        identifiers, bad = tools.spool.list_episodes()
        here = set(identifiers)
        tools.backoff.keep_only(here)
        sweep(tools.spool, outbox, here, tools.log)
        ready, missing = in_order(tools.spool, identifiers)
        packed = sum(outbox.files.get(identifier, frozenset()) >= _PACKED for identifier in ready)
        results: list[Result] = []
        waiting = missing
        paused = tools.backoff.paused if obey else None
        if ready and self._may_send(ready, obey=obey):
            results, not_ready, paused = self._send_all(ready, obey=obey)
            waiting += not_ready
        elif not ready and not obey:
            paused = None
        done = PassResult(
            results=results,
            waiting=waiting,
            new=len(ready) - packed - (waiting - missing),
            packed=packed,
            bad_names=bad,
            paused=paused,
        )
        self._tell(done)
        tools.state.save()
        return done

    def _may_send(self, ready: list[EpisodeId], *, obey: bool) -> bool:
        """Return whether anything may be sent; asks the receiver when the wait is over, or a commit is held."""
        backoff = self._tools.backoff
        if obey and backoff.paused is not None:
            if not backoff.pause_is_over:
                return False
            answer = ask_ping(self._client, self._tools.config, None)
            if not is_answered(answer):
                self._pause_by(answer)
                return False
            backoff.resume()
        if self._tools.config.on_gate == "hold" and self._tools.state.state.held:
            self._ask_for_held(ready)
        return True

    def _pause_by(self, answer: Answer) -> None:
        why = "auth" if answer.status in {401, 403} else "unreachable"
        self._tools.backoff.pause(why, answer.retry_after_s(self._tools.clock.now()))
        self._tools.log.event("ship.paused", Level.WARNING, why=why)

    def _ask_for_held(self, ready: list[EpisodeId]) -> None:
        """Ask, at most once a minute, whether a commit is accepted again; forget commits that no episode has."""
        state = self._tools.state
        now = self._tools.clock.monotonic()
        commits = {_commit_of(self._tools.spool, identifier) for identifier in ready}
        for commit in list(state.state.held):
            if commit in commits and now - self._asked_gate.get(commit, float("-inf")) < _ASK_GATE_S:
                continue
            self._asked_gate[commit] = now
            if commit not in commits or gate_takes(ask_ping(self._client, self._tools.config, commit)):
                with state.lock:
                    state.state.held.pop(commit, None)

    def _send_all(self, identifiers: list[EpisodeId], *, obey: bool) -> tuple[list[Result], int, str | None]:
        """Return the results, how many were not ready, and why the shipper waits now, if it does."""
        course = _Course(self._tools)
        not_ready = 0
        for result in self._each(identifiers, course, obey=obey):
            if result is None:
                not_ready += 1
            else:
                self._take(course, result)
            self._retire(course, now=False)
        self._retire(course, now=True)
        if course.not_retired:
            course.leave_behind(self._tools.spool)
        return list(course.results.values()), not_ready, course.halted

    def _take(self, course: _Course, result: Result) -> None:
        course.take(result)
        if result.tried:
            self._on_result(result)

    def _retire(self, course: "_Course", *, now: bool) -> None:
        """Retire what is due; what turns out not to be what was sent is packed and sent in this same pass.

        What is other content again after so many rounds is left for the next pass, and told so.
        """
        for left in reversed(range(_ROUNDS + 1)):
            try:
                broken = self._attempt.retire_due(now=now)
            except (OSError, FileBusy) as error:
                course.not_retired = True
                self._tools.log.event("ship.pass_failed", Level.ERROR, why=error)
                return
            for identifier in broken:
                course.results.pop(identifier, None)
                if course.halted:
                    continue
                result = self._attempt.run(identifier, obey=False) if left else self._attempt.leave(identifier)
                if result is not None:
                    self._take(course, result)
            if not broken:
                return

    def _each(self, identifiers: list[EpisodeId], course: "_Course", *, obey: bool) -> Iterator[Result | None]:
        """Yield what becomes of each episode; after a halt none is begun, but those that were are waited for."""
        most = self._tools.config.concurrency
        if most == 1:
            yield from self._one_by_one(identifiers, course, obey=obey)
            return
        left = iter(identifiers)
        with ThreadPoolExecutor(most) as pool:
            running: set[Future[Result | None]] = set()
            while True:
                for identifier in islice(left, most - len(running) if course.halted is None else 0):
                    running.add(pool.submit(self._attempt.run, identifier, obey=obey))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()

    def _one_by_one(self, identifiers: list[EpisodeId], course: "_Course", *, obey: bool) -> Iterator[Result | None]:
        """Send one after the other; while one is sent the next is packed."""
        with ThreadPoolExecutor(1) as ahead:
            packing: Future[None] | None = None
            for number, identifier in enumerate(identifiers, start=1):
                if packing is not None:
                    packing.exception()  # wait; what went wrong comes again at its turn
                packing = None
                if number < len(identifiers):
                    packing = ahead.submit(self._attempt.prepare, identifiers[number], obey=obey)
                yield self._attempt.run(identifier, obey=obey)
                if course.halted is not None:
                    return

    def _tell(self, done: PassResult) -> None:
        self._tools.log.event(
            "ship.pass",
            new=done.new,
            packed=done.packed,
            stored=done.count(Outcome.STORED) + done.count(Outcome.DUPLICATE),
            quarantined=done.count(Outcome.QUARANTINED),
            retry=done.count(Outcome.RETRY),
            waiting=done.waiting,
        )


def in_order(spool: Spool, identifiers: list[EpisodeId]) -> tuple[list[EpisodeId], int]:
    """Return the episodes that have a ``meta.json``, the oldest first, and how many have none."""
    found: list[tuple[int, EpisodeId]] = []
    for identifier in identifiers:
        with suppress(OSError):
            found.append(((spool.episode(identifier) / META).lstat().st_mtime_ns, identifier))
    return [identifier for _, identifier in sorted(found)], len(identifiers) - len(found)


def _commit_of(spool: Spool, identifier: EpisodeId) -> str | None:
    try:
        return read_meta(spool.episode(identifier)).commit
    except OSError:
        return None


def newest_commit(spool: Spool) -> str | None:
    """Return the commit of the newest ready episode, ``None`` when there is none or it is unstamped."""
    try:
        identifiers, _ = spool.list_episodes()
    except OSError:
        return None
    for identifier in reversed(in_order(spool, identifiers)[0]):
        with suppress(OSError):
            meta = read_meta(spool.episode(identifier))
            if meta.state == "good":
                return meta.commit
    return None


def moment_heard(answer: Answer, now: datetime) -> float | None:
    """Return how far our clock is ahead of the receiver's, in seconds, when its answer tells the time."""
    return (now - answer.date).total_seconds() if answer.date is not None else None
