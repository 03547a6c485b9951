"""What an editor offers and tells in a playbook, asked of a real yaml-language-server over stdio."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dce_play.steps import STEPS
from tests.support.command_line import terminal_in
from tests.support.language_server import LanguageServer, running

TOP = Path(__file__).parents[2]
HEAD = "# yaml-language-server: $schema=../schemas/playbook.schema.json\nname: a\n"
PLACES = (TOP / "build" / "editor" / "node_modules" / ".bin", *map(Path, os.environ["PATH"].split(os.pathsep)))


def command() -> Path | None:
    return next((each / "yaml-language-server" for each in PLACES if (each / "yaml-language-server").is_file()), None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    found = command()
    if found is None or shutil.which("node") is None:
        missing = "yaml-language-server: npm install --prefix build/editor yaml-language-server"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    terminal = terminal_in(tmp_path_factory.mktemp("editor"))
    assert terminal.run("init").code == 0
    with running([str(found), "--stdio"], terminal.folder) as made:
        yield made


def opened(server: LanguageServer, text: str) -> tuple[str, int, int]:
    """Open a playbook whose cursor is at ``|``; return its address and the cursor's line and column."""
    before, _, after = (HEAD + text).partition("|")
    uri = server.open(f"playbooks/p{abs(hash(text))}.yml", before + after)
    server.diagnostics(uri)
    return uri, before.count("\n"), len(before) - before.rfind("\n") - 1


def offered(server: LanguageServer, text: str) -> list[str]:
    return [item["label"] for item in server.completions(*opened(server, text))]


def test_steps_and_keywords_are_offered_where_a_step_begins(server: LanguageServer) -> None:
    labels = offered(server, "steps:\n  - |\n")
    assert {"archive.audit", "scrape.run", "when", "block"} <= set(labels)
    assert {label for label in labels if "." in label} == set(STEPS)


def test_params_of_the_step_are_offered_below_it(server: LanguageServer) -> None:
    assert offered(server, "steps:\n  - archive.audit:\n      |\n") == ["target", "full"]


@pytest.mark.contract("O27")
@pytest.mark.parametrize(
    "text",
    [
        "steps:\n  - archive.audit: {t|}\n",
        "steps:\n  - archive.audit: { t| }\n",
        "steps:\n  - {archive.audit: {t|}}\n",
        "steps:\n  - archive.audit: {full: true, t|}\n",
        "steps:\n  - archive.audit: {\n      |\n    }\n",
    ],
)
def test_params_are_offered_between_braces_too(server: LanguageServer, text: str) -> None:
    labels = offered(server, text)
    assert "target" in labels
    assert not set(labels) - {"target", "full"}


def test_choices_are_offered_as_values(server: LanguageServer) -> None:
    assert {'"off"', "attachments", "all"} <= set(offered(server, "steps:\n  - scrape.run: {target: a, media: |}\n"))
    assert {"stop", "continue"} <= set(offered(server, "steps:\n  - disk.report:\n    on_error: |\n"))


@pytest.mark.contract("O27")
def test_no_word_of_the_schemas_own_is_offered_or_told(server: LanguageServer) -> None:
    labels = {*offered(server, "|\n"), *offered(server, "steps:\n  - |\n"), *offered(server, "params:\n  x:\n    |\n")}
    leaked = {"step", "text", "condition", "object", "dce-play playbook", "{{ expression }}", "whole number", "bool"}
    assert not labels & leaked


@pytest.mark.contract("O27")
@pytest.mark.parametrize(
    ("text", "heading", "words"),
    [
        ("steps:\n  - archive.au|dit: {target: a}\n", "archive.audit", "Read a target's channel files"),
        ("steps:\n  - archive.audit: {tar|get: a}\n", "target", "Name of the target"),
        ("steps:\n  - disk.report: {}\n    wh|en: run.dry_run\n", "when", "Run only if this holds"),
        ("steps:\n  - disk.report: {}\n    retr|ies: 2\n", "retries", "How many further tries"),
        ("st|eps:\n  - disk.report: {}\n", "steps", "What to do, in order"),
    ],
)
def test_a_hover_is_headed_by_the_key_itself(server: LanguageServer, text: str, heading: str, words: str) -> None:
    told = server.hover(*opened(server, text))
    assert told.splitlines()[0] == f"#### {heading}"
    assert words in told


def test_mistakes_are_underlined(server: LanguageServer) -> None:
    uri = server.open("playbooks/wrong.yml", HEAD + "steps:\n  - archive.audit: {targt: a}\n    whn: run.dry_run\n")
    found = {(each["range"]["start"]["line"], each["message"]) for each in server.diagnostics(uri)}
    assert {(3, "Property targt is not allowed."), (4, "Property whn is not allowed.")} <= found


def test_what_lint_finds_sound_the_editor_does_too(server: LanguageServer) -> None:
    for path in sorted((TOP / "playbooks").glob("*.yml")):
        uri = server.open(f"playbooks/shipped-{path.name}", path.read_text(encoding="utf-8"))
        assert server.diagnostics(uri) == [], path
