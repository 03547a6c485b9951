"""A step as a command: nothing about it is declared twice."""

import json
from dataclasses import fields
from pathlib import Path

import click
import pytest

from dce_play.cli.archive.append import append_verb
from dce_play.steps.archive import append as step
from tests.support.channel_files import ids_in, write_channel
from tests.support.command_line import Terminal

_OF_EVERY_WRITING_VERB = {"dry_run", "root", "lock_wait_s", "output_format"}


def test_the_commands_options_are_the_steps_params() -> None:
    assert {param.name for param in append_verb.params} == {
        *(each.name for each in fields(step.Params)),
        *_OF_EVERY_WRITING_VERB,
    }
    edits = next(param for param in append_verb.params if param.name == "edits")
    assert isinstance(edits.type, click.Choice)
    assert list(edits.type.choices) == ["ignore", "sidecar", "rewrite"]
    assert edits.default == "sidecar"


@pytest.mark.parametrize("words", [(), ("--dry-run",)], ids=["done", "dry run"])
def test_the_commands_json_is_the_steps_outputs(tmp_path: Path, words: tuple[str, ...]) -> None:
    room = write_channel(tmp_path / "c [111].json", [1, 3])
    delta = write_channel(tmp_path / "d.json", [2, 4])

    said = Terminal(folder=tmp_path).run("archive", "append", str(room), str(delta), "--format", "json", *words)

    facts = json.loads(said.out)
    assert set(facts) == {"dry_run", *(each.name for each in fields(step.Outputs))}
    assert (facts["appended"], facts["holes_filled"], facts["after_count"]) == (2, 1, 4)
    assert ids_in(room) == ([1, 3] if words else [1, 2, 3, 4])


def test_a_step_that_fails_tells_what_it_knows_and_why(tmp_path: Path) -> None:
    room = write_channel(tmp_path / "c [111].json", [1, 3])
    delta = write_channel(tmp_path / "d.json", [2])

    said = Terminal(folder=tmp_path).run(
        "archive", "append", str(room), str(delta), "--format", "json", "--holes", "report"
    )

    assert said.code == 1
    assert json.loads(said.out)["behind"] == 1
    assert "1 older messages are missing" in said.err
    assert ids_in(room) == [1, 3]
