"""From documents to modules: our modules file, and one ``module.yaml`` of the operator's tree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from dce_play.backup.definitions.classes import ClassRow, classify
from dce_play.backup.definitions.model import HealthKeys, Module, ModuleKeys
from dce_play.backup.definitions.shape import ShapeReader
from dce_play.backup.definitions.values import ENGINES
from dce_play.source import Document, JsonValue, Pointer, Problem, did_you_mean, nearest

_MERGED = frozenset({"postgres", "redis", "vault", "s3", "files", "meilisearch", "compose", "keep"})
"""Sections whose keys are inherited one by one; any other key of a module replaces the default's whole value."""
_OURS: tuple[Pointer, ...] = (
    ("name",),
    ("metadata", "name"),
    ("spec", "runtime", "statefulness"),
    ("spec", "runtime", "container"),
    ("spec", "lifecycle"),
    ("spec", "canonical"),
    ("spec", "backup"),
)
"""What is read of an operator's ``module.yaml``."""
_STATES = ("stateful", "stateless")
_MISSPELT = 0.88
"""So alike is a slip of a letter or two; ``statefulset`` is another word."""
_HEALTH_KINDS = ("engine", "http", "tcp", "command", "container", "none")
_Mapping: TypeAlias = dict[str, JsonValue]


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """All modules of a tree or a file, by name in their order, and what the file says besides."""

    modules: tuple[Module, ...] = ()
    backup_root: str = ""

    def named(self, name: str) -> Module | None:
        """Return a module, or ``None``."""
        return next((module for module in self.modules if module.name == name), None)


