"""The pages and manuals that are made from the code: whole, true, and readable by what reads them."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dce_play.cli.app.exit_words import EXIT_WORDS
from dce_play.cli.app.variables import VARIABLES
from dce_play.discord.targets.keys import DEFAULT_KEYS, TARGET_KEYS, TOP_KEYS
from dce_play.errors import ExitCode
from dce_play.playbook.lint.table import RULES
from tools.commands import contexts
from tools.man_pages import man_page, written
from tools.reference_pages import PAGES

TOP = Path(__file__).parents[3]
GIVEN_TO_OTHERS = frozenset(
    {"DCE_ARCHIVE_ROOT", "DCE_TOKEN_FILE", "DCE_LABEL_OPTION", "DCE_BACKUP_MODULE", "DCE_BACKUP_FILE"}
)
"""What we set for containers and hooks, and do not read."""
_VARIABLE = re.compile(r"(?:DCE|DISCORD)_[A-Z_]+")


def test_the_page_of_variables_has_each_that_the_code_names() -> None:
    listed = {name for names in VARIABLES.values() for name in names}
    found: set[str] = set()
    for path in (TOP / "dce_play").rglob("*.py"):
        if path.name != "variables.py":
            constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
            found |= {value for value in constants if isinstance(value, str) and _VARIABLE.fullmatch(value)}
    assert found - GIVEN_TO_OTHERS == {name for name in listed if _VARIABLE.fullmatch(name)}


@pytest.mark.contract("O29")
def test_every_exit_code_has_its_words_and_a_section_of_troubleshooting() -> None:
    assert set(EXIT_WORDS) == set(ExitCode)
    page = (TOP / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^## (\d+): ", page, re.MULTILINE)] == sorted(
        code.value for code in ExitCode
    )


def test_the_pages_have_all_that_they_are_about() -> None:
    pages = {name: make() for name, make in PAGES.items()}
    assert all(f" {each.command_path}\n" in pages["commands.md"] for each in contexts())
    assert all(f"| `{key}` |" in pages["targets-file.md"] for key in (*TOP_KEYS, *TARGET_KEYS, *DEFAULT_KEYS))
    assert all(f"| {rule} |" in pages["rules.md"] for rule in RULES)
    assert all(text.startswith("# ") for text in pages.values())


@pytest.mark.contract("O29")
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=TOP, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = (tmp_path / "site" / "reference" / "commands.html").read_text(encoding="utf-8")
    assert "dce-play archive audit" in commands
    loaded = re.findall(r'(?:src|href)="(https?://[^"]+)"', (tmp_path / "site" / "index.html").read_text())
    assert [address for address in loaded if address.endswith((".js", ".css", ".woff2"))] == []


@pytest.mark.contract("O29")
@pytest.mark.skipif(shutil.which("groff") is None, reason="groff reads manual pages")
def test_groff_reads_every_manual_page_without_a_warning(tmp_path: Path) -> None:
    pages = written(tmp_path)
    assert len(pages) == len(list(contexts()))
    command = ["groff", "-k", "-man", "-ww", "-Tutf8", "-rLL=100n", *map(str, pages)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr == ""
    plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    assert "dce-play-archive-audit - Read channel files from end to end" in " ".join(plain.split())
    assert "dce-play archive audit --full --jobs 2 ~/archive" in plain


def test_a_manual_page_has_the_usual_sections_in_order() -> None:
    context = next(each for each in contexts() if each.command_path == "dce-play archive")
    titles = re.findall(r"^\.SH (.+)$", man_page(context), re.MULTILINE)
    assert titles == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS"]
