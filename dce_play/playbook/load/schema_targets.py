"""The JSON Schema of a targets file, made from the keys that its parser knows."""

from collections.abc import Mapping
from typing import Any

from dce_play.discord.targets.keys import DEFAULT_KEYS, MEMORY_PATTERN, MOST_JOBS, TARGET_KEYS, TOP_KEYS, Key, KeyType
from dce_play.playbook.load.schema import DRAFT
from dce_play.system.quantities import SIZE_PATTERN

_ID = {"type": ["string", "integer"], "pattern": "^[0-9]{16,22}$", "title": "snowflake, in quotes"}
_TYPES: Mapping[KeyType, dict[str, Any]] = {
    KeyType.STRING: {"type": "string"},
    KeyType.BOOLEAN: {"type": "boolean"},
    KeyType.STRINGS: {"type": "array", "items": {"type": "string", "minLength": 1}},
    KeyType.IDS: {"type": "array", "items": _ID},
    KeyType.PATH: {"type": "string", "pattern": "^/"},
    KeyType.SIZE: {"type": ["string", "integer"], "pattern": SIZE_PATTERN, "minimum": 1},
    KeyType.JOBS: {"type": "integer", "minimum": 1, "maximum": MOST_JOBS},
    KeyType.HOSTS: {"type": "array", "items": {"type": "string", "minLength": 1}},
    KeyType.MEMORY: {"type": "string", "pattern": f"^{MEMORY_PATTERN}$"},
}


def targets_schema() -> dict[str, Any]:
    """Return the schema of a targets file."""
    return {"$schema": DRAFT, "title": "dce-play targets file", **_object(TOP_KEYS)}


def _object(keys: Mapping[str, Key]) -> dict[str, Any]:
    required = [name for name, key in keys.items() if key.required]
    return {
        "type": "object",
        "properties": {name: {"description": key.help, **_value(key)} for name, key in keys.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _value(key: Key) -> dict[str, Any]:
    if key.type is KeyType.TARGETS:
        return {"type": "array", "minItems": 1, "items": _object(TARGET_KEYS)}
    if key.type is KeyType.DEFAULTS:
        return _object(DEFAULT_KEYS)
    schema = dict(_TYPES[key.type])
    if key.choices:
        schema["enum"] = [str(choice) for choice in key.choices]
    if key.default is not None:
        schema["default"] = key.default if isinstance(key.default, bool | int) else str(key.default)
    return schema
