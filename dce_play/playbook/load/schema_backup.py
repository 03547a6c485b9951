"""The JSON Schemas of backup definitions and class tables, made from the records that their parsers fill."""

from typing import Any

import msgspec

from dce_play.backup.definitions.classes import ClassFile
from dce_play.backup.definitions.parse import ModulesFile
from dce_play.playbook.load.schema import DRAFT

_REFERENCE = "#/definitions/{name}"


def modules_schema() -> dict[str, Any]:
    """Return the schema of our modules file."""
    return _schema(ModulesFile, "dce-play backup modules")


def classes_schema() -> dict[str, Any]:
    """Return the schema of a class table."""
    return _schema(ClassFile, "dce-play backup classes")


def _schema(record: type[Any], title: str) -> dict[str, Any]:
    (top,), components = msgspec.json.schema_components([record], ref_template=_REFERENCE)
    name = str(top["$ref"]).rpartition("/")[2]
    found = _plain(components.pop(name))
    definitions = {key: _plain(value) for key, value in sorted(components.items())}
    found.pop("description", None)
    return {"$schema": DRAFT, **found, "title": title, "definitions": definitions}


def _plain(value: Any) -> Any:
    """Return a schema without the defaults that are whole objects: an editor would paste them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not (key == "default" and isinstance(item, dict))}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
