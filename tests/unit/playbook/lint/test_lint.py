"""Lint as a whole: files, fixes, suppressions, the cache."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.playbook.document.cache import Cache, cache_folder, own_fingerprint
from dce_play.playbook.lint.file import inspect_file
from dce_play.playbook.lint.files import NothingToLint
from dce_play.playbook.lint.fix import fix_files
from dce_play.playbook.lint.lint import Inspection, Linter
from dce_play.source import Problem
from tests.support.demo_steps import DEMO_STEPS

_ROOT = Path(__file__).resolve().parents[4]
_HEAD = "# yaml-language-server: $schema=../schemas/playbook.schema.json\n"


def _inspect(path: Path, data: bytes) -> Inspection:
    return inspect_file(path, data, steps=DEMO_STEPS)


def _lint(path: Path, text: str) -> list[Problem]:
    path.write_text(text, encoding="utf-8")
    return list(Linter(_inspect).lint([path]).problems)


_BROKEN = """\
name: broken   # a comment that stays
steps:
  - report.say: {text: yes}   # here too
    wehn: "{{ run.dry_run }}"
  - name: Second
    report.sya:
      text: {{ run.id }} and 'more'
    when: "{{ run.dry_run }}"   # and here
"""
_MENDED = """\
# yaml-language-server: $schema=../schemas/playbook.schema.json
name: broken   # a comment that stays
steps:
  - report.say: {text: "yes"}   # here too
    when: run.dry_run
  - name: Second
    report.say:
      text: "{{ run.id }} and 'more'"
    when: run.dry_run   # and here
