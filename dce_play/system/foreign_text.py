"""The one door for text that somebody else wrote, before a terminal or a log: file names, messages, answers, output.

Control characters move the cursor, hide lines or set the title; marks of direction turn text around; half a surrogate
pair stops an encoder. Four ways to make them harmless: ``clean`` leaves them out; ``blanked`` has
spaces for them and for line breaks, so that no line can forge another; ``visible`` writes them out, as
``\\u001b``, which in JSON is the same string; ``pictures`` puts one visible character in the place of each, so that a
caret below the line still points at the right one.
"""

import re

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_UNSEEN = (
    r"\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    r"\U000e0000-\U000e007f"
)
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{_UNSEEN}]")
_PICTURE = 0x2400
"""Where Unicode has a picture of each control character. Source: Unicode, Control Pictures."""


def clean(text: str, /) -> str:
    """Return the text without escape sequences and without characters that move the cursor or turn text around.

    Line feeds stay; tabs become four spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text)).replace("\t", "    ")


def blanked(text: str, /) -> str:
    """Return the text as one line, with a space for each character that is not printable."""
    return "".join(character if character.isprintable() else " " for character in text)


def visible(text: str, /) -> str:
    """Return the text with such characters written out; line feeds and tabs stay."""
    if (text.isascii() and text.isprintable()) or _CONTROL.search(text) is None:
        return text
    return _CONTROL.sub(lambda found: _written(ord(found[0])), text)


def pictures(text: str, /) -> str:
    """Return the text with one visible character for each such character, as long as before."""
    return text if _CONTROL.search(text) is None else _CONTROL.sub(lambda found: _picture(ord(found[0])), text)


def _written(number: int) -> str:
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def _picture(number: int) -> str:
    if number < 0x20:
        return chr(_PICTURE + number)
    return "\u2421" if number == 0x7F else "\ufffd"
