"""Ending a program that cannot be ended."""

import os
import signal
import subprocess
import sys

import pytest

from tests.support.bounds import at_most

UNTOUCHABLE = """
import os, psutil, subprocess
from dce_play.system.process import tree
waits = []
tree.TERM_GRACE_S, seen = 0.05, tree._all_gone
def waited(leader, family, *, within_s):
    waits.append(within_s)
    return seen(leader, family, within_s=min(within_s, 0.1))
tree._all_gone = waited
program = subprocess.Popen(["sleep", "1000"], start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
os.setresuid(65534, 65534, 65534)
try:
    tree.end_tree(program)
except tree.ProgramLives as lives:
    print(program.pid, *waits)
    print(lives)
    print(lives.hint)
"""


@pytest.mark.root
def test_a_program_that_cannot_be_killed_is_told_and_not_waited_for_for_ever() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: a program of another user cannot be killed")
    ran = subprocess.run(
        [sys.executable, "-c", UNTOUCHABLE], capture_output=True, text=True, check=False, timeout=60, cwd="/"
    )
    assert ran.stderr == ""
    told, words, hint = ran.stdout.splitlines()
    pid, *waits = told.split()
    shown = subprocess.run(hint.partition(": ")[2].split(), capture_output=True, text=True, check=True).stdout
    os.kill(int(pid), signal.SIGKILL)
    grace = at_most("system.process.tree:KILL_GRACE_S")
    assert [float(each) for each in waits] == [0.05, grace, grace]
    assert words == f"process {pid} goes on after SIGKILL"
    assert shown.splitlines()[1].startswith("root ")
    assert shown.endswith("sleep 1000\n")
