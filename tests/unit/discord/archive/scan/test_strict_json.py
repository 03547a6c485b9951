"""How deep JSON may be, whatever Python's own limit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.scan import strict_json
from dce_play.discord.archive.scan.strict_json import DEEPEST, NotJson, is_too_deep, strict_value
from tests.support.bounds import lower


def nested(levels: int, before: bytes = b"") -> bytes:
    return (b"[" + before) * levels + b"]" * levels


@pytest.mark.parametrize("before", [b"", b'"]",', b'"\\"]}",', b'{"a":[]},', b"[],"])
def test_so_many_values_may_lie_inside_each_other(before: bytes) -> None:
    inside = 2 if b"{" in before and b'"a"' in before else 1 if before == b"[]," else 0
    assert not is_too_deep(nested(DEEPEST - inside, before))
    assert is_too_deep(nested(DEEPEST - inside + 1, before))
    with pytest.raises(NotJson, match="nested too deep"):
        strict_value(nested(DEEPEST + 1, before))


def test_many_values_beside_each_other_are_not_deep() -> None:
    data = json.dumps([{"a": [{"b": "[[[{{{"}]}] * 5000).encode()
    assert not is_too_deep(data)
    assert len(strict_value(data)) == 5000


_VALUES = st.recursive(
    st.text(alphabet='[]{}"\\a', max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=30
)


def depth_of(value: object) -> int:
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(value=_VALUES, bound=st.integers(1, 6))
def test_brackets_in_texts_do_not_count(value: object, bound: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        lower(monkeypatch, "discord.archive.scan.strict_json:DEEPEST", bound)
        assert strict_json.is_too_deep(json.dumps(value).encode()) == (depth_of(value) > bound)
