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
    fix: str = ""
    """The one command that mends that."""
    recap: str = ""
    """A word for the run's last line, such as ``proved``."""
    counts: bool = True
    """Whether people count it among the items; a forum, which has no messages of its own, they do not."""
