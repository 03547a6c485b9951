"""The audit of docs/reference/backup-audit.md is what the command says of the modules in examples/backup-modules."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.support.command_line import Terminal, terminal_in

TOP = Path(__file__).parents[3]
PAGE = TOP / "docs" / "reference" / "backup-audit.md"
SHOWN = "/srv/operator/modules"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Give a working folder with the modules of the examples."""
    found = terminal_in(tmp_path)
    shutil.copytree(TOP / "examples" / "backup-modules", found.folder / "modules")
    return found


def block(kind: str) -> str:
    """Return what the page shows in its one block of a kind, without the command."""
    found = re.findall(
        rf"^```{kind}\n\$ [^\n]*\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(found) == 1
    text: str = found[0]
    return text


@pytest.mark.contract("B8")
def test_the_page_shows_what_an_audit_says_of_a_dozen_modules_of_all_classes(terminal: Terminal) -> None:
    said = terminal.run("backup", "audit", "--backup-root", "/srv/backups")
    assert said.code == 0, said
    assert said.out == block("text")
    rows = [re.split(" {2,}", line) for line in said.out.splitlines()[:-1]]
    assert len(rows) == 12
    assert set(Counter(row[1] for row in rows)) == {f"class {name}" for name in "ABCDEFG"}


@pytest.mark.contract("B8")
def test_the_page_shows_the_object_too(terminal: Terminal) -> None:
    said = terminal.run("backup", "audit", "--backup-root", "/srv/backups", "--format", "json")
    found = json.loads(said.out.replace(str(terminal.folder / "modules"), SHOWN))
    lines = [json.dumps(each, separators=(",", ":")) for each in (*found["modules"], found["summary"])]
    assert "".join(f"{line}\n" for line in lines) == block("json")
    assert sorted(found) == ["backup_root", "modules", "ok", "schema", "summary"]
    assert {row["readiness"] for row in found["modules"]} == {"ready", "not-ready", "excluded"}
