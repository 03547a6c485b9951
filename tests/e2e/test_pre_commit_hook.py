"""Our hook in somebody else's repository, by pre-commit itself. Nothing is fetched: what it needs is here already."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SHIPPED = ("dce_play", "playbooks", "roles", "schemas", "examples")
FILES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", ".pre-commit-hooks.yaml")
GOOD = "# yaml-language-server: $schema=../schemas/playbook.schema.json\nname: a\nsteps:\n  - report.say: {text: x}\n"


def git(folder: Path, *words: str) -> None:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def our_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours") / "repository"
    folder.mkdir()
    for name in SHIPPED:
        shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(TOP / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return folder


@pytest.mark.contract("O26")
@pytest.mark.slow
def test_the_hook_takes_playbooks_and_targets_and_nothing_else_and_fails_by_an_error(
    our_repository: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "playbooks").mkdir(parents=True)
    (theirs / "playbooks" / "good.yml").write_text(GOOD)
    (theirs / "compose.yml").write_text("a: b: c\n")
    git(theirs, "init", "-q")
    git(theirs, "add", "-A")

    def tried() -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PYTHONPATH": sysconfig.get_path("purelib"),
        }
        words = ["-m", "pre_commit", "try-repo", str(our_repository), "dce-play-lint", "--all-files", "--verbose"]
        return subprocess.run(
            [sys.executable, *words],
            cwd=theirs,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    sound = tried()
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "1 file without a problem" in sound.stdout

    (theirs / "playbooks" / "bad.yml").write_text(GOOD.replace("report.say", "report.sya"))
    git(theirs, "add", "-A")
    broken = tried()
    assert broken.returncode == 1
    assert "- exit code: 3" in broken.stdout
    assert "error[E109]" in broken.stdout
    assert "compose.yml" not in broken.stdout
