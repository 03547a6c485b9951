"""A folder of one's own, and keeping it up to date."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from dce_play.cli.author.targets_template import targets_template
from dce_play.discord.targets.keys import DEFAULT_KEYS, TARGET_KEYS, TOP_KEYS
from dce_play.discord.targets.parse import check_targets
from dce_play.playbook.document.document import read_document
from dce_play.resources import playbooks_folder
from dce_play.source import Severity
from tests.support.command_line import Terminal, terminal_in

ROOT = Path("/srv/my archives")
TEMPLATE = targets_template(ROOT).splitlines()
OFFERED = [number for number, line in enumerate(TEMPLATE) if re.match(r"#   [a-z_]+: |    # [a-z_]+: ", line)]


def problems(lines: list[str]) -> list[str]:
    reading = read_document(Path("/x/scrape-targets.yml"), "\n".join(lines).encode() + b"\n")
    found = [*reading.problems] or check_targets(reading.document)[1]
    return [each.message for each in found if each.severity is not Severity.INFO]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return terminal_in(tmp_path)


@pytest.mark.contract("O24")
def test_the_targets_file_is_sound_and_has_every_key_there_is() -> None:
    assert problems(TEMPLATE) == []
    written = set(re.findall(r"^[ #-]*(\$?\w+):", "\n".join(TEMPLATE), re.MULTILINE))
    assert {*TOP_KEYS, *TARGET_KEYS, *DEFAULT_KEYS} - written == {"$schema"}


@pytest.mark.parametrize("number", OFFERED, ids=lambda number: TEMPLATE[number].strip(" #").partition(":")[0])
def test_every_key_can_be_taken_out_of_its_comment(number: int) -> None:
    lines = list(TEMPLATE)
    if lines[number].startswith("#"):  # below defaults
        lines = [line.replace("# defaults:", "defaults:") for line in lines]
        lines[number] = lines[number].replace("#", " ", 1)
    else:
        lines[number] = lines[number].replace("# ", "", 1)
    assert not lines[number].strip().startswith("#")
    if "guild_name_patterns" in lines[number]:
        lines = [line for line in lines if "guild_ids:" not in line]
    assert problems(lines) == []


@pytest.mark.contract("O24")
def test_git_leaves_the_token_out(terminal: Terminal) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=terminal.folder, check=True, timeout=60)
    assert terminal.run("init").code == 0
    terminal.write("scrape.env", "DISCORD_TOKEN=x\n")
    terminal.write("archives/a.json", "{}")
    listed = subprocess.run(
        ["git", "status", "--porcelain", "-uall"],
        cwd=terminal.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "scrape-targets.yml" in listed.stdout
    assert "scrape.env" not in listed.stdout
    assert "archives" not in listed.stdout


def test_a_second_init_changes_nothing(terminal: Terminal) -> None:
    terminal.run("init")
    before = {path: path.read_bytes() for path in terminal.folder.rglob("*") if path.is_file()}
    said = terminal.run("init")
    assert said.code == 0
    assert "wrote" not in said.out
    assert {path: path.read_bytes() for path in terminal.folder.rglob("*") if path.is_file()} == before


def make_old(terminal: Terminal, name: str) -> None:
    """Let a playbook be as an earlier dce-play had written it."""
    path = terminal.folder / "playbooks" / name
    path.write_text(path.read_text().replace("summary: ", "summary: Once, "))
    record = terminal.folder / ".dce-play-init.json"
    known = json.loads(record.read_text())
    known[f"playbooks/{name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.write_text(json.dumps(known))


@pytest.mark.contract("O24")
def test_update_takes_what_nobody_changed_and_keeps_what_somebody_did(terminal: Terminal) -> None:
    terminal.run("init")
    make_old(terminal, "scrape.yml")
    mine = terminal.folder / "playbooks" / "proof.yml"
    mine.write_text(mine.read_text() + "# mine\n")
    (terminal.folder / "playbooks" / "ship.yml").unlink()
    schema = terminal.folder / "schemas" / "playbook.schema.json"
    schema.write_text("{}")

    shown = terminal.run("init", "--diff")
    assert shown.code == 10
    assert "-summary: Once, Bring the archives" in shown.out
    assert "+summary: Bring the archives" in shown.out
    assert "-# mine" in shown.out
    assert "missing  playbooks/ship.yml" in shown.out
    assert not (terminal.folder / "playbooks" / "ship.yml").exists()

    plain = terminal.run("init")
    assert "playbooks/scrape.yml: older than this dce-play; dce-play init --diff shows how" in plain.out
    updated = terminal.run("init", "--update")
    assert "updated  playbooks/scrape.yml" in updated.out
    assert "kept     playbooks/proof.yml: changed here" in updated.out
    shipped = (playbooks_folder() / "scrape.yml").read_bytes()
    assert (terminal.folder / "playbooks" / "scrape.yml").read_bytes() == shipped
    assert mine.read_text().endswith("# mine\n")
    assert schema.read_text() != "{}"


def test_the_targets_file_is_never_written_over(terminal: Terminal) -> None:
    terminal.run("init")
    path = terminal.write("scrape-targets.yml", "archive_root: /mine\n")
    assert terminal.run("init", "--update").code == 0
    assert path.read_text() == "archive_root: /mine\n"
    assert terminal.run("init", "--diff").code == 0


@pytest.mark.contract("O24")
@pytest.mark.parametrize("words", [["init"], ["init", "--update"], ["init", "--diff"]])
@pytest.mark.parametrize("there", [True, False])
def test_nothing_is_written_through_a_link_that_leads_out_of_the_folder(
    terminal: Terminal, tmp_path: Path, words: list[str], *, there: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    names = ("scrape-targets.yml", "playbooks/scrape.yml", "schemas/playbook.schema.json", ".dce-play-init.json")
    for name in (*names, ".gitignore"):
        target = outside / Path(name).name
        link = terminal.folder / name
        link.parent.mkdir(exist_ok=True)
        if there:
            target.write_text("{}")
        link.symlink_to(target)
    (terminal.folder / "elsewhere").symlink_to(outside)
    said = terminal.run(*words)
    assert said.code in {0, 10}, said
    assert {path.read_text() for path in outside.iterdir()} == ({"{}"} if there else set())
    assert "kept     playbooks/scrape.yml: a link leads out of this folder\n" in said.out


def test_a_link_that_stays_in_the_folder_is_followed(terminal: Terminal) -> None:
    (terminal.folder / "playbooks").mkdir()
    (terminal.folder / "playbooks" / "scrape.yml").symlink_to("mine.yml")
    assert terminal.run("init").code == 0
    shipped = (playbooks_folder() / "scrape.yml").read_bytes()
    assert (terminal.folder / "playbooks" / "mine.yml").read_bytes() == shipped
