"""Lint knows the targets file that lies beside."""

from pathlib import Path

import pytest

from tests.support.operators import Operator

AUDIT = """\
# yaml-language-server: $schema=../schemas/playbook.schema.json
name: audit
steps:
  - name: Audit
    archive.audit: {target: demmo}
  - name: Look
    archive.snapshot: {targets: [demo, gone]}
  - name: Copy
    file.copy: {source: a, target: b}
"""


@pytest.mark.contract("O26")
def test_a_name_that_the_targets_file_lacks_is_told_and_again_when_the_file_changes(tmp_path: Path) -> None:
    operator = Operator(tmp_path, DCE_PLAY_CACHE_DIR=str(tmp_path / "cache"))
    operator.terminal.write("playbooks/audit.yml", AUDIT)
    first = operator.play("lint")
    assert first.code == 0
    assert 'scrape-targets.json has no target "demmo"' in first.out
    assert 'did you mean "demo"?' in first.out
    assert 'has no target "gone"' in first.out
    assert first.out.count("W414") == 2
    assert operator.play("lint", "--strict").code == 3

    operator.target("demmo")
    operator.target("gone")
    assert "W414" not in operator.play("lint").out

    (operator.folder / "scrape-targets.json").unlink()
    assert "W414" not in operator.play("lint").out


def test_a_targets_file_with_mistakes_says_nothing_of_names(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    operator.terminal.write("playbooks/audit.yml", AUDIT)
    operator.target("demo", kind="nothing")
    said = operator.play("lint")
    assert said.code == 3
    assert "W414" not in said.out
