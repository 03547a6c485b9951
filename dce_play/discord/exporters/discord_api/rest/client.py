"""Discord's REST API: authorization, retries, limits. Every request of a run goes through one client."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from dce_play.discord.exporters.discord_api.rest.answers import UnexpectedAnswer
from dce_play.discord.exporters.discord_api.rest.endpoints import complaint
from dce_play.discord.exporters.discord_api.rest.rate_limits import (
    GLOBAL_PER_SECOND,
    RateLimits,
    is_global,
    retry_after,
    route_of,
)
from dce_play.discord.exporters.discord_api.rest.transport import Answer, Timeouts, Transport, Unanswered
from dce_play.discord.exporters.discord_api.rest.verdicts import Meaning, error_code, meaning_of, reason_of
from dce_play.discord.exporters.discord_api.rest.watch import Watch
from dce_play.discord.exporters.protocol import AuthenticationFailed, ExportFailed
from dce_play.errors import UsageError
from dce_play.system.clock import Clock
from dce_play.system.counted import counted

RETRIES = 8
PATIENCE_S = 150.0
DOUBTS = 3
"""How often an answer that nobody can believe is asked for again: time may mend a busy proxy, hardly a wrong one."""
LONGEST_WAIT_S = 900.0
"""Whoever asks to wait longer than this has banned us for now: better said than sat out."""
_MARGIN_S = 1.0
_LONG_WAIT_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What a run grants itself."""

    parallel: int = 4
    """Requests under way at once, over all threads."""
    per_second: int | None = GLOBAL_PER_SECOND
    budget: int | None = None
    """Requests in all; the one after that is not made."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: int = RETRIES
    """How often a request is made again when nobody answers it, or asks to wait."""
    patience_s: float = PATIENCE_S
    """How long that goes on, besides the waits that an answer asks for."""


class BadToken(UsageError):
    """The text cannot be a token. It is not shown."""

    def __init__(self) -> None:
        super().__init__(
            "the Discord token has characters that no token has", hint="is there a line break or a quote in it?"
        )


class RequestRefused(ExportFailed):
    """Discord itself refuses one request for good."""

    _WORDS: ClassVar = {Meaning.FORBIDDEN: "forbidden", Meaning.GONE: "not found", 400: "bad request"}

    def __init__(self, path: str, status: int, meaning: Meaning = Meaning.REFUSED, code: int | None = None) -> None:
        words = self._WORDS.get(meaning) or self._WORDS.get(status, f"HTTP {status}")
        super().__init__(f"request to '{path}' failed: {words}{f' (code {code})' if code else ''}")
        self.path = path
        self.status = status
        self.meaning = meaning

    @property
    def out_of_reach(self) -> bool:
        """Whether what was asked for is gone or not for us, which concerns that thing only."""
        return self.meaning in {Meaning.FORBIDDEN, Meaning.GONE}


class ClientBlocked(ExportFailed):
    """What answers does not let this client in, or is not Discord. That says nothing about the channel."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"request to '{path}' failed: this client is kept out ({reason})",
            hint="is this address or account blocked, or does a proxy answer in Discord's place?",
        )
        self.path = path


class RequestGivenUp(ExportFailed):
    """All retries of one request failed."""

    def __init__(self, path: str, reason: str, hint: str = "") -> None:
        kept = "; the partial is kept" if "/messages" in path else ""
        super().__init__(f"request to '{path}' failed: {reason}", hint=hint or f"try again later{kept}")
        self.path = path
        self.reason = reason


class BudgetSpent(ExportFailed):
    """The run has made as many requests as it was granted."""

    def __init__(self, budget: int) -> None:
        super().__init__(
            f"request budget of {budget} spent", hint="the next run goes on from here; or raise the budget"
        )
        self.budget = budget


