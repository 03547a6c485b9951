"""Lint's findings in the forms of others, judged by their own schemas and readers."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import junitparser
import pytest
from jsonschema import Draft4Validator, Draft7Validator

from dce_play.playbook.lint.table import RULES
from dce_play.render.lint.github import as_github
from dce_play.render.lint.gitlab import as_gitlab
from dce_play.render.lint.junit import as_junit
from dce_play.render.lint.sarif import as_sarif
from dce_play.source import Problem, Severity, Span
from tests.support.command_line import Terminal, terminal_in

OFFICIAL = Path(__file__).parents[3] / "schemas"
FOLDER = Path("/home/op/archives")
NASTY = 'a "name", 100 %0A: <b>&\n\x1b[31mred\u202e 😀'


def problem(rule: str, name: str, message: str, *, line: int = 3, **more: Any) -> Problem:
    span = Span(path=FOLDER / name, line=line, column=5, end_line=line, end_column=15)
    severity = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}[rule[0]]
    return Problem(rule=rule, message=message, span=span, severity=severity, **more)


FIRST = Span(path=FOLDER / "c.yml", line=1, column=1, end_line=2, end_column=3)
PROBLEMS = [
    problem("E109", "playbooks/a b.yml", NASTY, hint='did you mean "report.say"?', replacement="report.say"),
    problem("W412", "playbooks/a b.yml", "no retries", line=7),
    problem("W412", "playbooks/a b.yml", "no retries", line=9),
    problem("I601", "../elsewhere/x,y:z.yml", "no schema"),
    problem("E002", "c.yml", "twice", related=(("the first", FIRST),)),
]
FILES = [FOLDER / "playbooks/a b.yml", FOLDER / "clean.yml"]


@pytest.mark.contract("O26")
def test_sarif_is_what_the_official_schema_asks_for() -> None:
    log = json.loads(as_sarif(PROBLEMS, FOLDER))
    schema = json.loads((OFFICIAL / "sarif-2.1.0-rtm.5.json").read_bytes())
    assert [error.message for error in Draft4Validator(schema).iter_errors(log)] == []
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == sorted(RULES)
    assert [(each["ruleId"], each["level"]) for each in run["results"]] == [
        ("E109", "error"),
        ("W412", "warning"),
        ("W412", "warning"),
        ("I601", "note"),
        ("E002", "error"),
    ]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])
    first = run["results"][0]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"]["uri"] == "playbooks/a%20b.yml"
    assert first["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 15}
    assert len({each["partialFingerprints"]["dcePlayProblem/v1"] for each in run["results"]}) == len(PROBLEMS)


def test_gitlab_takes_every_entry_of_the_report() -> None:
    rows = json.loads(as_gitlab(PROBLEMS, FOLDER))
    schema = json.loads((OFFICIAL / "gitlab-codeclimate.json").read_bytes())
    assert [error.message for row in rows for error in Draft7Validator(schema).iter_errors(row)] == []
    assert {row["severity"] for row in rows} <= {"info", "minor", "major", "critical", "blocker"}
    assert [row["check_name"] for row in rows] == ["E109", "W412", "W412", "I601", "E002"]
    assert rows[0]["location"] == {"path": "playbooks/a b.yml", "lines": {"begin": 3, "end": 3}}
    assert len({row["fingerprint"] for row in rows}) == len(rows)


@pytest.mark.parametrize("form", [as_gitlab, as_sarif])
def test_a_fingerprint_stays_when_lines_are_put_in_above(form: Callable[..., str]) -> None:
    def fingerprints(line: int) -> list[str]:
        moved = [
            problem("W412", "a.yml", "no retries", line=line),
            problem("W412", "a.yml", "no retries", line=line + 1),
        ]
        return re.findall(r'"(?:fingerprint|dcePlayProblem/v1)": "(\w+)"', form(moved, FOLDER))

    assert fingerprints(3) == fingerprints(30)
    assert len(set(fingerprints(3))) == 2


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner does: name, properties, message."""
    found = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert found is not None, line

    def plain(text: str, *, inside: bool) -> str:
        for escape, character in (("%0D", "\r"), ("%0A", "\n"), *((("%3A", ":"), ("%2C", ",")) if inside else ())):
            text = text.replace(escape, character)
        return text.replace("%25", "%")

    properties = dict(each.split("=", 1) for each in found[2].split(","))
    return (
        found[1],
        {name: plain(text, inside=True) for name, text in properties.items()},
        plain(found[3], inside=False),
    )


def test_github_reads_each_line_as_one_command() -> None:
    read = [read_command(line) for line in as_github(PROBLEMS, FOLDER).splitlines()]
    assert [name for name, _, _ in read] == ["error", "warning", "warning", "notice", "error"]
    _, properties, message = read[0]
    assert properties == {
        "file": "playbooks/a b.yml",
        "line": "3",
        "endLine": "3",
        "col": "5",
        "endColumn": "15",
        "title": "E109",
    }
    assert message == 'playbooks/a b.yml:3:5: a "name", 100 %0A: <b>& red 😀: did you mean "report.say"?'
    assert read[3][1]["file"].endswith("elsewhere/x,y:z.yml")


@pytest.mark.parametrize(("strict", "failing"), [(False, ["E109"]), (True, ["E109", "W412", "W412"])])
def test_a_junit_reader_finds_a_case_a_file_and_its_failures(tmp_path: Path, strict: bool, failing: list[str]) -> None:
    path = tmp_path / "lint.xml"
    path.write_text(as_junit(PROBLEMS[:3], FILES, FOLDER, strict=strict), encoding="utf-8")
    report = junitparser.JUnitXml.fromfile(str(path))
    assert (report.tests, report.failures, report.errors) == (2, 1, 0)
    (suite,) = report
    bad, good = list(suite)
    assert (bad.name, good.name, good.is_passed) == ("playbooks/a b.yml", "clean.yml", True)
    assert [each.type for each in bad.result] == failing
    assert 'a "name", 100 %0A: <b>&' in bad.result[0].message
    assert ("W412" in (bad.system_out or "")) is not strict


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = terminal_in(tmp_path)
    head = "# yaml-language-server: $schema=../schemas/playbook.schema.json\n"
    made.write("playbooks/bad.yml", f"{head}steps:\n  - report.sya: {{}}\n")
    return made


@pytest.mark.contract("O26")
def test_github_is_the_form_where_github_runs_and_nothing_else_was_asked_for(terminal: Terminal) -> None:
    there = Terminal(folder=terminal.folder, variables={"GITHUB_ACTIONS": "true"})
    said = there.run("lint")
    assert said.code == 3
    assert said.out.startswith("::error file=playbooks/bad.yml,line=2,")
    assert said.out.splitlines()[-1] == "2 errors in 1 file"
    assert there.run("lint", "--format", "text").out.startswith("error[E102]")
    assert "error[E109]: no step named" in terminal.run("lint").out


@pytest.mark.parametrize(("form", "start"), [("sarif", "{"), ("gitlab", "["), ("junit", "<?xml"), ("json", "[")])
def test_every_form_is_all_of_standard_output(terminal: Terminal, form: str, start: str) -> None:
    said = terminal.run("lint", "--format", form)
    assert said.code == 3
    assert said.out.startswith(start)
    assert "E109" in said.out
