"""What a plan's items are called: the words that every plan has are not an engine's too."""

import re
from pathlib import Path

import dce_play.backup

BACKUP = Path(dce_play.backup.__file__).parent
_WHAT = re.compile(r'PlanItem\(\s*what="([a-z-]+)"')


def words_of(*folders: Path) -> set[str]:
    files = (path for folder in folders for path in folder.rglob("*.py"))
    return {word for path in files for word in _WHAT.findall(path.read_text(encoding="utf-8"))}


def test_no_engine_says_with_a_word_of_every_plan_something_else() -> None:
    everyones = words_of(BACKUP / "restore")
    assert {"backup", "present", "health", "safety-backup"} <= everyones
    engines = words_of(BACKUP / "engines", BACKUP / "tree")
    assert {"replace", "contents", "equal", "server"} <= engines
    assert everyones & engines == set()