class Defaults(ModuleKeys, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The modules file's ``defaults``: any key of a module but its name."""

    name: str = ""


class ModulesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The top of our modules file; its entries are checked one by one."""

    version: Literal[1]
    backup_root: str = ""
    defaults: Defaults = Defaults()
    modules: tuple[ModuleKeys, ...]


def read_modules_file(document: Document, rows: Sequence[ClassRow]) -> Definitions:
    """Return the modules of our file.

    Raises: InvalidDocument, with all problems at once.
    """
    reader = ShapeReader(document)
    top = document.value if isinstance(document.value, dict) else {}
    reader.record(ModulesFile, document.value, ())
    merged = _with_defaults(document.value, top)
    defaults = top.get("defaults")
    if isinstance(defaults, dict) and "name" in defaults:
        reader.report(("defaults", "name"), "defaults take no name", rule="E101", at_key=True)
    entries = merged.get("modules") if isinstance(merged, dict) else None
    modules: list[Module] = []
    taken: dict[str, Pointer] = {}
    for at, entry in enumerate(entries if isinstance(entries, list) else []):
        pointer: Pointer = ("modules", at)
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and name in taken:
            reader.report((*pointer, "name"), f'a second module "{name}"', "each module has a name of its own")
        elif isinstance(name, str):
            taken[name] = pointer
        module = _module(reader, entry, pointer, rows) if not reader.problems else None
        if module is not None:
            modules.append(module)
    reader.raise_problems()
    root = top.get("backup_root")
    folder = document.path.absolute().parent
    return Definitions(modules=tuple(modules), backup_root=str(folder / root) if isinstance(root, str) and root else "")


def is_theirs(pointer: Pointer) -> bool:
    """Return whether a value of a ``module.yaml`` neither is read, nor lies in what is read, nor holds it."""
    return not any(all(mine == there for mine, there in zip(ours, pointer, strict=False)) for ours in _OURS)


def read_tree_module(document: Document, rows: Sequence[ClassRow]) -> tuple[Module | None, ShapeReader]:
    """Return the module of one ``module.yaml``, or ``None`` where it is not stateful; problems are in the reader.

    Only the keys that are ours are looked at; everything else in the file is its owner's.
    """
    reader = ShapeReader(document)
    top = _mapping(document.value)
    spec = _mapping(top.get("spec"))
    runtime = _mapping(spec.get("runtime"))
    backup = spec.get("backup")
    ours = dict(_mapping(backup))
    if backup is not None and not isinstance(backup, dict):
        reader.report(("spec", "backup"), "backup must be a mapping")
    pointer = ("spec", "backup", "statefulness") if "statefulness" in ours else ("spec", "runtime", "statefulness")
    if not _is_stateful(reader, ours.get("statefulness", runtime.get("statefulness")), pointer):
        return None, reader
    metadata = _mapping(top.get("metadata"))
    name = metadata.get("name") or top.get("name") or document.path.absolute().parent.name
    inherited: _Mapping = {"name": name, "statefulness": "stateful"}
    inherited |= {key: spec[key] for key in ("lifecycle", "canonical") if key in spec}
    module = _module(reader, {**inherited, **ours}, ("spec", "backup"), rows)
    if module is None:
        return None, reader
    container = runtime.get("container")
    runbook = document.path.absolute().parent / "runbook.md"
    return (
        msgspec.structs.replace(
            module,
            runtime_container=container if isinstance(container, str) else "",
            runbook=runbook if runbook.is_file() else None,
        ),
        reader,
    )


def _is_stateful(reader: ShapeReader, said: JsonValue, pointer: Pointer) -> bool:
    """Return whether a module is stateful. Other words are theirs; ours misspelt would leave the module out unseen."""
    if not isinstance(said, str) or said in _STATES:
        return said == "stateful"
    if pointer[1] == "backup" or nearest(said.casefold(), _STATES, alike=_MISSPELT) is not None:
        hint = did_you_mean(said, _STATES)
        reader.report(pointer, f'statefulness is "stateful" or "stateless", not "{said}"', hint=hint)
    return False


def second_of_a_name(reader: ShapeReader, name: str, first: Path) -> Problem:
    """Return the problem of a tree's second module of one name."""
    reader.report(("metadata", "name"), f'a second module "{name}"; the first is {first}')
    return reader.problems[-1]


def _module(reader: ShapeReader, entry: JsonValue, pointer: Pointer, rows: Sequence[ClassRow]) -> Module | None:
    before = len(reader.problems)
    keys = reader.record(ModuleKeys, entry, pointer)
    if keys is None:
        return None
    _check_health(reader, keys.health, pointer)
    _check_quiesce(reader, keys, pointer)
    if keys.engine and keys.engine not in ENGINES:
        reader.report((*pointer, "engine"), f'no engine "{keys.engine}"', did_you_mean(keys.engine, ENGINES))
    names = {row.name for row in rows}
    if keys.own_class and keys.own_class not in names:
        reader.report((*pointer, "class"), f'no class "{keys.own_class}"', did_you_mean(keys.own_class, names))
    if len(reader.problems) > before:
        return None
    found = classify(keys.name, rows, own_class=keys.own_class, engine=keys.engine)
    span = reader.document.value_span(pointer)
    return Module(
        keys=keys,
        class_name=found.name,
        engine=found.engine,
        source=f"{span.path}:{span.line}",
        folder=reader.document.path.absolute().parent,
        written=frozenset(entry) if isinstance(entry, dict) else frozenset(),
    )


def _check_health(reader: ShapeReader, health: HealthKeys, pointer: Pointer) -> None:
    kinds = [kind for kind in _HEALTH_KINDS if getattr(health, kind)]
    if len(kinds) > 1:
        reader.report((*pointer, "health"), f"health takes one kind, not {' and '.join(kinds)}")
    if health.tcp and not health.tcp.rpartition(":")[2].isdecimal():
        reader.report((*pointer, "health", "tcp"), "tcp takes host:port")
    if health.http and not health.http.startswith(("http://", "https://")):
        reader.report((*pointer, "health", "http"), "http takes a URL")


def _check_quiesce(reader: ShapeReader, keys: ModuleKeys, pointer: Pointer) -> None:
    quiesce = keys.quiesce
    place = (*pointer, "quiesce")
    if quiesce.mode == "fsfreeze" and not quiesce.mountpoint:
        reader.report(place, "fsfreeze needs a mountpoint", rule="E102")
    if quiesce.mode == "command" and not (quiesce.freeze and quiesce.thaw):
        reader.report(place, "the mode command needs freeze and thaw", rule="E102")
    if quiesce.max <= 0:
        reader.report((*place, "max"), "max must be more than nothing")


def _with_defaults(value: JsonValue, top: _Mapping) -> JsonValue:
    defaults = top.get("defaults")
    entries = top.get("modules")
    if not isinstance(defaults, dict) or not isinstance(entries, list):
        return value
    return {**top, "modules": [_inherit(entry, defaults) for entry in entries]}


def _inherit(entry: JsonValue, defaults: _Mapping) -> JsonValue:
    if not isinstance(entry, dict):
        return entry
    joined = {**{key: value for key, value in defaults.items() if key != "name"}, **entry}
    for key in _MERGED & defaults.keys() & entry.keys():
        above, own = defaults[key], entry[key]
        if isinstance(above, dict) and isinstance(own, dict):
            joined[key] = {**above, **own}
    return joined


def _mapping(value: JsonValue) -> _Mapping:
    return value if isinstance(value, dict) else {}
