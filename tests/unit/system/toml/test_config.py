"""TOML files: all problems at once, each with its line, and no secret in what is shown."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dce_play.render.problems import render_problems
from dce_play.source import InvalidDocument
from dce_play.system.toml.config import NoConfig, TomlConfig, read_toml, toml_schema
from dce_play.system.toml.keys import Key, Kind
from dce_play.transfer.ids import ID_PATTERN, checked_id

KEYS = (
    Key(name="host_id", kind=Kind.TEXT, help="Who we are.", required=True, pattern=ID_PATTERN, convert=checked_id),
    Key(name="count", kind=Kind.WHOLE, help="How many.", default=3, minimum=1, maximum=8),
    Key(name="limit", kind=Kind.SIZE, help="How large.", default="64MiB", choices=("off",)),
    Key(name="folder", kind=Kind.PATH, help="Where.", default="data"),
    Key(name="receiver.token", kind=Kind.SECRET, help="The token.", required=True),
    Key(name="gate.repo_path", kind=Kind.PATH, help="A clone.", alias="gate.local_repo_path"),
)
GOOD = 'host_id = "lab-1"\n[receiver]\ntoken = "env:TOKEN"\n'


def read(folder: Path, text: str) -> TomlConfig:
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    return read_toml(path, KEYS, example="x.toml.example")


def problems(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(InvalidDocument) as caught:
        read(folder, text).check()
    return [(problem.span.line, problem.message, problem.hint) for problem in caught.value.problems]


def test_values_are_typed_and_defaults_filled_in(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    config.check()
    assert config.values == {
        "host_id": "lab-1",
        "count": 3,
        "limit": 64 << 20,
        "folder": tmp_path / "data",
        "receiver.token": "env:TOKEN",
    }
    assert config.given == {"host_id", "receiver.token"}


def test_all_problems_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    text = 'limt = 3\ncount = 0\n\nlimit = """\n64 bags"""\n[receiver]\nfolder = "x"\n'
    found = problems(tmp_path, text)
    assert [(line, message.split(":")[0]) for line, message, _ in found] == [
        (1, "host_id is missing"),
        (1, 'no key "limt"'),
        (2, "count"),
        (4, "limit"),
        (6, "receiver.token is missing"),
        (7, 'no key "folder" in [receiver]'),
    ]
    assert found[1][2] == 'did you mean "limit"?'


@pytest.mark.parametrize(
    "text",
    [
        'host_id = "a"\n[receiver]\ntoken = "hunter2hunter2"\n',
        'host_id = "a"\n[receiver]\ntoken = hunter2hunter2\n',
        'host_id = "a"\nreceiver = {token = "hunter2hunter2", tokne = 3}\n',
        'host_id = "a"\nreceiver."token" = "hunter2hunter2"\n',
        'host_id = "a"\n[receiver]\ntokne = "dcp_00000000_hunter2hunter2"\n',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read(tmp_path, text).check()
    shown = render_problems(caught.value.problems, caught.value.texts, folder=tmp_path)
    assert "hunter2" not in shown + str(caught.value) + caught.value.hint


def test_an_alias_is_the_key_and_both_are_one_too_many(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD + '[gate]\nlocal_repo_path = "r"\n').values["gate.repo_path"] == tmp_path / "r"
    both = problems(tmp_path, GOOD + '[gate]\nrepo_path = "r"\nlocal_repo_path = "r"\n')
    assert both == [(6, "gate.repo_path is told twice: gate.local_repo_path is another name of it", "")]


def test_what_spans_several_keys_is_told_where_the_key_stands(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    config.object_to("receiver.token", "fits no key")
    config.object_to("count", "too many")
    with pytest.raises(InvalidDocument) as caught:
        config.check()
    assert [problem.span.line for problem in caught.value.problems] == [1, 3]


def test_a_file_that_is_not_there_is_told_with_the_example(tmp_path: Path) -> None:
    with pytest.raises(NoConfig) as caught:
        read_toml(tmp_path / "no.toml", KEYS, example="x.toml.example")
    assert "x.toml.example" in caught.value.hint


@pytest.mark.parametrize(
    ("document", "fits"),
    [
        ({"host_id": "a", "receiver": {"token": "env:X"}, "limit": "off"}, True),
        ({"host_id": "a", "receiver": {"token": "env:X"}, "limit": 5, "gate": {"local_repo_path": "x"}}, True),
        ({"host_id": "a", "receiver": {"token": "literal"}}, False),
        ({"host_id": "a"}, False),
        ({"host_id": "a", "receiver": {"token": "env:X"}, "count": 9}, False),
        ({"host_id": "a", "receiver": {"token": "env:X"}, "limt": 9}, False),
    ],
)
def test_the_schema_judges_as_we_do(document: dict[str, Any], fits: bool) -> None:
    schema = toml_schema(KEYS, title="x")
    Draft7Validator.check_schema(schema)
    assert Draft7Validator(schema).is_valid(document) is fits
