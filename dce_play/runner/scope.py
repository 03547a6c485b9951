"""The names that templates may use at one place of the walk, and the keys of loop items."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dce_play.errors import DcePlayError
from dce_play.events import Mode
from dce_play.playbook.types.values import plain
from dce_play.plugin import Unknown
from dce_play.runner.fan_out.order import ItemOrder
from dce_play.runner.fan_out.travel import from_wire
from dce_play.runner.settings import RunSettings


class DuplicateItems(DcePlayError):
    """Two items of a loop have the same key, so neither a report nor a resume could tell them apart."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f'two items of the loop have the key "{key}"', hint="an item is known by its name or id; make them differ"
        )
        self.key = key


@dataclass(slots=True, kw_only=True)
class Scope:
    """Where the walk is. ``register`` reaches outwards to the nearest boundary: a loop item, a role, a playbook."""

    names: dict[str, object]
    environment: Mapping[str, str]
    path: str = ""
    """The runtime id of the node around."""
    item: str = ""
    """The key of the innermost loop item."""
    depth: int = 0
    silent: bool = False
    """Whether ``no_log`` holds here."""
    asked: frozenset[str] = frozenset()
    """Variables that some ``environment:`` around names: programs get them even if they are secrets."""
    replaying: bool = False
    """Whether this stands in a block that was rescued before the resume: what ended well counts, nothing runs."""
    fresh: bool = False
    """Whether nothing here is reused on resume: preflight checks, and ``always`` of a block that did not end well."""
    outer: "Scope | None" = None

    def register(self, name: str, value: object, /) -> None:
        """Make a value known from here on."""
        scope: Scope | None = self
        while scope is not None:
            scope.names[name] = value
            scope = scope.outer

    def inside(
        self,
        *,
        names: Mapping[str, object] | None = None,
        path: str | None = None,
        environment: Mapping[str, str] | None = None,
        silent: bool = False,
        asked: Iterable[str] = (),
    ) -> "Scope":
        """Return a scope one level further in, whose registered names reach this one."""
        return Scope(
            names={**self.names, **(names or {})},
            environment=self.environment if environment is None else environment,
            path=self.path if path is None else path,
            item=self.item,
            depth=self.depth + (path is not None),
            silent=self.silent or silent,
            asked=self.asked.union(asked),
            replaying=self.replaying,
            fresh=self.fresh,
            outer=self,
        )

    def for_item(self, name: str, value: object, key: str, /) -> "Scope":
        """Return the scope of one loop item; what is registered in it stays in it."""
        scope = self.inside(names={name: value})
        scope.item = key
        scope.outer = None
        return scope

    def for_call(self, names: Mapping[str, object], /, *, path: str) -> "Scope":
        """Return the scope of a role or playbook, with no other names than these."""
        scope = self.inside(path=path)
        scope.names = dict(names)
        scope.outer = None
        return scope


def first_names(settings: RunSettings, /) -> dict[str, object]:
    """Return the names that a run begins with."""
    chosen = set(settings.selection.targets)
    targets = settings.targets.targets if settings.targets is not None else ()
    return {
        "params": dict(settings.params),
        "targets": [plain(target) for target in targets if target.name in chosen],
        "channels": list(settings.selection.channels),
        "archive_root": str(settings.archive_root) if settings.archive_root else None,
        "run": {
            "id": settings.run_id,
            "mode": str(settings.mode),
            "dry_run": settings.mode is Mode.DRY_RUN,
            "folder": str(settings.run_folder),
        },
        "env": dict(settings.environment),
    }


def item_scope(settings: RunSettings, order: ItemOrder, /, *, loop_name: str) -> Scope:
    """Return the scope in which the run of one item begins."""
    names = {name: from_wire(value) for name, value in order.names.items()}
    return Scope(
        names={**first_names(settings), **names, loop_name: from_wire(order.item)},
        environment={**settings.environment, **order.environment},
        path=order.path,
        item=order.key,
        depth=order.depth,
        silent=order.silent,
        asked=frozenset(order.asked),
    )


LONGEST_KEY = 80


def item_keys(items: list[object]) -> list[str]:
    """Return one key an item: its ``name`` or ``id``, a short text or number itself, else a hash of its JSON.

    Raises: DuplicateItems.
    """
    keys: dict[str, None] = {}
    for number, item in enumerate(items):
        key = _key(item, number)
        if key in keys:
            raise DuplicateItems(key)
        keys[key] = None
    return list(keys)


def _key(item: object, number: int) -> str:
    match item:
        case Unknown():
            return str(number + 1)
        case {"name": str(name)} if _fits(name):
            return name
        case {"id": str(name)} if _fits(name):
            return name
        case str() if _fits(item):
            return item
        case int() if not isinstance(item, bool):
            return str(item)
        case _:
            canonical = json.dumps(item, sort_keys=True, separators=(",", ":"), default=str)
            return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _fits(text: str) -> bool:
    return 0 < len(text) <= LONGEST_KEY and text.isprintable() and not set(text) & set("[]/")
