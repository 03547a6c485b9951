"""A number before its noun, as people read it: ``1 episode``, ``12 episodes``."""


def in_number(count: float, noun: str, nouns: str = "") -> str:
    """Return the noun as it stands behind so many; ``nouns`` where an s at its end does not make several."""
    return noun if count == 1 else nouns or noun + "s"


def counted(count: int, noun: str, nouns: str = "", *, grouped: bool = False) -> str:
    """Return the number and the noun; ``grouped`` puts a comma between thousands."""
    number = f"{count:,}" if grouped else str(count)
    return f"{number} {in_number(count, noun, nouns)}"
