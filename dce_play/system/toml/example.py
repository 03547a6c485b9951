"""An example of a TOML file, made from its table of keys: every key, its meaning and its default."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dce_play.system.toml.keys import Key


def toml_example(keys: Sequence[Key], given: Mapping[str, Any], *, head: str) -> str:
    """Return the example: what is in ``given`` is set, all else stands as a comment with its default.

    The keys of each table stand together, those of none first.
    """
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    table: tuple[str, ...] = ()
    for key in keys:
        if key.pointer[:-1] != table:
            table = key.pointer[:-1]
            lines += ["", f"[{'.'.join(table)}]"]
        value = given.get(key.name, key.default)
        lines.append("")
        lines.append(f"# {key.help}")
        if key.choices:
            lines.append(
                f"# Also: {', '.join(key.choices)}." if key.kind != "choice" else f"# One of {', '.join(key.choices)}."
            )
        mark = "" if key.name in given else "# "
        lines.append(f"{mark}{key.pointer[-1]} = {json.dumps('' if value is None else value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"
