"""What a real zsh and a real fish make of a word, by the line that ``dce-play completion`` tells."""

import os
import pty
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.operators import OTHER, Operator

ZSHRC = """
eval "$(dce-play completion zsh)"
tab() { zle complete-word; print -r -- "$BUFFER" >> $HOME/completed; BUFFER=; }
zle -N tab; bindkey '^I' tab
zle-line-init() { : > $HOME/ready; }
zle -N zle-line-init
"""


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = Operator(tmp_path)
    made.target("den", guild_ids=["754679440998400000"])
    made.archive("den", OTHER, [1])
    made.terminal.write("playbooks/nightly.yml", "name: nightly\nsteps: [{report.say: {text: x}}]\n")
    return made


def shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here: apt-get install {name}")
    return found


def environment(operator: Operator, home: Path) -> dict[str, str]:
    """Return an environment with ``dce-play`` on the path and a home of its own."""
    shims = home / "shims"
    shims.mkdir(parents=True)
    shim = shims / "dce-play"
    shim.write_text(f'#!/bin/sh\nexec {" ".join(operator.terminal.argv())} "$@"\n')
    shim.chmod(0o755)
    own = {"PATH": f"{shims}:{os.environ['PATH']}", "HOME": str(home), "ZDOTDIR": str(home), "TERM": "xterm"}
    return operator.terminal.environment | own


@pytest.mark.contract("O20")
def test_a_zsh_without_a_word_of_its_own_completes_at_tab(operator: Operator, tmp_path: Path) -> None:
    home = tmp_path / "zsh"
    own = environment(operator, home)
    (home / ".zshrc").write_text(ZSHRC)
    leader, follower = pty.openpty()
    asked = subprocess.Popen(
        [shell("zsh"), "-d", "-i"],
        cwd=operator.folder,
        env=own,
        stdin=follower,
        stdout=follower,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not (home / "ready").exists():
            assert asked.poll() is None
            time.sleep(0.05)
        completed = home / "completed"
        for count, typed in enumerate(["dce-play simul", "dce-play run nigh", "dce-play run proof -l demo,d"], 1):
            os.write(leader, f"{typed}\t".encode())
            while not (completed.exists() and completed.read_text().count("\n") == count):
                assert asked.poll() is None
                time.sleep(0.05)
        assert [line.rstrip() for line in completed.read_text().splitlines()] == [
            "dce-play simulate",
            "dce-play run nightly",
            "dce-play run proof -l demo,den",
        ]
    finally:
        asked.kill()
        asked.wait()
        os.close(leader)
        os.close(follower)


@pytest.mark.contract("O20")
def test_a_fish_offers_commands_playbooks_and_targets(operator: Operator, tmp_path: Path) -> None:
    own = environment(operator, tmp_path / "fish")
    asked = ["dce-play simul", "dce-play run nigh", "dce-play run proof -l demo,d"]
    questions = "; ".join(f"complete -C '{typed}'" for typed in asked)
    folder = "$HOME/.config/fish/completions"
    script = f"mkdir -p {folder}; dce-play completion fish > {folder}/dce-play.fish; {questions}"
    done = subprocess.run(
        [shell("fish"), "-c", script],
        cwd=operator.folder,
        env=own,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["simulate", "nightly", "demo,den"]
