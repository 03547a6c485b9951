"""TOML files checked against a declared table of keys: every problem at once, with its line, then typed values.

``ship.toml`` and ``receive.toml`` are such tables; their JSON Schemas are made from them too.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.source import InvalidDocument, Problem, Span, did_you_mean
from dce_play.system.toml.keys import Key, Kind, schema_of, value_of
from dce_play.system.toml.places import Pointer, key_lines

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_REFERENCES = re.compile(r"""\[?\s*(?:(["'])(?:env|file|keyring):[^"']*\1\s*,?\s*)*(?:#.*)?""")
_OUR_TOKENS = re.compile(r"dcp_[0-9A-Za-z_]+")


class NoConfig(DcePlayError):
    """The configuration file is not there, or cannot be read."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID

    def __init__(self, path: Path, reason: str, *, hint: str) -> None:
        super().__init__(f"{path}: {reason}", hint=hint)
        self.path = path


class TomlConfig:
    """A file that was read: ``values`` by dotted name, defaults filled in, and a way to object to one of them."""

    def __init__(self, path: Path, text: str, keys: Sequence[Key]) -> None:
        self.path = path
        self._shown = _without_secrets(text, keys)
        self._keys = keys
        self._problems: list[Problem] = []
        self._places: Mapping[Pointer, tuple[int, int]] = {}
        self.values: dict[str, Any] = {}
        self.given: frozenset[str] = frozenset()
        """The names of the keys that the file has; the others have their defaults."""
        self._read(text)

    def object_to(self, name: str, message: str, hint: str = "") -> None:
        """Add a problem with a key, or with the table that lacks it, that only a look at several keys shows."""
        pointer = tuple(name.split("."))
        while pointer and pointer not in self._places:
            pointer = pointer[:-1]
        line, column = self._places.get(pointer, (1, 1))
        self._add(line, column, message, hint)

    def check(self) -> None:
        """Do nothing when there is no problem.

        Raises: InvalidDocument, with all problems.
        """
        if self._problems:
            raise InvalidDocument(self._problems, {self.path: self._shown})

    def _read(self, text: str) -> None:
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _PLACE.search(str(error))
            last = (text.count("\n") + 1, 1)
            line, column = (int(found[1]), int(found[2])) if found and found[1] else last
            self._add(line, column, f"not TOML: {_PLACE.sub('', str(error)).lower()}")
            return
        self._places = key_lines(text)
        by_pointer = {key.pointer: key for key in self._keys}
        by_pointer |= {tuple(key.alias.split(".")): key for key in self._keys if key.alias}
        self._take(raw, (), by_pointer)
        self.given = frozenset(self.values)
        for key in self._keys:
            if key.name in self.values:
                continue
            if key.required:
                if not any(problem.rule == f"bad:{key.name}" for problem in self._problems):
                    self._lack(key)
            elif key.default is not None:
                self.values[key.name] = value_of(key, key.default, folder=self.path.parent)

    def _take(self, table: Mapping[str, Any], base: Pointer, known: Mapping[Pointer, Key]) -> None:
        for name, raw in table.items():
            pointer = (*base, name)
            key = known.get(pointer)
            line, column = self._places.get(pointer, self._places.get(pointer[:1], (1, 1)))
            if key is not None:
                self._take_value(key, raw, line, column)
            elif any(other[: len(pointer)] == pointer for other in known):
                if isinstance(raw, dict):
                    self._take(raw, pointer, known)
                else:
                    self._add(line, column, f"{'.'.join(pointer)} is a table: write [{'.'.join(pointer)}]")
            else:
                siblings = {
                    other[len(base)] for other in known if other[: len(base)] == base and len(other) > len(base)
                }
                where = f" in [{'.'.join(base)}]" if base else ""
                hint = did_you_mean(name, siblings) or _elsewhere(name, known)
                self._add(line, column, f'no key "{name}"{where}', hint, width=len(name))

    def _take_value(self, key: Key, raw: Any, line: int, column: int) -> None:
        if key.name in self.values:
            self._add(line, column, f"{key.name} is told twice: {key.alias} is another name of it")
            return
        try:
            self.values[key.name] = value_of(key, raw, folder=self.path.parent)
        except ValueError as error:
            self._add(line, column, f"{key.name}: {error}", rule=f"bad:{key.name}")

    def _lack(self, key: Key) -> None:
        table = key.pointer[:-1]
        line, column = self._places.get(table, (1, 1))
        self._add(line, column, f"{key.name} is missing", f"{key.help[:1].lower()}{key.help[1:]}")

    def _add(
        self, line: int, column: int, message: str, hint: str = "", *, rule: str = "config", width: int = 1
    ) -> None:
        span = Span(path=self.path, line=line, column=column, end_line=line, end_column=column + width)
        self._problems.append(Problem(rule=rule, message=message, span=span, hint=hint))


def read_toml(path: Path, keys: Sequence[Key], *, example: str) -> TomlConfig:
    """Read a file; the caller looks at what spans several keys, then calls ``check``.

    Raises: NoConfig, whose hint names the example.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        hint = f"name it with --config, or start from the example {example}"
        raise NoConfig(path, "there is no such file", hint=hint) from error
    except OSError as error:
        raise NoConfig(path, (error.strerror or "cannot be read").lower(), hint=f"try: ls -l {path}") from error
    except UnicodeDecodeError as error:
        raise NoConfig(path, "is not UTF-8 text", hint=f"start from the example {example}") from error
    return TomlConfig(path, text.replace("\r\n", "\n"), keys)


def toml_schema(keys: Iterable[Key], *, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft-07) of a file with these keys."""
    top: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **_table()}
    for key in keys:
        table = top
        for part in key.pointer[:-1]:
            table = table["properties"].setdefault(part, _table())
        leaf = key.pointer[-1]
        table["properties"][leaf] = schema_of(key)
        if key.alias:
            table["properties"][key.alias.split(".")[-1]] = schema_of(key)
        if key.required:
            table.setdefault("required", []).append(leaf)
            if len(key.pointer) > 1 and key.pointer[0] not in top.get("required", []):
                top.setdefault("required", []).append(key.pointer[0])
    return top


def _table() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _elsewhere(name: str, known: Mapping[Pointer, Key]) -> str:
    homes = [".".join(pointer[:-1]) or "the top" for pointer in known if pointer[-1] == name]
    return f"it belongs into {homes[0]}" if homes else ""


def _without_secrets(text: str, keys: Iterable[Key]) -> str:
    """Return the text as it may be shown: what stands behind a secret's key is blotted out, unless a reference."""
    shown = _OUR_TOKENS.sub("***", text)
    names = {key.pointer[-1] for key in keys if key.kind in {Kind.SECRET, Kind.SECRETS}}
    if not names:
        return shown
    key = rf"""\b({"|".join(sorted(map(re.escape, names)))})(["']?\s*=\s*)"""
    shown = re.sub(rf"{key}(\[[^\]]*)", lambda found: f"{found[1]}{found[2]}{_blotted(found[3])}", shown)
    return re.sub(rf"""{key}(?!["']?(?:env|file|keyring):|\[).*""", r"\1\2***", shown)


def _blotted(listed: str) -> str:
    """Return a list without its lines that hold anything but references; the lines stay as many as they are."""
    return "\n".join(line if _REFERENCES.fullmatch(line) else "***" for line in listed.split("\n"))
