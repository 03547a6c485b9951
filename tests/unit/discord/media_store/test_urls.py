"""Names and URLs from outside: whatever they are, an exported file's name is one plain name in one folder."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dce_play.discord.media_store.urls import expires_at, exported_name, unsigned

URLS = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=400),
    st.builds("https://cdn.discordapp.com/attachments/1/2/{}?{}".format, st.text(max_size=300), st.text(max_size=40)),
)


@pytest.mark.contract("M6", "M7")
@given(url=URLS, digits=st.sampled_from([5, 16]))
@example(url="https://h/a/..", digits=5)
@example(url="https://h/a/../../etc/passwd", digits=5)
@example(url="https://h/" + "é" * 300 + "." + "é" * 40, digits=16)
@example(url="https://h/\ud800.png", digits=5)
@example(url="", digits=5)
def test_an_exported_name_is_one_name_that_fits(url: str, digits: int) -> None:
    name = exported_name(url, digits=digits)
    assert "/" not in name
    assert name not in {"", ".", ".."}
    assert len(name.encode("utf-8", "surrogatepass")) <= 255


@pytest.mark.contract("M2")
@given(
    before=st.from_regex(r"https://[a-z.]{1,20}/[a-z0-9/%.]{0,30}", fullmatch=True),
    kept=st.lists(st.from_regex(r"(?!ex|is|hm)[a-z]{1,6}=[a-z0-9]{0,6}", fullmatch=True), max_size=4),
    signature=st.permutations(["ex=6a1b", "is=6a1a", "hm=ab12", ""]),
)
def test_a_signature_goes_and_the_rest_of_the_query_stays_in_order(
    before: str, kept: list[str], signature: list[str]
) -> None:
    mixed = [part for pair in zip(signature, [*kept, "", "", "", ""], strict=False) for part in pair]
    signed = f"{before}?{'&'.join(mixed)}"
    assert unsigned(signed) == (f"{before}?{'&'.join(kept)}" if kept else before)
    assert unsigned(unsigned(signed)) == unsigned(signed)
    assert expires_at(signed) == 0x6A1B
