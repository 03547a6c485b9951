"""What a run did for a target's media, and the lines that say so."""

from collections import Counter
from dataclasses import dataclass, field

from dce_play.discord.media_store.policy import MediaState
from dce_play.system.counted import counted


@dataclass(slots=True, kw_only=True)
class MediaOutcome:
    """Counts of one run; they grow while it goes on."""

    states: Counter[str] = field(default_factory=Counter)
    kept_bytes: int = 0
    waiting: int = 0
    """Named, and not fetched for want of budget, space or time."""
    unread: int = 0
    """Channel files that could not be looked through."""
    trouble: str = ""
    """Why the store could not be used, or was not to its end."""
    first_reason: str = ""
    """Of the first that is missing."""

    @property
    def kept(self) -> int:
        return self.states[MediaState.KEPT]

    @property
    def missing(self) -> int:
        """What this run found to be gone or failed."""
        return self.states[MediaState.GONE] + self.states[MediaState.FAILED]

    def lines(self, target: str) -> list[str]:
        """Return a line of what was kept where something was, and one with ``!`` for each thing that is wrong."""
        told = []
        if self.kept:
            others = "".join(
                f", {self.states[state]} {state.value.replace('_', ' ')}"
                for state in (MediaState.TOO_LARGE, MediaState.EXCLUDED)
                if self.states[state]
            )
            told.append(f"Target '{target}': kept {self.kept} media, {counted(self.kept_bytes, 'byte')}{others}")
        if self.trouble:
            told.append(f"! media of target '{target}' are not kept: {self.trouble}")
        if self.missing:
            first = f"; first: {self.first_reason}" if self.first_reason else ""
            parts = ", ".join(
                f"{self.states[state]} {state.value}"
                for state in (MediaState.GONE, MediaState.FAILED)
                if self.states[state]
            )
            told.append(f"! {self.missing} media missing ({parts}{first})")
        if self.waiting:
            told.append(f"! {self.waiting} media wait for the next run: budget or space is used up, or it was stopped")
        return told
