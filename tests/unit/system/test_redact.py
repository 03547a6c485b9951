"""Secrets do not show, however they are spelled and wherever a piece of text ends."""

import base64
import html
import json
import re
import shlex
import subprocess
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.system.redact import MASK, Masker, SecretTooShort

TOKEN = 'mfa.Zx9/+"quoted"\\töken=='
secrets = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=4, max_size=40)


def masker(*found: str) -> Masker:
    made = Masker()
    for secret in found:
        made.add(secret)
    return made


@pytest.mark.contract("R-11.08")
@pytest.mark.parametrize(
    "spelled",
    [
        TOKEN,
        json.dumps(TOKEN),
        json.dumps(TOKEN, ensure_ascii=False),
        quote(TOKEN),
        quote(TOKEN, safe=""),
        quote_plus(TOKEN),
    ],
)
def test_a_secret_is_masked_in_every_spelling(spelled: str) -> None:
    shown = masker(TOKEN).mask(f"before {spelled} after")
    assert shown.replace('"', "") == f"before {MASK} after"


@pytest.mark.contract("R-11.08")
@given(secret=secrets, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_base64_of_a_secret_is_masked_at_every_alignment(secret: str, before: bytes, after: bytes) -> None:
    data = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = masker(secret).mask(encode(data).decode())
        assert MASK in shown
        # what is left beside the mask are characters that also hold bits of the neighbours
        assert len(shown) - len(MASK) <= len(encode(before)) + len(encode(after)) + 4


def test_percent_escapes_in_small_letters_are_masked() -> None:
    spelled = quote("pass/word+", safe="").replace("%2F", "%2f").replace("%2B", "%2b")
    assert masker("pass/word+").mask(spelled) == MASK


def test_each_line_of_a_key_is_masked() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADAN\nQQQQ\nab\n-----END KEY-----\n"
    shown = masker(key).mask("line: MIIEvQIBADAN and QQQQ and ab")
    assert shown == f"line: {MASK} and {MASK} and ab"


def test_secrets_that_overlap_leave_nothing_of_each_other() -> None:
    assert masker("abcdef", "defghi").mask("<abcdefghi>") == f"<{MASK}>"


def test_a_secret_that_is_part_of_another_does_not_uncover_the_rest() -> None:
    assert masker("1234", "123456789").mask("123456789 1234") == f"{MASK} {MASK}"


@pytest.mark.parametrize("short", ["q", "qzx", "  qz  "])
def test_a_secret_too_short_to_be_masked_is_refused_and_not_told(short: str) -> None:
    with pytest.raises(SecretTooShort) as refused:
        masker(short)
    assert short.strip() not in str(refused.value).split()


def test_an_empty_secret_masks_nothing() -> None:
    assert masker("").mask("all of it") == "all of it"


def test_text_is_the_very_same_object_when_there_are_no_secrets() -> None:
    text = "x" * 100
    assert Masker().mask(text) is text


@given(data=st.data(), secret=secrets)
def test_pieces_show_what_the_whole_shows(data: st.DataObject, secret: str) -> None:
    words = st.sampled_from([secret, secret[:3], secret[1:], "x", " ", secret[: len(secret) // 2]])
    text = "".join(data.draw(st.lists(words, max_size=12)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = masker(secret).stream()
    pieces = [text[first:last] for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    shown = "".join([*(stream.feed(piece) for piece in pieces), stream.close()])
    assert secret not in shown.replace(MASK, "\0")
    assert shown == masker(secret).mask(text)


def test_a_stream_without_secrets_holds_nothing_back() -> None:
    assert Masker().stream().feed("at once") == "at once"


def test_whether_a_text_reveals_a_secret_is_told() -> None:
    assert masker(TOKEN).reveals(f"--token {TOKEN}")
    assert not masker(TOKEN).reveals("--token-file somewhere")


HARD = "p\\a\"s$s'CANARY`ör<d>&/0"
SPELLINGS = {
    "repr": repr(HARD),
    "repr in a list": repr([HARD]),
    "ascii": ascii(HARD),
    "bytes": repr(HARD.encode()),
    "mapping": str({"a": {"b": HARD}}),
    "text of a list in a list": repr([repr([HARD])]),
    "shell": shlex.quote(HARD),
    "shell, backslashes": re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", HARD),
    "JSON": json.dumps(HARD),
    "JSON in JSON": json.dumps(json.dumps(HARD)),
    "JSON in JSON in JSON": json.dumps(json.dumps(json.dumps({"a": HARD}))),
    "repr in JSON": json.dumps(repr(HARD)),
    "repr in JSON, not ASCII": json.dumps(repr({"a": HARD}), ensure_ascii=False),
    "JSON, capitals": json.dumps(HARD).replace("\\u00f6", "\\u00F6"),
    "JSON, slashes": json.dumps(HARD).replace("/", "\\/"),
    "HTML": html.escape(HARD),
}


@pytest.mark.contract("F-S3")
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_masked_as_python_shells_and_json_in_json_spell_it(spelling: str) -> None:
    shown = masker(HARD).mask(f"<{SPELLINGS[spelling]}>")
    assert MASK in shown
    assert "CANARY" not in shown


@pytest.mark.contract("F-S2")
@given(secret=secrets, before=st.text(max_size=8), cut=st.integers(0, 50))
def test_what_is_shown_at_once_never_holds_a_beginning_that_goes_on(secret: str, before: str, cut: int) -> None:
    known = masker(secret)
    text = before + secret
    shown, rest = known.begin(text[:cut])
    more, last = known.begin(rest + text[cut:])
    assert secret not in shown + more + known.mask(last) or secret in before


def test_a_question_is_shown_at_once() -> None:
    assert masker("question-secret").begin("really? ") == ("really? ", "")


@pytest.mark.contract("R-11.08")
@pytest.mark.parametrize("before", [b"", b"x", b"xy"])
@pytest.mark.parametrize("program", [["base64"], ["base64", "-w64"], ["openssl", "base64"]])
def test_base64_that_a_program_broke_into_lines_is_masked_on_each(program: list[str], before: bytes) -> None:
    secret = "MTE5ODYyMjQ4MzQ3MTkyNTI0OA.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs_" + "0aB-" * 6
    data = before + secret.encode()
    written = subprocess.run(program, input=data, capture_output=True, check=True, timeout=30).stdout.decode()
    assert len(written.split()) == 2
    shown = masker(secret).mask(written)
    assert [len(line.replace(MASK, "")) <= 4 for line in shown.split()] == [True, True], shown
