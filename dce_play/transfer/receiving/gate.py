"""The version gate: whether an episode's commit is among the newest, by what is known at this moment."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from dce_play.transfer.ids import is_commit
from dce_play.transfer.receiving.config import GateConfig
from dce_play.transfer.receiving.gate_sources import Commits, SourceAnswer

MISS_AGE_S = 1.0
"""A commit that is not found in an answer older than this is looked for anew: it may just have been pushed."""
NOTHING_KNOWN_AGE_S = 0.2
"""While nothing is known, the sources are asked again as soon as this: nobody can be let in meanwhile."""


class Verdict(StrEnum):
    """What the gate says of a commit."""

    IN_WINDOW = "in_window"
    NOT_IN_WINDOW = "not_in_window"
    MALFORMED = "malformed"
    ABSENT = "absent"
    OFF = "off"
    UNKNOWN = "unknown"


class GateView(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate says of one commit, with what it knows."""

    verdict: Verdict
    your_commit: str | None
    head_commit: str | None
    source: str | None
    window: int
    fix: Sequence[str]

    @property
    def state(self) -> str:
        """Return ``ok``, ``unknown`` or ``off``."""
        if self.verdict is Verdict.OFF:
            return "off"
        return "ok" if self.head_commit is not None else "unknown"


class Gate:
    """What is known of the accepted commits. Whoever calls ``refresh`` sees to it that nobody else does."""

    def __init__(
        self,
        config: GateConfig,
        *,
        ask: Callable[[], SourceAnswer],
        monotonic: Callable[[], float],
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.config = config
        self._ask = ask
        self._monotonic = monotonic
        self._log = log
        self._commits: Commits | None = None
        self._accepted: frozenset[str] = frozenset()
        self._asked_at: float | None = None
        self._answered_at: float | None = None
        self.reasons: dict[str, str] = {}
        """Of each source that was asked last: why it did not answer, or nothing."""

    @property
    def source(self) -> str | None:
        return None if self._commits is None else self._commits.source

    @property
    def age_s(self) -> float | None:
        """Return how old the set is that is used."""
        return None if self._answered_at is None else self._monotonic() - self._answered_at

    def needs_refresh(self, commit: str | None) -> bool:
        """Return whether the sources should be asked before this commit is judged."""
        if not self.config.enabled:
            return False
        if self._asked_at is None:
            return True
        age = self._monotonic() - self._asked_at
        if age >= self.config.cache_ttl_s:
            return True
        if self._commits is None:
            return age > NOTHING_KNOWN_AGE_S
        return age > MISS_AGE_S and is_commit(commit) and commit not in self._accepted

    def refresh(self) -> None:
        """Ask the sources. The last good set stays when none of them answers."""
        answer = self._ask()
        now = self._monotonic()
        self._asked_at = now
        failed = {name: reason for name, reason in answer.reasons.items() if reason}
        for name, reason in failed.items():
            if self.reasons.get(name) != reason:
                self._log(f"gate.no_answer from={name} why={msgspec.json.encode(reason).decode()}")
        self.reasons = dict(answer.reasons)
        if answer.commits is None:
            return
        if answer.commits.source != self.source:
            self._log(f"gate.source source={answer.commits.source}")
        self._commits, self._answered_at = answer.commits, now
        self._accepted = frozenset(answer.commits.hashes)

    def view(self, commit: str | None) -> GateView:
        """Return what is known of a commit, without asking anybody."""
        commits = self._commits
        return GateView(
            verdict=self._verdict(commit),
            your_commit=commit,
            head_commit=commits.hashes[0] if commits else None,
            source=commits.source if commits else None,
            window=self.config.window,
            fix=self.config.remediation,
        )

    def _verdict(self, commit: str | None) -> Verdict:
        if not self.config.enabled:
            return Verdict.OFF
        if self._commits is None:
            return Verdict.UNKNOWN
        if commit is None:
            return Verdict.ABSENT
        if not is_commit(commit):
            return Verdict.MALFORMED
        return Verdict.IN_WINDOW if commit in self._accepted else Verdict.NOT_IN_WINDOW
