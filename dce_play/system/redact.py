"""Secrets, and how they are kept out of everything we show.

One ``Masker`` belongs to a run: whatever is a secret is added to it, whatever is shown goes through ``mask``.
"""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from dce_play.errors import DcePlayError

MASK = "***"
SHORTEST_SECRET = 4
"""Characters. Masking anything shorter would blot out ordinary text, and so tell what the secret is."""


class SecretTooShort(DcePlayError):
    """A secret is too short to be masked without masking half of all text."""

    def __init__(self) -> None:
        super().__init__(
            f"a secret of fewer than {SHORTEST_SECRET} characters cannot be kept out of the output",
            hint="is the environment variable or the file that holds it complete?",
        )


class Masker:
    """Replaces secrets in text: as they are, line by line, and as JSON, URLs and base64 spell them."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """Mask this secret from now on. An empty text is no secret.

        Raises: SecretTooShort.
        """
        if not secret:
            return
        if len(secret.strip()) < SHORTEST_SECRET:
            raise SecretTooShort
        self._forms = tuple(sorted({*self._forms, *_spellings(secret)}))

    def mask(self, text: str) -> str:
        """Return the text without secrets; each stretch that was one, or several that overlap, is ``***``."""
        if not self._forms:
            return text
        return _blot(text, self._find(text), end=len(text))

    def reveals(self, text: str) -> bool:
        """Return whether a secret stands in the text."""
        return any(form in text for form in self._forms)

    def stream(self) -> "StreamMasker":
        """Return a masker for text that comes in pieces."""
        return StreamMasker(self)

    def split(self, text: str) -> tuple[str, str]:
        """Return what of an unfinished text can be shown, masked, and the rest, in which a secret may have begun."""
        longest = max(map(len, self._forms), default=1)
        end = max(0, len(text) - longest + 1)
        found = self._find(text)
        for first, last in found:
            if first < end < last:
                end = first
        return _blot(text, found, end=end), text[end:]

    def _find(self, text: str) -> list[tuple[int, int]]:
        """Return the stretches that are secrets, in order, those that overlap made one."""
        stretches: list[tuple[int, int]] = []
        for first, last in sorted(_occurrences(text, self._forms)):
            if stretches and first < stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], max(last, stretches[-1][1]))
            else:
                stretches.append((first, last))
        return stretches


class StreamMasker:
    """Masks a text that comes in pieces, also where a secret lies across a border."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._rest = ""

    def feed(self, piece: str) -> str:
        """Take the next piece; return what can be shown by now."""
        shown, self._rest = self._masker.split(self._rest + piece)
        return shown

    def close(self) -> str:
        """Return what was held back. Nothing may be fed after it."""
        rest, self._rest = self._rest, ""
        return self._masker.mask(rest)


def _occurrences(text: str, forms: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    # A search a form, at memchr's speed, is many times faster than one regular expression of all forms.
    for form in forms:
        at = text.find(form)
        while at >= 0:
            yield at, at + len(form)
            at = text.find(form, at + 1)


def _blot(text: str, stretches: list[tuple[int, int]], *, end: int) -> str:
    parts: list[str] = []
    done = 0
    for first, last in stretches:
        if first >= end:
            break
        parts += (text[done:first], MASK)
        done = last
    parts.append(text[done:end])
    return "".join(parts)


def _spellings(secret: str) -> set[str]:
    texts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    forms = {form for text in texts if len(text) >= SHORTEST_SECRET for form in _encodings(text)}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def _encodings(text: str) -> Iterator[str]:
    yield text
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    for url in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield url
        yield _lower_escapes(url)
    yield from _base64(text.encode())


def _lower_escapes(url: str) -> str:
    head, *rest = url.split("%")
    return "%".join((head, *(part[:2].lower() + part[2:] for part in rest)))


def _base64(data: bytes) -> Iterator[str]:
    """Yield the characters that the bytes alone decide, wherever in a longer base64 text they stand."""
    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[first:last]