class DiscordClient:
    """Requests to Discord, safe to use from several threads at once.

    A token that was refused once (401) is not tried again: every later request fails without being made.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        clock: Clock,
        limits: ClientLimits | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``note`` is told of every long wait for another try, as nothing else moves meanwhile."""
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise BadToken
        granted = limits or ClientLimits()
        self._note = note
        self._token = token
        self._budget = granted.budget
        self._clock = clock
        self._retries = granted.retries
        self._patience_s = granted.patience_s
        self._transport = Transport(base_url, clock=clock, timeouts=granted.timeouts, connections=granted.parallel)
        is_discord = (urlsplit(base_url).hostname or "").endswith(("discord.com", "discordapp.com"))
        self._limits = RateLimits(clock, per_second=granted.per_second, buckets_tell=not is_discord)
        self._lock = threading.Lock()
        self._kind_lock = threading.Lock()
        self._authorization: str | None = None
        self._token_is_dead = False
        self._in_vain = False
        """Whether the last request was given up: until one is answered, none is asked for again and again."""
        self.request_count = 0

    def is_bot(self, watch: Watch) -> bool:
        """Return whether the token is a bot's. Asks once: at most two requests.

        Raises: AuthenticationFailed.
        """
        return self._authorized(watch).startswith("Bot ")

    def get(self, path: str, query: Mapping[str, str] | None = None, *, watch: Watch) -> Any:
        """Return the JSON at a path below the API base, its shape checked.

        Raises: RequestRefused; AuthenticationFailed; ClientBlocked; UnexpectedAnswer; RequestGivenUp; BudgetSpent;
        ExportCancelled.
        """
        return self._answer(f"{path}?{urlencode(query)}" if query else path, watch, None)

    def post(self, path: str, value: Any, *, watch: Watch) -> Any:
        """Return the JSON that a POST of a value is answered with. Only for what may be asked twice.

        Raises: as ``get``.
        """
        return self._answer(path, watch, json.dumps(value).encode())

    def _answer(self, whole: str, watch: Watch, body: bytes | None) -> Any:
        answer, meaning = self._ask(whole, self._authorized(watch), watch, body)
        if meaning is Meaning.TOKEN_REFUSED:
            self._token_is_dead = True
            raise _token_refused()
        if meaning is not Meaning.ANSWER:
            raise RequestRefused(whole, answer.status, meaning, error_code(answer))
        return answer.body

    def find(self, path: str, query: Mapping[str, str] | None = None, *, watch: Watch) -> Any | None:
        """Return the JSON at a path, or ``None`` where the token may not see it or it is not there."""
        try:
            return self.get(path, query, watch=watch)
        except RequestRefused as refused:
            if refused.out_of_reach:
                return None
            raise

    def close(self) -> None:
        """End all connections."""
        self._transport.close()

    def _authorized(self, watch: Watch) -> str:
        with self._kind_lock:
            if self._authorization is None and not self._token_is_dead:
                # Bots put a word before the token; which of the two it is, only the answers tell.
                for tried in (self._token, f"Bot {self._token}"):
                    if self._ask("users/@me", tried, watch)[1] is not Meaning.TOKEN_REFUSED:
                        self._authorization = tried
                        break
                else:
                    self._token_is_dead = True
            if self._token_is_dead or self._authorization is None:
                raise _token_refused()
            return self._authorization

    def _ask(self, path: str, authorization: str, watch: Watch, content: bytes | None = None) -> tuple[Answer, Meaning]:
        """Ask until there is an answer to go by, and return it with its meaning, which is none of WAIT and BLOCKED."""
        bare = path.partition("?")[0]
        route = route_of(bare)
        doubts = 0
        patience_s = 0.0 if self._in_vain else self._patience_s
        for attempt in range(self._retries + 1):
            pause_s = 2.0**attempt + _MARGIN_S
            asked_s: float | None = None
            error: ExportFailed | None = None
            self._take_turn(route, watch)
            began = self._clock.monotonic()
            try:
                answer = self._once(path, route, authorization, watch, content)
            except Unanswered as unanswered:
                reason = str(unanswered)
            else:
                meaning = meaning_of(answer)
                wrong = complaint(bare, answer.body) if meaning is Meaning.ANSWER else None
                if wrong is None and meaning not in {Meaning.WAIT, Meaning.BLOCKED}:
                    self._in_vain = False
                    return answer, meaning
                reason = wrong or reason_of(answer)
                if wrong is not None:
                    error = UnexpectedAnswer(f"'{path}': {wrong}")
                elif meaning is Meaning.BLOCKED:
                    error = ClientBlocked(path, reason)
                else:
                    asked_s = self._asked_wait(route, path, answer)
            if error is not None:
                doubts += 1
                if self._in_vain or doubts > min(DOUBTS, self._retries):
                    self._in_vain = isinstance(error, ClientBlocked)
                    raise error
            if asked_s is not None:
                pause_s = asked_s + _MARGIN_S
            else:
                patience_s -= self._clock.monotonic() - began + pause_s
            if attempt == self._retries or (asked_s is None and patience_s < 0):
                self._in_vain = asked_s is None
                raise error or RequestGivenUp(path, f"{reason}, {_times(attempt + 1)}")
            if pause_s >= _LONG_WAIT_S + _MARGIN_S:
                self._note(f"WARN: {reason} for '{path}'; trying again in {pause_s:.0f} s")
            watch.wait(pause_s)
        raise AssertionError("the last try returns or raises")

    def _take_turn(self, route: str, watch: Watch) -> None:
        while wait_s := self._limits.reserve(route):
            watch.wait(wait_s)

    def _once(self, path: str, route: str, authorization: str, watch: Watch, content: bytes | None) -> Answer:
        self._count(watch)
        answer = self._transport.get(path, authorization, watch.beat, body=content)
        self._limits.learn(route, answer.headers)
        return answer

    def _asked_wait(self, route: str, path: str, answer: Answer) -> float | None:
        body = answer.body if isinstance(answer.body, dict) else None
        asked_s = retry_after(answer.headers, body)
        if asked_s is None:
            return None
        if asked_s > LONGEST_WAIT_S:
            raise RequestGivenUp(path, f"Discord asks to wait for {asked_s:.0f} s", "run again after that time")
        if answer.status == 429:
            self._limits.refused(route, asked_s, everywhere=is_global(answer.headers, body))
        return asked_s

    def _count(self, watch: Watch) -> None:
        with self._lock:
            if self._budget is not None and self.request_count >= self._budget:
                raise BudgetSpent(self._budget)
            self.request_count += 1
        watch.request_count += 1


def _token_refused() -> AuthenticationFailed:
    return AuthenticationFailed(
        "Authentication token is invalid (401)", hint="get a new token, then: dce-play auth set --force"
    )


def _times(count: int) -> str:
    return "once" if count == 1 else counted(count, "time")
