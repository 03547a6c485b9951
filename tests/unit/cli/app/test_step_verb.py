"""A step as a command: nothing about it is declared twice."""

import json
from dataclasses import fields
from pathlib import Path

import click
import pytest

from dce_play.cli.archive.append import append_verb
from dce_play.cli.archive.normalise import normalise_verb
from dce_play.steps.archive import append as step
from dce_play.steps.archive import normalise
from tests.support.channel_files import ids_in, write_channel
from tests.support.command_line import Terminal

_OF_EVERY_WRITING_VERB = {"dry_run", "root", "lock_wait_s", "output_format"}


@pytest.mark.parametrize(("verb", "params"), [(append_verb, step.Params), (normalise_verb, normalise.Params)])
def test_the_commands_options_are_the_steps_params(verb: click.Command, params: type) -> None:
    declared = {each.name for each in fields(params)}
    assert {param.name for param in verb.params} == declared | _OF_EVERY_WRITING_VERB


def test_choices_and_defaults_are_the_declarations() -> None:
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
    assert "1 older message is missing" in said.err
    assert ids_in(room) == [1, 3]


def test_what_normalise_does_is_told_by_the_steps_names(tmp_path: Path) -> None:
    room = write_channel(tmp_path / "c [111].json", [1, 2])
    room.write_bytes(b"".join(line.strip() for line in room.read_bytes().splitlines()))
    terminal = Terminal(folder=tmp_path)

    shown = json.loads(terminal.run("archive", "normalise", str(room), "--dry-run", "--format", "json").out)
    done = json.loads(terminal.run("archive", "normalise", str(room), "--format", "json").out)
    removed = json.loads(terminal.run("archive", "normalise", str(room), "--confirm", "--format", "json").out)

    names = {"dry_run", *(each.name for each in fields(normalise.Outputs))}
    assert set(shown) == set(done) == set(removed) == names
    assert (shown["changed"], done["changed"], removed["removed"]) == (True, True, [done["original"]])
    assert (done["before_count"], done["message_count"], done["repeated"]) == (2, 2, 0)
    assert not Path(done["original"]).exists()
