"""Whether a document surely fits its JSON Schema: the quick answer for the many that do.

It knows the words of JSON Schema that our schemas use, and answers no where it does not know. jsonschema is asked then,
and has the last word; it takes as long to import as a whole short command, and far longer to look at a long playbook.
"""

import re
from collections.abc import Mapping
from typing import Any

_SAYS_NOTHING = frozenset(
    {"$schema", "$comment", "title", "description", "default", "examples", "format", "definitions", "x-words"}
)
"""What decides nothing: jsonschema checks no format unless it is told to."""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def surely_fits(value: Any, schema: Mapping[str, Any], /) -> bool:
    """Return whether the value fits; ``False`` may also mean that this cannot be told here."""
    return _Fits(schema).schema(value, schema)


class _Fits:
    """Looks at values beside the schemas for them, with the definitions of the whole schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("definitions", {})

    def schema(self, value: Any, schema: Any) -> bool:
        if isinstance(schema, bool):
            return schema
        reference = schema.get("$ref")
        if reference is not None:  # all beside it counts for nothing in draft 7
            name = reference.removeprefix("#/definitions/")
            return name in self._definitions and self.schema(value, self._definitions[name])
        return all(word in _SAYS_NOTHING or self._word(value, word, said, schema) for word, said in schema.items())

    def _word(self, value: Any, word: str, said: Any, schema: Mapping[str, Any]) -> bool:
        match word:
            case "type":
                kinds = [said] if isinstance(said, str) else said
                return any(type(value) in _TYPES.get(kind, ()) for kind in kinds)
            case "anyOf":
                return any(self.schema(value, each) for each in said)
            case "enum":
                return any(type(each) is type(value) and each == value for each in said)
        if isinstance(value, dict):
            return self._object_word(value, word, said, schema)
        if isinstance(value, list):
            return self._list_word(value, word, said)
        return _plain_word(value, word, said)

    def _object_word(self, value: dict[str, Any], word: str, said: Any, schema: Mapping[str, Any]) -> bool:
        match word:
            case "properties":
                return all(self.schema(value[name], each) for name, each in said.items() if name in value)
            case "additionalProperties":
                known = schema.get("properties", {})
                return all(self.schema(each, said) for name, each in value.items() if name not in known)
            case "required":
                return all(name in value for name in said)
            case "propertyNames":
                return all(self.schema(name, said) for name in value)
            case _:
                return word in _LIST_WORDS or word in _PLAIN_WORDS

    def _list_word(self, value: list[Any], word: str, said: Any) -> bool:
        match word:
            case "items":
                return not isinstance(said, list) and all(self.schema(each, said) for each in value)
            case "minItems":
                return len(value) >= int(said)
            case _:
                return word in _OBJECT_WORDS or word in _PLAIN_WORDS


_OBJECT_WORDS = frozenset({"properties", "additionalProperties", "required", "propertyNames"})
_LIST_WORDS = frozenset({"items", "minItems"})
_PLAIN_WORDS = frozenset({"pattern", "minLength", "minimum", "maximum"})


def _plain_word(value: object, word: str, said: Any) -> bool:
    match word:
        case "pattern":
            return not isinstance(value, str) or re.search(said, value) is not None
        case "minLength":
            return not isinstance(value, str) or len(value) >= int(said)
        case "minimum" | "maximum" if isinstance(value, int | float) and not isinstance(value, bool):
            return bool(value >= said if word == "minimum" else value <= said)
        case _:
            return word in _OBJECT_WORDS or word in _LIST_WORDS or word in _PLAIN_WORDS
