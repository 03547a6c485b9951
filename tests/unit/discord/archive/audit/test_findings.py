"""Findings: every rule has a repair that can be typed, and a line in the reference."""

import shlex
from pathlib import Path

import pytest

from dce_play.discord.archive.audit.findings import RULE_OF_DAMAGE, Finding, Rule
from dce_play.discord.archive.scan.damage import Damage

REFERENCE = Path(__file__).parents[5] / "docs" / "reference" / "audit-rules.md"


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.contract("R-10.06")
def test_every_rule_has_a_repair_that_names_the_place_and_a_line_in_the_reference(rule: Rule) -> None:
    path, folder = Path("/a b/it's.json"), Path("/a b")
    finding = Finding(rule=rule, path=path, folder=folder, detail="x")
    words = shlex.split(finding.repair.replace("target's", "target"))
    assert str(path) in words or str(folder) in words or rule is Rule.FOLDER_MISSING
    assert f"| `{rule}` | {finding.level} |" in REFERENCE.read_text(encoding="utf-8")


def test_every_damage_has_a_rule() -> None:
    assert set(RULE_OF_DAMAGE) == set(Damage)
