"""What a receiver tells a lab host to type, made ours: it knows which command helps, and not where our ship.toml is."""

import re
from collections.abc import Iterable

_COMMAND = re.compile(r"\bdce-play (?:(?:ship|quarantine) [a-z]+|doctor)\b(?![^;&|#\n]*--config)")


def with_config(lines: Iterable[str], option: str) -> list[str]:
    """Return lines whose commands read ship.toml with ``option``, which names ours, where they name none."""
    if not option:
        return list(lines)
    return [_COMMAND.sub(lambda found: f"{found[0]} {option}", line) for line in lines]
