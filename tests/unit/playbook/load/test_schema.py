"""The generated schemas: written down as they are made, and judged by somebody else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dce_play.cli.author.schema import schema_text, schemas
from dce_play.playbook.load.schema import of_shape, playbook_schema
from dce_play.playbook.types.shapes import shape_of
from dce_play.plugin import Duration
from dce_play.snowflake import ChannelId
from dce_play.steps import STEPS

_ROOT = Path(__file__).resolve().parents[4]
_NAMES = ("playbook", "role", "targets", "event")


def _judge(*arguments: str | Path) -> int:
    command = [sys.executable, "-m", "check_jsonschema", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode


@pytest.mark.parametrize("name", _NAMES)
def test_the_committed_schema_is_the_one_that_we_make(name: str) -> None:
    made = schema_text(schemas(plugins=False, folder=_ROOT)[name]())
    written = (_ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert written == made, "write it anew: dce-play schema --write schemas"


def test_a_foreign_judge_finds_the_schemas_sound() -> None:
    assert _judge("--check-metaschema", *(_ROOT / "schemas" / f"{name}.schema.json" for name in _NAMES)) == 0


def test_a_foreign_judge_accepts_what_is_shipped() -> None:
    schema = _ROOT / "schemas" / "playbook.schema.json"
    files = sorted((*_ROOT.glob("playbooks/*.yml"), *_ROOT.glob("examples/*.yml")))
    assert _judge("--schemafile", schema, *files) == 0
    roles = sorted(_ROOT.glob("roles/*/role.yml"))
    assert _judge("--schemafile", _ROOT / "schemas" / "role.schema.json", *roles) == 0


@pytest.mark.parametrize(
    "text",
    [
        "name: a\n",
        "name: a\nsteps: []\n",
        "name: a\nsteps:\n  - report.sya: {text: a}\n",
        "name: a\nsteps:\n  - report.say: {txt: a}\n",
        "name: a\nsteps:\n  - report.say: {text: 1}\n",
        "name: a\nsteps:\n  - report.say: {text: a}\n    wehn: true\n",
        "name: a\nsteps:\n  - report.say: {text: a}\n    timeout: soon\n",
        "name: a\nparams: {x: {type: string}}\nsteps:\n  - report.say: {text: a}\n",
    ],
)
def test_a_foreign_judge_refuses_what_we_refuse(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yml"
    path.write_text(text, encoding="utf-8")
    assert _judge("--schemafile", _ROOT / "schemas" / "playbook.schema.json", path) == 1


def test_every_step_is_a_property_that_an_editor_completes() -> None:
    properties = playbook_schema(STEPS)["definitions"]["statement"]["properties"]
    assert properties.keys() >= STEPS.keys()
    assert all("." in name or ("." not in name and name not in STEPS) for name in properties)


@pytest.mark.parametrize("hint", [bool, int, Duration, ChannelId, list[str], dict[str, int]])
def test_every_typed_param_takes_an_expression_too(hint: Any) -> None:
    from jsonschema import Draft7Validator

    schema = of_shape(shape_of(hint), templates=True)
    schema["definitions"] = playbook_schema({})["definitions"]
    assert Draft7Validator(schema).is_valid("{{ params.x }}")
    assert not Draft7Validator(schema).is_valid({"a": object}) or json.dumps(schema)
