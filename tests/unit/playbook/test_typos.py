"""Every single typo in a key of every shipped playbook, role and example."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dce_play.playbook.document.document import read_document
from dce_play.playbook.language.grammar import PARAM_KEYS, PLAYBOOK_KEYS, ROLE_KEYS, STATEMENT_KEYS
from dce_play.playbook.lint.file import inspect_file, kind_of
from dce_play.playbook.types.shapes import signature
from dce_play.source import JsonValue, Pointer, Severity, Span
from dce_play.steps import STEPS

_ROOT = Path(__file__).resolve().parents[3]
_FILES = sorted((*_ROOT.glob("playbooks/*.yml"), *_ROOT.glob("roles/*/role.yml"), *_ROOT.glob("examples/*.yml")))
_LETTERS = "abcdefghijklmnopqrstuvwxyz_"


def _keys_that_we_know(value: JsonValue, is_role: bool) -> Iterator[tuple[Pointer, frozenset[str]]]:
    """Yield the place of each key that is ours and not its author's, and the keys that could stand there."""
    top = frozenset(ROLE_KEYS if is_role else PLAYBOOK_KEYS)
    assert isinstance(value, dict)
    for key, each in value.items():
        yield (key,), top
        if key == "params" and isinstance(each, dict):
            for name, spec in each.items():
                yield from (
                    ((key, name, word), frozenset(PARAM_KEYS)) for word in (spec if isinstance(spec, dict) else ())
                )
        if key in {"steps", "preflight"}:
            yield from _of_statements((key,), each)


def _of_statements(pointer: Pointer, value: JsonValue) -> Iterator[tuple[Pointer, frozenset[str]]]:
    for index, statement in enumerate(value if isinstance(value, list) else []):
        assert isinstance(statement, dict)
        for key, each in statement.items():
            at = (*pointer, index, key)
            yield at, frozenset((*STATEMENT_KEYS, *STEPS))
            if key in STEPS:
                params = frozenset(signature(STEPS[key]).params)
                yield from (((*at, name), params) for name in (each if isinstance(each, dict) else ()))
            elif key in {"block", "rescue", "always"}:
                yield from _of_statements(at, each)


def _typos(word: str) -> Iterator[str]:
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
        yield word[:at] + "q" + word[at:]
        yield word[:at] + "x" + word[at + 1 :]


def _mutants(path: Path) -> list[tuple[str, Span]]:
    """Return each text with one typo, and the place of the key."""
    data = path.read_bytes()
    document = read_document(path, data).document
    lines = document.text.split("\n")
    found: list[tuple[str, Span]] = []
    for pointer, known in _keys_that_we_know(document.value, path.stem == "role"):
        span = document.key_span(pointer)
        word = str(pointer[-1])
        for typo in _typos(word):
            if typo in known or typo == word or not typo.strip("."):
                continue
            changed = list(lines)
            line = changed[span.line - 1]
            changed[span.line - 1] = line[: span.column - 1] + typo + line[span.column - 1 + len(word) :]
            found.append(("\n".join(changed), span))
    return found


def _error_places(path: Path, data: bytes) -> list[tuple[int, int]]:
    problems = inspect_file(path, data, steps=STEPS).problems
    return [(each.span.line, each.span.column) for each in problems if each.severity is Severity.ERROR]


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(_ROOT)))
@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_a_typo_in_a_key_is_one_problem_at_that_key(path: Path, data: st.DataObject) -> None:
    mutants = _mutants(path)
    text, span = data.draw(st.sampled_from(mutants))
    before = _error_places(path, path.read_bytes())
    added = [place for place in _error_places(path, text.encode()) if place not in before]
    assert added == [(span.line, span.column)], text


def test_every_kind_of_file_is_recognised() -> None:
    assert {str(kind_of(path, path.read_bytes())) for path in _FILES} == {"playbook", "role"}
