"""Places inside scalars of every style."""

from pathlib import Path

import pytest

from dce_play.playbook.document.document import read_document
from dce_play.playbook.document.source_map import inside

_STYLES = [
    "a: one two three\n",
    "a: 'one two three'\n",
    'a: "one two three"\n',
    "a: 'it''s one two three'\n",
    'a: "\\t\\u00e9\\x41 one two three"\n',
    "a: |\n  one\n  two three\n",
    "a: >-\n  one\n  two\n\n  three\n",
    "a: one\n  two\n  three\n",
    'a: "one \\\n  two three"\n',
]


@pytest.mark.parametrize("text", _STYLES)
@pytest.mark.parametrize("word", ["one", "two", "three"])
def test_a_word_in_the_value_is_found_where_it_was_written(text: str, word: str) -> None:
    document = read_document(Path("/a.yml"), text.encode()).document
    content = document.value["a"]  # type: ignore[index, call-overload]  # each text is a mapping with an "a"
    assert isinstance(content, str)
    start = content.index(word)
    span = inside(text, document.value_span(("a",)), content, start=start, end=start + len(word))
    line = text.split("\n")[span.line - 1]
    assert line[span.column - 1 : span.end_column - 1] == word
