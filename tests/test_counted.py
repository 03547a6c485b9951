"""A number stands before a noun in its number: ``1 episode``, never ``1 episodes`` and never ``1 episode(s)``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "dce_play"
EXACT = {
    "cli/archive/proof.py": {"channel(s)"},
    "cli/archive/salvage.py": {"bytes", "channel(s)", "messages"},
    "discord/archive/folder/channel_map.py": {"channel map entries"},
    "discord/archive/proof/prove.py": {"check(s)"},
    "discord/archive/salvage/salvage.py": {"messages"},
    "discord/exporters/classify.py": {"channel(s)"},
    "discord/exporters/discord_api/convert/system_messages.py": {"minutes"},
    "discord/scrape/channels.py": {"channel(s)", "file(s)", "id(s)"},
    "discord/scrape/preflight.py": {"archive(s)", "channel(s)"},
    "discord/scrape/summary.py": {"messages"},
    "discord/scrape/target.py": {"channel map entries", "channel(s)"},
    "steps/archive/prove_append.py": {"channel(s)"},
    "steps/archive/salvage.py": {"channel(s)"},
    "steps/archive/verify.py": {"target(s)"},
}
"""Words of lines that are exact: the old scripts' and the exporter's, which people and their scripts look for."""
ALWAYS_SEVERAL = {
    "cli/ship/looking.py": {"bytes", "ms"},
    "doctor/receiver.py": {"ms"},
    "steps/ship/ping.py": {"ms"},
    "transfer/archive_check.py": {"times"},
}
"""Units, heads of a column, factors, and what is at least so many."""
VERBS = frozenset({
    "accepts", "answers", "as", "begins", "belongs", "changes", "differs", "does", "ends", "exists", "exits",
    "gives", "goes", "has", "holds", "is", "leads", "makes", "means", "names", "needs", "points", "postgres", "ps",
    "reads", "redirects", "registers", "restores", "runs", "says", "shows", "stands", "starts", "stays", "stores",
    "takes", "tells", "uses", "waits", "was",
})  # fmt: skip
"""What follows a name, and ends in s without being several of anything."""
_BEHIND = re.compile(r" (channel map entries|[a-z]+s)\b")
_EITHER = re.compile(r"\w+\(s\)")


def _without_number(path: Path) -> Iterator[str]:
    """Yield each word that stands behind a number, or is in both numbers at once."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _EITHER.findall(node.value)
        elif isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant) and not _is_bound(value):
                    yield from (found[1] for found in [_BEHIND.match(str(text.value))] if found)


def _is_bound(value: ast.FormattedValue) -> bool:
    """Return whether a constant stands here, such as ``LONGEST``: all of ours are more than one."""
    return isinstance(value.value, ast.Name) and value.value.id.isupper()


def test_a_number_before_a_noun_is_put_there_by_what_counts() -> None:
    wrong = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = str(path.relative_to(SOURCE))
        words = set(_without_number(path)) - VERBS - EXACT.get(name, set()) - ALWAYS_SEVERAL.get(name, set())
        if words:
            wrong[name] = words
    assert wrong == {}


@pytest.mark.parametrize("name", sorted({*EXACT, *ALWAYS_SEVERAL}))
def test_each_exception_is_still_one(name: str) -> None:
    allowed = EXACT.get(name, set()) | ALWAYS_SEVERAL.get(name, set())
    assert allowed - set(_without_number(SOURCE / name)) == set()
