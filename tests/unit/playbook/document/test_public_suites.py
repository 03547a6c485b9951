"""Two public test suites: every case of JSON and YAML gets the verdict that is right, and none ends the program.

Source: JSONTestSuite and yaml-test-suite, see tests/data/suites/LICENSE.md.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from dce_play.discord.archive.scan.strict_json import NotJson, strict_value
from dce_play.playbook.document.document import read_document
from dce_play.source import Problem, Severity

pytestmark = pytest.mark.contract("F-B2")

SUITES = Path(__file__).parents[3] / "data" / "suites"


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SUITES / name).read_text(encoding="utf-8").splitlines()]


def data_of(case: dict[str, Any]) -> bytes:
    if "repeat" in case:
        return (str(case["repeat"]) * int(case["times"]) + str(case["then"])).encode()
    return str(case["bytes"]).encode("latin-1")


def errors(problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]


JSON_CASES = {case["name"]: data_of(case) for case in cases("json-test-suite.jsonl")}
YAML_CASES = {case["id"]: case for case in cases("yaml-test-suite.jsonl")}

READ_ALL_THE_SAME = {"9C9N", "9JBA", "CVW2", "DK95:01", "G5U8", "QB6E", "SU5Z", "Y79Y:03", "YJV2"}
"""No YAML by the letter, and read as everybody would: a comment or a dash without its blank, a line too far left."""


def test_the_suites_are_whole() -> None:
    first = [name[0] for name in JSON_CASES]
    assert {letter: first.count(letter) for letter in "yni"} == {"y": 95, "n": 188, "i": 35}
    assert (len(YAML_CASES), sum("fail" in case for case in YAML_CASES.values())) == (402, 94)


@pytest.mark.parametrize("name", JSON_CASES)
def test_a_message_is_json_or_not(name: str) -> None:
    try:
        strict_value(JSON_CASES[name])
        verdict = "y"
    except NotJson:
        verdict = "n"
    assert verdict == name[0] or name[0] == "i"


@pytest.mark.parametrize("name", JSON_CASES)
def test_a_json_document_is_read_or_has_a_problem_with_a_place(name: str) -> None:
    reading = read_document(Path("/case.json"), JSON_CASES[name])
    found = errors(reading.problems)
    assert all(problem.span.line >= 1 and problem.span.column >= 1 for problem in found)
    if name.startswith("n_"):
        assert found
    if name.startswith("y_") and not found:
        assert same(reading.document.value, json.loads(JSON_CASES[name]))


@pytest.mark.parametrize("identifier", YAML_CASES)
def test_a_yaml_document_is_read_as_it_is_meant_or_refused_with_a_place(identifier: str) -> None:
    case = YAML_CASES[identifier]
    reading = read_document(Path("/case.yml"), case["yaml"].encode("utf-8", "surrogatepass"))
    found = errors(reading.problems)
    assert all(problem.span.line >= 1 and problem.message for problem in found)
    if case.get("fail"):
        assert bool(found) is (identifier not in READ_ALL_THE_SAME)
    elif "json" in case and not found:
        assert same(reading.document.value, json.loads(case["json"] or "null"))


def test_most_yaml_is_read_and_the_rest_refused_by_rules_that_we_name() -> None:
    sound = [case for case in YAML_CASES.values() if not case.get("fail")]
    verdicts = [errors(read_document(Path("/case.yml"), case["yaml"].encode()).problems) for case in sound]
    read = sum(not found for found in verdicts)
    rules = {problem.rule for found in verdicts for problem in found}
    assert rules <= {"E001", "E002", "E003", "E004", "E104"}
    assert read >= 150


def same(ours: object, meant: object) -> bool:
    """Return whether two values are the same, numbers by their value."""
    if isinstance(ours, float) and isinstance(meant, float):
        return ours == meant or (math.isnan(ours) and math.isnan(meant))
    if isinstance(ours, list) and isinstance(meant, list):
        return len(ours) == len(meant) and all(map(same, ours, meant))
    if isinstance(ours, dict) and isinstance(meant, dict):
        return ours.keys() == meant.keys() and all(same(ours[key], meant[key]) for key in ours)
    return ours == meant
