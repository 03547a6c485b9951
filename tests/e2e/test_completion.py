"""What a real bash offers for a word that is not finished, asked through the script that we print."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.operators import OTHER, ROOM, Operator

SCRIPT = """
eval "$(dce-play completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_dce_play_completion dce-play
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = Operator(tmp_path)
    made.target("den", guild_ids=["754679440998400000"])
    made.archive("den", OTHER, [1])
    return made


def offered(operator: Operator, *words: str) -> list[str]:
    """Return what bash would offer for the last of the words."""
    shims = operator.folder / "shims"
    shims.mkdir(exist_ok=True)
    shim = shims / "dce-play"
    shim.write_text(f'#!/bin/sh\nexec {" ".join(operator.terminal.argv())} "$@"\n')
    shim.chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "--norc", "-c", SCRIPT, "bash", "dce-play", *words],
        cwd=operator.folder,
        env=operator.terminal.environment | {"PATH": f"{shims}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_targets_are_offered_also_behind_a_comma(operator: Operator) -> None:
    assert offered(operator, "run", "proof", "--target", "") == ["demo", "den"]
    assert offered(operator, "run", "proof", "-l", "dem") == ["demo"]
    assert offered(operator, "run", "proof", "--limit", "demo,d") == ["demo,den"]
    assert offered(operator, "media", "fetch", "de") == ["demo", "den"]
    assert offered(operator, "targets", "discover", "--target", "den") == ["den"]


@pytest.mark.contract("O20")
def test_channels_are_offered_by_id_and_by_name(operator: Operator) -> None:
    assert offered(operator, "run", "catchup", "--channel", "") == [ROOM, OTHER]
    assert offered(operator, "run", "catchup", "--target", "den", "--channel", "") == [OTHER]
    assert offered(operator, "run", "catchup", "--channel", ROOM[:3]) == [ROOM]
    assert offered(operator, "run", "catchup", "--target", "demo", "--channel", "fixture") == [ROOM]
    assert offered(operator, "run", "scrape", "--guild", "75") == ["754679440998400000"]


def test_tags_and_steps_are_those_of_the_playbook_on_the_line(operator: Operator) -> None:
    assert offered(operator, "run", "proof", "--tags", "s") == ["salvage", "say", "scrape"]
    assert offered(operator, "run", "proof", "--tags", "scrape,pro") == ["scrape,probe", "scrape,prove"]
    assert offered(operator, "run", "--skip-tags", "s") == []
    assert offered(operator, "run", "scrape", "--start-at", "check-") == ["check-readiness", "check-the-archives"]
    assert offered(operator, "plan", "proof", "--start-at", "prove/scr") == ["prove/scrape"]


@pytest.mark.contract("O20")
def test_playbooks_runs_and_step_plugins_are_offered(operator: Operator) -> None:
    operator.terminal.write("playbooks/nightly.yml", "name: nightly\nsteps: [{report.say: {text: x}}]\n")
    assert offered(operator, "run", "night") == ["nightly"]
    assert operator.run("nightly").code == 0
    (folder,) = operator.terminal.runs()
    assert offered(operator, "runs", "show", "") == [folder.name]
    assert offered(operator, "resume", folder.name[:6]) == [folder.name]
    assert offered(operator, "steps", "archive.au") == ["archive.audit"]
    assert offered(operator, "export", "1", "--exporter", "disc") == ["discord_api"]


def test_where_something_cannot_be_read_nothing_is_offered_and_nothing_is_said(operator: Operator) -> None:
    (operator.folder / "scrape-targets.json").write_text("{")
    operator.terminal.write("playbooks/broken.yml", "steps: [")
    assert offered(operator, "run", "proof", "--target", "") == []
    assert offered(operator, "run", "broken", "--tags", "") == []
    assert offered(operator, "run", "nowhere", "--start-at", "") == []
