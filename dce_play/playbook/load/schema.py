"""JSON Schema, draft-07, generated from the grammar's tables and the steps' own types.

Editors complete from it, and head what they tell of a key with its ``title``, which is the key itself; ``check``
validates with it, and tells what a value must be by ``x-words``. Each object carries a ``$comment`` that says what it
is, so that a problem in it gets the right rule.
"""

from collections.abc import Collection, Mapping
from typing import Any

from dce_play.playbook.language.grammar import PARAM_KEYS, PLAYBOOK_KEYS, ROLE_KEYS, STATEMENT_KEYS, WORDS, Key
from dce_play.playbook.types.shapes import Field, Format, Kind, Shape, describe, signature
from dce_play.plugin import StepInfo
from dce_play.system.quantities import DURATION_PATTERN, SIZE_PATTERN

DRAFT = "http://json-schema.org/draft-07/schema#"
_TEMPLATE = {"type": "string", "pattern": r"\{\{", "title": "expression", WORDS: "{{ expression }}"}
"""Its title is there to differ from that of the plain value: editors take alternatives of one title for one."""
_NEEDED = "all keys that are needed"
"""Editors offer under this title what the schema requires, in one go."""
_TYPES = {
    Kind.NULL: "null",
    Kind.BOOL: "boolean",
    Kind.INT: "integer",
    Kind.FLOAT: "number",
    Kind.STR: "string",
    Kind.LIST: "array",
    Kind.MAP: "object",
    Kind.SECRET: "string",
}
_FORMATS: Mapping[Format, dict[str, Any]] = {
    Format.NONE: {},
    Format.PATH: {"minLength": 1},
    Format.DURATION: {"type": ["number", "string"], "pattern": DURATION_PATTERN, "minimum": 0},
    Format.SIZE: {"type": ["integer", "string"], "pattern": SIZE_PATTERN, "minimum": 0},
    Format.SNOWFLAKE: {"pattern": "^[0-9]{1,20}$"},
}

Steps = Mapping[str, StepInfo]


def playbook_schema(steps: Steps, *, broken: Collection[str] = ()) -> dict[str, Any]:
    """Return the schema of a playbook file. Of ``broken`` steps only the name is checked."""
    return _document("dce-play playbook", PLAYBOOK_KEYS, steps, broken)


def role_schema(steps: Steps, *, broken: Collection[str] = ()) -> dict[str, Any]:
    """Return the schema of a role file. Of ``broken`` steps only the name is checked."""
    return _document("dce-play role", ROLE_KEYS, steps, broken)


def _document(words: str, keys: Mapping[str, Key], steps: Steps, broken: Collection[str]) -> dict[str, Any]:
    return {
        "$schema": DRAFT,
        "title": _NEEDED,
        WORDS: words,
        **_keys(keys, comment="document"),
        "definitions": {
            "template": _TEMPLATE,
            "param": _keys(PARAM_KEYS, comment="param"),
            "statement": _statement(steps, broken),
        },
    }


def _keys(keys: Mapping[str, Key], *, comment: str) -> dict[str, Any]:
    required = [name for name, key in keys.items() if key.required]
    return {
        "$comment": comment,
        "type": "object",
        "properties": {name: {"title": name, "description": key.help, **key.takes} for name, key in keys.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _statement(steps: Steps, broken: Collection[str]) -> dict[str, Any]:
    schema = _keys(STATEMENT_KEYS, comment="statement")
    schema[WORDS] = "step"
    schema["properties"] |= {name: {} if name in broken else step_schema(step) for name, step in sorted(steps.items())}
    return schema


def step_summary(step: StepInfo) -> str:
    """Return the first line of the step's docstring."""
    return (step.__doc__ or "").strip().split("\n", 1)[0]


def step_schema(step: StepInfo) -> dict[str, Any]:
    """Return the schema of what stands under the step's name."""
    fields = signature(step).params
    schema = _object(fields, comment="params", templates=True)
    schema |= {"title": step.NAME, "description": step_summary(step)}
    if "required" not in schema:
        schema["type"] = ["object", "null"]
    return schema


def outputs_schema(step: StepInfo) -> dict[str, Any]:
    """Return the schema of what the step registers."""
    return _object(signature(step).outputs, comment="outputs", templates=False)


def _object(fields: Mapping[str, Field], *, comment: str, templates: bool) -> dict[str, Any]:
    required = [name for name, field in fields.items() if field.required]
    return {
        "$comment": comment,
        "type": "object",
        "properties": {name: {"title": name, **_field(field, templates=templates)} for name, field in fields.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _field(field: Field, *, templates: bool) -> dict[str, Any]:
    words = field.help + (f" ({field.unit})" if field.unit else "")
    schema: dict[str, Any] = {"description": words} if words else {}
    if isinstance(field.default, bool | int | float | str) and not field.required:
        schema["default"] = field.default if type(field.default) in {bool, int, float, str} else str(field.default)
    if field.example is not None:
        schema["examples"] = [field.example]
    return schema | of_shape(field.shape, templates=templates)


def of_shape(shape: Shape, *, templates: bool) -> dict[str, Any]:
    """Return the schema of a value; with ``templates``, text with an expression in it passes too."""
    if shape.kind is Kind.ANY:
        return {}
    schema: dict[str, Any] = {"type": _TYPES[shape.kind], **_FORMATS[shape.format], WORDS: describe(shape)}
    if shape.choices:
        schema["enum"] = list(shape.choices) + ([None] if shape.nullable else [])
    if shape.pattern:
        schema["pattern"] = shape.pattern
    if shape.minimum is not None:
        schema["minimum"] = shape.minimum
    if shape.maximum is not None:
        schema["maximum"] = shape.maximum
    if shape.kind is Kind.LIST and shape.item is not None:
        schema["items"] = of_shape(shape.item, templates=templates)
    if shape.kind is Kind.MAP and shape.fields is not None:
        schema |= _object(shape.fields, comment="params", templates=templates)
    elif shape.kind is Kind.MAP and shape.item is not None:
        schema["additionalProperties"] = of_shape(shape.item, templates=templates)
    if shape.nullable:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*types, *(["null"] if "null" not in types else [])]
    free_text = shape.kind is Kind.STR and set(schema) == {"type", WORDS}
    return schema if free_text or not templates else {"anyOf": [schema, {"$ref": "#/definitions/template"}]}
