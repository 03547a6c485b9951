"""A document with its misspelt keys read as what they were most likely meant to be.

A misspelt key is told once, where it stands. Were its value left out after that, everything that depends on it would
be told too: a ``registr`` makes every use of the name unknown, a ``parms`` every param. So the rest is looked at as if
the key were right.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as with_changes

from dce_play.playbook.document.document import Reading
from dce_play.playbook.language.grammar import PARAM_KEYS, PLAYBOOK_KEYS, ROLE_KEYS, STATEMENT_KEYS
from dce_play.playbook.language.model import CallKind
from dce_play.source import JsonValue, Pointer, nearest, one_slip

_STATEMENT_LISTS = ("block", "rescue", "always")


def likely(name: str, candidates: Iterable[str]) -> str | None:
    """Return what a misspelt key was most likely meant to be."""
    known = list(candidates)
    if "." in name:
        noun, _, verb = name.partition(".")
        alike = {each.partition(".")[2]: each for each in known if each.startswith(f"{noun}.")}
        close = one_slip(verb, alike) or nearest(verb, alike)
        if alike:
            return alike[close] if close is not None else None
    return name if name in known else one_slip(name, known) or nearest(name, known)


def corrected(reading: Reading, kind: CallKind, steps: Iterable[str]) -> Reading:
    """Return the reading with misspelt grammar keys and step names put right; places stay those of the file."""
    renames = _Renames(steps=frozenset(steps))
    renames.top(reading.document.value, ROLE_KEYS if kind is CallKind.ROLE else PLAYBOOK_KEYS)
    if not renames.found:
        return reading
    document = with_changes(
        reading.document,
        value=renames.value((), reading.document.value),
        spans={renames.pointer(pointer): node for pointer, node in reading.document.spans.items()},
    )
    return with_changes(
        reading, document=document, unreadable=frozenset(renames.pointer(each) for each in reading.unreadable)
    )


@dataclass(slots=True)
class _Renames:
    """Collects what each misspelt key is read as."""

    steps: frozenset[str]
    found: dict[Pointer, str] = field(default_factory=dict)

    def top(self, value: JsonValue, keys: Iterable[str]) -> None:
        top = self._keys((), value, keys)
        for name, (written, each) in top.items():
            if name in {"steps", "preflight"}:
                self._statements((written,), each)
            elif name == "params" and isinstance(each, dict):
                for param, spec in each.items():
                    self._keys((written, param), spec, PARAM_KEYS)

    def _statements(self, pointer: Pointer, value: JsonValue) -> None:
        if not isinstance(value, list):
            return
        for index, each in enumerate(value):
            keys = self._keys((*pointer, index), each, (*STATEMENT_KEYS, *self.steps))
            for name in _STATEMENT_LISTS:
                if name in keys:
                    written, inner = keys[name]
                    self._statements((*pointer, index, written), inner)

    def _keys(self, pointer: Pointer, value: JsonValue, known: Iterable[str]) -> Mapping[str, tuple[str, JsonValue]]:
        """Return what stands under each key, by the key that was meant, with the key as written."""
        if not isinstance(value, dict):
            return {}
        right = frozenset(known)
        free = right - value.keys()
        meant: dict[str, tuple[str, JsonValue]] = {}
        for written, each in value.items():
            name = written if written in right else _likely_key(written, free)
            if name is not None and name not in meant:
                meant[name] = (written, each)
                if name != written:
                    self.found[(*pointer, written)] = name
        return meant

    def pointer(self, pointer: Pointer) -> Pointer:
        return tuple(self.found.get(pointer[: depth + 1], part) for depth, part in enumerate(pointer))

    def value(self, pointer: Pointer, value: JsonValue) -> JsonValue:
        match value:
            case dict():
                return {
                    self.found.get((*pointer, key), key): self.value((*pointer, key), each)
                    for key, each in value.items()
                }
            case list():
                return [self.value((*pointer, index), each) for index, each in enumerate(value)]
            case _:
                return value


def _likely_key(written: str, free: Iterable[str]) -> str | None:
    """Return the key that was meant: a step for a key with a dot, else a keyword, else a step without its dot."""
    known = sorted(free)
    dotted = [each for each in known if "." in each]
    if "." in written:
        return likely(written, dotted)
    return likely(written, [each for each in known if "." not in each]) or one_slip(written, dotted)
