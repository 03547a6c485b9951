"""``lint``, ``plan``, ``steps``, ``schema`` and ``init`` as somebody types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import forked

_PLAYBOOK = """\
# yaml-language-server: $schema=../schemas/playbook.schema.json
name: small
params:
  whom: {type: str, default: world, help: Whom to greet}
steps:
  - name: Greet
    report.say: {text: "hello {{ params.whom }}"}
    tags: greet
"""


class Shell:
    """A folder, and our command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
        environment = kept | {"HOME": str(self.folder), "DCE_PLAY_CACHE_DIR": str(self.folder / ".cache")}
        root = str(Path(__file__).resolve().parents[4])
        environment["PYTHONPATH"] = root
        return forked.run(
            [sys.executable, "-m", "dce_play", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "small.yml").write_text(_PLAYBOOK, encoding="utf-8")
    return Shell(tmp_path)


def test_a_sound_folder_lints_clean(shell: Shell) -> None:
    done = shell("lint")
    assert (done.returncode, done.stdout) == (0, "1 file without a problem\n")


def test_an_error_exits_3_and_machines_get_json(shell: Shell) -> None:
    (shell.folder / "playbooks" / "bad.yml").write_text("name: a\nsteps:\n  - report.sya: {}\n", encoding="utf-8")
    done = shell("lint", "--format", "json", "--quiet", "playbooks")
    assert done.returncode == 3
    assert json.loads(done.stdout) == [
        {
            "rule": "E109",
            "severity": "error",
            "file": "playbooks/bad.yml",
            "line": 3,
            "column": 5,
            "end_line": 3,
            "end_column": 15,
            "message": 'no step named "report.sya"',
            "hint": 'did you mean "report.say"?',
        }
    ]


def test_fix_mends_and_tells_what_is_left(shell: Shell) -> None:
    path = shell.folder / "playbooks" / "small.yml"
    path.write_text(_PLAYBOOK.replace("report.say", "report.sya"), encoding="utf-8")
    assert shell("lint", "--fix").returncode == 0
    assert path.read_text(encoding="utf-8") == _PLAYBOOK


def test_warnings_fail_only_when_asked_to(shell: Shell) -> None:
    path = shell.folder / "playbooks" / "small.yml"
    path.write_text(_PLAYBOOK.replace("whom }}", "whom }}  {{ env.API_TOKEN }}"), encoding="utf-8")
    assert shell("lint").returncode == 0
    assert shell("lint", "--strict").returncode == 3


def test_lint_runs_no_code_of_the_project(shell: Shell) -> None:
    (shell.folder / "steps").mkdir()
    (shell.folder / "steps" / "evil.py").write_text("open('ran', 'w').close()\n", encoding="utf-8")
    shell("lint", "--no-cache")
    assert not (shell.folder / "ran").exists()


def test_what_does_not_exist_exits_5(shell: Shell) -> None:
    assert shell("lint", "playboks").returncode == 5
    assert shell("plan", "smal").returncode == 5
    assert shell("plan", "small", "--tags", "gret").returncode == 5
    assert 'did you mean "greet"?' in shell("plan", "small", "--tags", "gret").stderr
    assert shell("steps", "report.sya").returncode == 5


def test_a_plan_shows_steps_params_and_a_graph(shell: Shell) -> None:
    assert "  greet  report.say  (tags greet)" in shell("plan", "small").stdout
    assert shell("plan", "small", "--show-params", "-e", "whom=you").stdout == "whom  str  you  -e\n"
    assert shell("plan", "small", "--graph").stdout.startswith("flowchart TD\n")
    assert json.loads(shell("plan", "small", "--format", "json").stdout)["steps"][0]["id"] == "greet"
    assert shell("plan", "small", "--show-params", "-e", "whmo=you").returncode == 2


def test_steps_are_listed_and_described(shell: Shell) -> None:
    assert "report.say" in shell("steps").stdout
    described = shell("steps", "report.say").stdout
    assert "params:" in described
    assert json.loads(shell("steps", "report.say", "--format", "json").stdout)["name"] == "report.say"


def test_schemas_are_printed_by_name(shell: Shell) -> None:
    names = ["playbook", "role", "targets", "backup-modules", "backup-classes", "event", "project", "ship", "receive"]
    assert shell("schema").stdout.split() == names
    assert json.loads(shell("schema", "role").stdout)["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert shell("schema", "rloe").returncode == 2


def test_a_new_folder_lints_clean_and_keeps_what_is_there(shell: Shell) -> None:
    assert shell("init", "mine").returncode == 0
    targets = shell.folder / "mine" / "scrape-targets.yml"
    assert targets.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./schemas/")
    targets.write_text("archive_root: /mine\n", encoding="utf-8")
    assert "kept     scrape-targets.yml" in shell("init", "mine").stdout
    assert targets.read_text(encoding="utf-8") == "archive_root: /mine\n"


def test_a_new_folders_targets_file_is_sound(shell: Shell) -> None:
    shell("init", "mine")
    done = shell("lint", "--quiet", "mine/scrape-targets.yml")
    assert done.returncode == 0, done.stdout
