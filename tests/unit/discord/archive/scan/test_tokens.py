"""How deep brackets are followed in a channel file's header and trailer."""

import pytest

from dce_play.discord.archive.scan.tokens import MAX_DEPTH, TooDeep, value_end


@pytest.mark.contract("F-B2")
@pytest.mark.parametrize("bracket", [b"[", b"{"])
def test_brackets_are_followed_so_deep_whole_or_cut(bracket: bytes) -> None:
    closing = {b"[": b"]", b"{": b"}"}[bracket]
    whole = bracket * MAX_DEPTH + closing * MAX_DEPTH
    assert value_end(whole, 0) == len(whole)
    assert value_end(bracket * MAX_DEPTH, 0) is None
    for deeper in (bracket * (MAX_DEPTH + 1), bracket + whole + closing):
        with pytest.raises(TooDeep):
            value_end(deeper, 0)
