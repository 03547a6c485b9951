"""What a step tells in facts, beside its lines for people: whoever shows a run needs no parsing of texts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """What became of one item. Names are as others wrote them: whoever shows them cleans them."""

    kind: str
    """What it is, in the singular: ``channel``."""
    name: str
    """What people call it."""
    group: str = ""
    """What it belongs to, such as a target; stands above the items."""
    added: int = 0
    """How many of ``unit`` came in."""
    total: int | None = None
    """How many of ``unit`` it has now; ``None`` where that is not known."""
    unit: str = ""
    """What is counted, in the plural: ``messages``."""
    path: str = ""
    """Its file, relative to the archive root."""
    remark: str = ""
    """Why somebody should look at it, in a word or two: ``forbidden``, ``not archived``."""
    why: str = ""
    """Why it failed, without the path and the fix, which stand beside it; empty where the item's detail says it."""
    fix: str = ""
    """The one command that mends that, or shows what is wrong."""
    keeps: str = ""
    """What that command saves: ``97 messages can be kept; a backup stays``."""
    recap: str = ""
    """A word for the run's last line, such as ``proved``."""
    counts: bool = True
    """Whether people count it among the items; a forum, which has no messages of its own, they do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where in its work a step is."""

    item: str
    """What it is at, as people call it."""
    group: str = ""
    """What that belongs to, such as a target."""
    number: int = 0
    """The item's number, from 1; 0 where items are not counted."""
    of: int = 0
    """How many items there are."""
    done: int = 0
    """Of this item, in ``unit``."""
    unit: str = ""
    per_s: float = 0.0
    moment: str = ""
    """Up to which time the item is done, ISO 8601; empty where that says nothing."""
    share: float | None = None
    """How much of the item is done, from 0 to 1, by time; ``None`` where nobody knows."""

    def text(self) -> str:
        """Return ``lab-guild 1/3  general  16 200 messages  620/s  at 2023-04-11 (61 %)``."""
        count = f"{self.number}/{self.of}" if self.number and self.of > 1 else ""
        parts = [" ".join(part for part in (self.group, count) if part), self.item]
        if self.done:
            unit = self.unit.removesuffix("s") if self.done == 1 else self.unit
            parts.append(f"{self.done:,} {unit}".replace(",", " "))
            parts.append(f"{self.per_s:.0f}/s" if self.per_s >= 1 else "")
        if self.moment:
            parts.append(f"at {self.moment[:10]}" + (f" ({self.share:.0%})".replace("%", " %") if self.share else ""))
        return "  ".join(part for part in parts if part)
