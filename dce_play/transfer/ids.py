"""Episode ids, and the names that folders get when an id is taken: ``<id>~2``, ``<id>~3``, ….

No id ends in the suffix of a file that we keep beside episodes, and ``~`` is in no id, so names cannot clash.
"""

import re
from collections.abc import Callable
from typing import NewType

EpisodeId = NewType("EpisodeId", str)

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
_ID = re.compile(ID_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_FORBIDDEN_ENDS = (".json", ".part", ".zst")
_NUMBERED = re.compile(r"(?P<id>.+)~(?P<number>[1-9][0-9]{0,8})\Z", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}\Z", re.ASCII)


def episode_id(text: str) -> EpisodeId | None:
    """Return the text as an id, or ``None`` when it is none."""
    return EpisodeId(text) if _ID.match(text) and not text.endswith(_FORBIDDEN_ENDS) else None


def checked_id(text: str) -> EpisodeId:
    """Return the text as an id.

    Raises: ValueError, with what an id is.
    """
    found = episode_id(text)
    if found is None:
        raise ValueError("letters, digits, dots, dashes and underscores, at most 128, the first a letter or a digit")
    return found


def is_commit(text: object) -> bool:
    """Return whether a value is a commit as we compare them: 40 lower-case hex digits."""
    return isinstance(text, str) and _COMMIT.match(text) is not None


def split_name(name: str) -> tuple[EpisodeId, int] | None:
    """Return the id and the number in a folder's name (1 where there is none), or ``None`` when it is no such name."""
    plain = episode_id(name)
    if plain is not None:
        return plain, 1
    found = _NUMBERED.match(name)
    inner = episode_id(found["id"]) if found else None
    if found is None or inner is None or int(found["number"]) < 2:
        return None
    return inner, int(found["number"])


def free_name(identifier: EpisodeId, taken: Callable[[str], bool]) -> str:
    """Return the id itself, or ``<id>~n`` with the smallest n from 2 on that nothing has taken."""
    name, number = str(identifier), 1
    while taken(name):
        number += 1
        name = f"{identifier}~{number}"
    return name
