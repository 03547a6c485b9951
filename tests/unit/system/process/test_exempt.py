"""A sealed process has its declared programs started by a child that is not, and no others."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dce_play.system.landlock import landlock_version
from dce_play.system.process.executor import Command, NoSuchProgram, ProgramCancelled, ProgramTimedOut
from dce_play.system.process.exempt import ExemptStarter, ProgramNotDeclared, exempt_starter
from dce_play.system.redact import Masker

pytestmark = pytest.mark.contract("F-DRY")


def command(*argv: str, **more: object) -> Command:
    return Command(argv=argv, **{"timeout_s": 20.0, **more})  # type: ignore[arg-type]  # a test's own options


def test_a_declared_program_runs_with_its_lines_its_environment_and_its_end(tmp_path: Path) -> None:
    masker = Masker()
    with exempt_starter({"sh"}, os.environ, masker) as starter:
        lines: list[tuple[str, str]] = []
        script = 'echo "$WORD $SECRET"; pwd >&2; exit 3'
        secret = "s3cret-value"
        env = {"WORD": "w", "SECRET": secret}
        asked = command("sh", "-c", script, cwd=tmp_path, env=env, secrets=frozenset({secret}))
        finished = starter.run(asked, on_line=lambda stream, line: lines.append((stream, line)))
        assert finished.exit_code == 3
        assert sorted(lines) == [("stderr", str(tmp_path)), ("stdout", "w ***")]
        assert starter.run(command("sh", "-c", "echo again")).stdout == "again\n"


def test_what_was_not_declared_and_what_would_write_is_refused(tmp_path: Path) -> None:
    with exempt_starter({"sh", "no-such-program"}, os.environ, Masker()) as starter:
        for refused in (command("true"), command("sh", "-c", "true", stdout=tmp_path / "out")):
            with pytest.raises(ProgramNotDeclared):
                starter.run(refused)
        with pytest.raises(NoSuchProgram, match="no such program"):
            starter.run(command("no-such-program"))


def test_a_deadline_and_a_stop_reach_the_program() -> None:
    with exempt_starter({"sleep"}, os.environ, Masker()) as starter:
        begun = time.monotonic()
        with pytest.raises(ProgramTimedOut):
            starter.run(command("sleep", "60", timeout_s=0.5))
        with pytest.raises(ProgramCancelled):
            starter.run(command("sleep", "60"), cancelled=lambda: True)
        assert time.monotonic() - begun < 15


def test_the_child_ends_with_the_block() -> None:
    with exempt_starter({"sh"}, os.environ, Masker()) as starter:
        assert isinstance(starter, ExemptStarter)
        child = int(starter.run(command("sh", "-c", "echo $PPID")).stdout)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_the_program_may_write_what_the_sealed_process_may_not(tmp_path: Path) -> None:
    script = f"""
import os
from pathlib import Path
from dce_play.system.landlock import forbid_writes
from dce_play.system.process.executor import Command
from dce_play.system.process.exempt import exempt_starter
from dce_play.system.redact import Masker
with exempt_starter({{"touch"}}, os.environ, Masker()) as starter:
    forbid_writes(())
    try:
        Path("{tmp_path}/ours").touch()
    except PermissionError:
        print("refused")
    starter.run(Command(argv=("touch", "{tmp_path}/its"), timeout_s=10))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "refused\n", done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["its"]
