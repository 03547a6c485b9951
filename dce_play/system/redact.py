"""Secrets, and how they are kept out of everything we show.

A ``Masker`` belongs to a run: whatever is a secret is added to it, whatever is shown goes through ``mask``. ``PROCESS``
knows those of every run of this process, and stands before the terminal.
"""

import json
import re
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
    """Replaces secrets in text: as they are, line by line, and as JSON, Python, shells, URLs and base64 spell them."""

    def __init__(self, upstream: "Masker | None" = None) -> None:
        """What is added here is added to ``upstream`` as well."""
        self._upstream = upstream
        self._forms: tuple[str, ...] = ()
        self._starts: frozenset[str] = frozenset()
        """The first characters of the forms."""

    def add(self, secret: str) -> None:
        """Mask this secret from now on. An empty text is no secret.

        Raises: SecretTooShort.
        """
        if not secret:
            return
        if len(secret.strip()) < SHORTEST_SECRET:
            raise SecretTooShort
        if secret in self._forms:
            return
        self._forms = tuple(sorted({*self._forms, *_spellings(secret)}))
        self._starts = frozenset(form[0] for form in self._forms)
        if self._upstream is not None:
            self._upstream.add(secret)

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

    def begin(self, text: str) -> tuple[str, str]:
        """Return what of an unfinished text can be shown, masked, and an end of it that may be a secret's beginning.

        Unlike ``split`` it holds back nothing that cannot be one, so that a question to a person is shown at once.
        """
        if not self._forms:
            return text, ""
        found = self._find(text)
        longest = max(map(len, self._forms))
        for at in range(max(0, len(text) - longest + 1), len(text)):
            if text[at] in self._starts and any(form.startswith(text[at:]) for form in self._forms):
                end = next((first for first, last in found if first < at < last), at)
                return _blot(text, found, end=end), text[end:]
        return _blot(text, found, end=len(text)), ""

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
    import html  # start-up time: only where there is a secret, as all below

    yield text
    yield from _json(text)
    yield from _python(text)
    yield from _shell(text)
    yield html.escape(text)
    yield html.escape(text, quote=False)
    for url in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield url
        yield _lower_escapes(url)
    yield from _base64(text.encode())


_JSON_DEPTH = 3
"""JSON in JSON in JSON: a program's log line in an event in a report."""
_UNSAFE_IN_SHELL = re.compile(r"[^A-Za-z0-9_@%+=:,./-]")
_ESCAPED_HEX = re.compile(r"\\u[0-9a-f]{4}")


def _json(text: str) -> Iterator[str]:
    spelt = {text}
    for _ in range(_JSON_DEPTH):
        spelt = {json.dumps(each, ensure_ascii=ascii_only)[1:-1] for each in spelt for ascii_only in (True, False)}
        for each in spelt:
            yield each
            yield each.replace("/", "\\/")
            yield _ESCAPED_HEX.sub(lambda found: "\\u" + found[0][2:].upper(), each)


def _python(text: str) -> Iterator[str]:
    """Yield what ``repr`` writes, whichever quotes it chose, of text and of bytes; and that in ``repr`` and in JSON."""
    for spelt in (repr(text)[1:-1], ascii(text)[1:-1], repr(text.encode(errors="replace"))[2:-1]):
        bare = spelt.replace("\\'", "'")
        for each in {spelt, bare, bare.replace("'", "\\'"), bare.replace('"', '\\"')}:
            yield each
            yield repr(f"'{each}")[2:-1].replace("\\'", "'")
            yield repr(each)[1:-1]
            for ascii_only in (True, False):
                yield json.dumps(each, ensure_ascii=ascii_only)[1:-1]


def _shell(text: str) -> Iterator[str]:
    """Yield what shells write: in single quotes, in double quotes, with backslashes, and as ``set -x`` shows it."""
    import shlex

    yield shlex.quote(text)[1:-1] if shlex.quote(text) != text else text
    yield text.replace("'", "'\\''")
    yield _UNSAFE_IN_SHELL.sub(lambda found: "\\" + found[0], text)
    yield re.sub(r'([\\"$`])', r"\\\1", text)
    yield text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")


def _lower_escapes(url: str) -> str:
    head, *rest = url.split("%")
    return "%".join((head, *(part[:2].lower() + part[2:] for part in rest)))


_BASE64_LINES = (64, 76)
"""Characters in a line, as ``openssl`` and as ``base64`` and mail break longer texts."""
_SHORTEST_PIECE = 8
"""A shorter piece of a broken text would blot out words that are none."""


def _base64(data: bytes) -> Iterator[str]:
    """Yield the characters that the bytes alone decide, wherever in a longer base64 text they stand.

    Of one that begins a line and is longer than it, yield what stands on each line too.
    """
    import base64

    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + data).decode()[:last]
            yield text[first:]
            for line in _BASE64_LINES:
                pieces = (text[max(at, first) : at + line] for at in range(0, len(text), line))
                yield from (piece for piece in pieces if len(text) > line and len(piece) >= _SHORTEST_PIECE)


PROCESS = Masker()
"""Knows every secret of this process that somebody put before a run; see ``masked_output``."""
