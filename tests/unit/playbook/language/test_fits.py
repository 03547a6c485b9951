"""The quick answer whether a document fits its schema is never another than jsonschema's."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dce_play.playbook.document.document import read_document
from dce_play.playbook.language.fits import surely_fits
from dce_play.resources import playbooks_folder, schemas_folder
from dce_play.source import Pointer

SCHEMA: dict[str, Any] = json.loads((schemas_folder() / "playbook.schema.json").read_text(encoding="utf-8"))
JUDGE = Draft7Validator(SCHEMA)
PLAYBOOKS = sorted(playbooks_folder().glob("*.yml"))
OTHERS: list[Any] = [None, True, False, 0, 1, -1, 2.5, "", "x", "{{ a }}", "10m", [], {}, ["a"], {"a": 1}, "stop"]


def pointers(value: Any, at: Pointer = ()) -> Iterator[Pointer]:
    """Yield the place of every value but the whole."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*at, key)
        yield from pointers(each, (*at, key))


def changed(document: Any, chance: random.Random) -> Any:
    """Return the document with one value replaced, removed, or put beside another."""
    document = copy.deepcopy(document)
    *above, last = chance.choice([*pointers(document)])
    around = document
    for part in above:
        around = around[part]
    what = chance.random()
    if what < 0.2 and isinstance(around, dict):
        around[chance.choice(["zzz", "when", "name", "A-b"])] = chance.choice(OTHERS)
    elif what < 0.4:
        del around[last]
    else:
        around[last] = chance.choice(OTHERS)
    return document


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_shipped_playbook_surely_fits(path: Path) -> None:
    assert surely_fits(read_document(path, path.read_bytes()).document.value, SCHEMA)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_with_something_changed_fits_exactly_when_jsonschema_says_so(path: Path) -> None:
    chance = random.Random(path.stem)
    document = read_document(path, path.read_bytes()).document.value
    for _ in range(40):
        other = changed(document, chance)
        assert surely_fits(other, SCHEMA) == JUDGE.is_valid(other), other


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (4, {"multipleOf": 2}),
        ({"a": 1}, {"properties": {"a": {"const": 1}}}),
        ({"a": 1}, {"patternProperties": {"a": {}}}),
        ("a", {"not": {"type": "null"}}),
        ("a", {"$ref": "https://elsewhere/schema.json"}),
        (["a"], {"items": [{}]}),
        (["a"], {"uniqueItems": True}),
        ("a", {"type": "text"}),
        (1.0, {"type": "integer"}),
    ],
)
def test_a_schema_with_words_that_are_not_known_is_left_to_jsonschema(value: Any, schema: dict[str, Any]) -> None:
    assert not surely_fits(value, schema)