"""


def test_what_is_certain_is_mended_and_nothing_else_moves(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    while fix_files(_lint(path, path.read_text(encoding="utf-8") if path.exists() else _BROKEN)):
        pass
    assert path.read_text(encoding="utf-8") == _MENDED
    assert _lint(path, _MENDED) == []


def test_what_is_not_certain_is_left_alone(tmp_path: Path) -> None:
    text = _HEAD + "name: a\nsteps:\n  - report.say: {text: a}\n    wheneverr: true\n"
    path = tmp_path / "a.yml"
    assert fix_files(_lint(path, text)) == 0
    assert path.read_text(encoding="utf-8") == text


def test_a_fix_that_dies_while_it_writes_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(_BROKEN, encoding="utf-8")
    dies = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40));"
        "from dce_play.cli.app.main import main; sys.exit(main(['lint', '--fix', '--no-cache', sys.argv[1]]))"
    )
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # the limit would cut bytecode short, and Python keeps it
    command = [sys.executable, "-c", dies, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode not in {0, 3}
    assert path.read_text(encoding="utf-8") == _BROKEN
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".tmp"] == []


_NETWORK = "name: a\nsteps:\n  - demo.remote: {}\n    timeout: 1m\n"


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (_NETWORK, ["W412"]),
        (_NETWORK.replace("{}", "{}  # dce-play: ignore[W412] it answers at once"), []),
        (_NETWORK.replace("  - demo", "  # dce-play: ignore[W412] it answers at once\n  - demo"), []),
        ("# dce-play: ignore[W412] it answers at once\n" + _NETWORK, []),
        (_NETWORK.replace("{}", "{}  # dce-play: ignore[W412]"), ["W901"]),
        (_NETWORK.replace("{}", "{}  # dce-play: ignore[W411, W412] all is well"), []),
        (_NETWORK.replace("{}", "{}  # dce-play: ignore[W411] wrong rule"), ["W412", "W901"]),
        (_NETWORK.replace("{}", "{}  # dce-play: ignore[W999] no rule"), ["W412", "W901"]),
        (
            _NETWORK.replace("timeout: 1m", "timeout: 1m\n    x: 1  # dce-play: ignore[E101] no"),
            ["E101", "W412", "W901"],
        ),
    ],
)
def test_a_comment_suppresses_warnings_with_a_reason(tmp_path: Path, text: str, rules: list[str]) -> None:
    assert sorted(each.rule for each in _lint(tmp_path / "a.yml", _HEAD + text)) == rules


@pytest.mark.parametrize("line", ["version: one", "lock: []", "params: []", "vars: 3", "steps: {a: 1}", "outputs: x"])
def test_a_value_of_a_wrong_kind_is_one_error_at_the_value(tmp_path: Path, line: str) -> None:
    text = f"{_HEAD}name: a\nsteps:\n  - report.say: {{text: a}}\n"
    text = text.replace("steps:\n  - report.say: {text: a}", line) if line.startswith("steps") else text + line + "\n"
    problems = [each for each in _lint(tmp_path / "a.yml", text) if each.rule.startswith("E")]
    value = line.index(" ") + 2
    assert [(each.rule, each.span.column) for each in problems] == [("E103", value)]


def test_folders_are_searched_and_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "a.yml").write_text(
        _HEAD + "name: a\nsteps:\n  - report.say: {text: a}\n", encoding="utf-8"
    )
    (tmp_path / "playbooks" / "notes.txt").write_text("{{", encoding="utf-8")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b.yml").write_text("a: {{", encoding="utf-8")
    assert [file.name for file in Linter(_inspect).lint([tmp_path]).files] == ["a.yml"]
    for missing in (tmp_path / "playbokos", tmp_path / ".hidden" / "empty"):
        with pytest.raises(NothingToLint) as caught:
            Linter(_inspect).lint([missing])
        assert caught.value.exit_code is ExitCode.NOTHING_SELECTED


OTHERS = {
    ".github/workflows/ci.yml": "jobs: {a: {steps: [{run: x}]}}\n",
    "docker-compose.yml": "services: {}\n",
    "azure-pipelines.yml": "steps:\n  - script: make\n  - task: Cache@2\n",
    "playbooks/site.yml": "- name: Site\n  hosts: all\n",
    "roles/web/tasks/main.yml": "- ansible.builtin.apt: {name: nginx}\n",
    "mkdocs.yml": "site_name: x\n",
    "node_modules/x/playbooks/a.yml": "name: a\n",
    "other.schema.json": "{",
}
OURS = {
    "playbooks/broken.yml": "stesp: [",
    "playbooks/nightly/deep.yml": "nmae: a\n",
    "roles/greet/role.yml": "nmae: a\n",
    "anywhere/scrape.yml": "steps:\n  - name: Look\n    disk.report: {}\n",
    "marked.yml": "# yaml-language-server: $schema=../schemas/playbook.schema.json\nnmae: a\n",
    "config/scrape-targets.yml": "archive_root: /a\n",
    "by-content.yml": "archive_root: /a\ntargets: []\n",
    "schemas/playbook.schema.json": "{}",
}


def test_of_a_folder_only_what_is_ours_is_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    for name, text in (OTHERS | OURS).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    result = Linter(_inspect).lint([tmp_path])
    assert {file.relative_to(tmp_path).as_posix() for file in result.files} == set(OURS)
    assert result.left_out == 5
    named = Linter(_inspect).lint([tmp_path / "docker-compose.yml"])
    assert [file.name for file in named.files] == ["docker-compose.yml"]
    with pytest.raises(NothingToLint, match="nothing of ours"):
        Linter(_inspect).lint([tmp_path / "roles" / "web"])


def test_a_targets_file_and_a_schema_are_linted_as_what_they_are(tmp_path: Path) -> None:
    targets = tmp_path / "scrape-targets.yml"
    assert [each.span.line for each in _lint(targets, "archive_root: srv\ntargets:\n  - nmae: lab\n")] != []
    schema = tmp_path / "x.schema.json"
    assert _lint(schema, '{"type": "object"}') == []
    assert [each.rule for each in _lint(schema, '{"type": "objekt"}')] == ["E103"]


@pytest.fixture
def counted() -> tuple[list[Path], Callable[[Path, bytes], Inspection]]:
    seen: list[Path] = []

    def inspect(path: Path, data: bytes) -> Inspection:
        seen.append(path)
        return _inspect(path, data)

    return seen, inspect


def test_a_second_lint_looks_at_nothing_again_until_something_changes(
    tmp_path: Path, counted: tuple[list[Path], Callable[[Path, bytes], Inspection]]
) -> None:
    seen, inspect = counted
    role = tmp_path / "roles" / "r" / "role.yml"
    role.parent.mkdir(parents=True)
    role.write_text("name: r\nsteps:\n  - report.say: {text: a}\n", encoding="utf-8")
    play = tmp_path / "a.yml"
    play.write_text("name: a\nsteps:\n  - role: r\n", encoding="utf-8")
    linter = Linter(inspect, Cache(tmp_path / "cache", "salt"))
    first = linter.lint([play])
    assert linter.lint([play]) == first
    assert seen == [play]
    role.write_text("name: r\nparams: {x: {type: str, required: true}}\nsteps: []\n", encoding="utf-8")
    assert "E111" in {each.rule for each in linter.lint([play]).problems}
    assert seen == [play, play]
    assert Linter(inspect, Cache(tmp_path / "cache", "other")).lint([play]).problems != ()
    assert seen == [play, play, play]


def test_a_broken_cache_is_a_missing_one(tmp_path: Path) -> None:
    play = tmp_path / "a.yml"
    play.write_text("name: a\nsteps:\n  - report.say: {text: yes}\n", encoding="utf-8")
    linter = Linter(_inspect, Cache(tmp_path / "cache", "salt"))
    first = linter.lint([play])
    for junk in (b"", b"\xff", b"[]", b"{}", b'{"files": {}, "problems": [{}]}', b"[" * 100_000):
        for entry in (tmp_path / "cache").iterdir():
            entry.write_bytes(junk)
        assert linter.lint([play]) == first


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    play = tmp_path / "a.yml"
    play.write_text(_HEAD + "name: a\nsteps:\n  - report.say: {text: a}\n", encoding="utf-8")
    assert Linter(_inspect, Cache(tmp_path / "file" / "cache", "salt")).lint([play]).problems == ()


def test_the_cache_lies_where_the_environment_says() -> None:
    assert cache_folder({"DCE_PLAY_CACHE_DIR": "/x"}) == Path("/x")
    assert cache_folder({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/dce-play")
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/dce-play")
    assert cache_folder({}) is None
    assert own_fingerprint() == own_fingerprint()


def _rules(tmp_path: Path, steps: str, params: str = "") -> list[tuple[str, int]]:
    path = tmp_path / "one.yml"
    found = _lint(path, f"name: one\n{params}\nsteps:\n{steps}\n")
    return [(each.rule, each.span.line) for each in found if each.rule != "I601"]


def test_a_suppression_is_not_called_useless_while_errors_hide_what_it_suppresses(tmp_path: Path) -> None:
    said = "  - name: say\n    report.say: {text: x}  # dce-play: ignore[W421] why\n"
    assert _rules(tmp_path, said) == [("W901", 5)]
    assert _rules(tmp_path, said + "    registr: x") == [("E101", 6)]


def test_a_step_that_is_no_mapping_is_one_problem(tmp_path: Path) -> None:
    assert _rules(tmp_path, "  - foo") == [("E103", 4)]


def test_a_filter_that_map_names_and_a_test_that_select_names_are_proved(tmp_path: Path) -> None:
    text = "  - report.say: {{text: \"{{{{ ['a'] | {} | join }}}}\"}}"
    assert _rules(tmp_path, text.format("map('upper')")) == []
    assert _rules(tmp_path, text.format("map('uper')")) == [("E204", 4)]
    assert _rules(tmp_path, text.format("select('odds')")) == [("E204", 4)]
    assert _rules(tmp_path, text.format("rejectattr('x', 'odds')")) == [("E204", 4)]


def test_a_param_is_there_where_its_condition_says_so(tmp_path: Path) -> None:
    params = "params: {since: {type: str, help: x}}"
    guarded = '  - when: params.since is not none\n    report.say: {text: "since {{ params.since }}"}'
    assert _rules(tmp_path, guarded, params) == []
    assert _rules(tmp_path, guarded.replace(" not", ""), params) == [("E223", 5)]
