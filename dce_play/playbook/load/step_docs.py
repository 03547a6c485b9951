"""What can be told of a step, from its module: summary, params, outputs, an example."""

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from dce_play.playbook.load.schema import outputs_schema, step_schema, step_summary
from dce_play.playbook.types.shapes import Field, describe, signature
from dce_play.plugin import Effects, StepInfo

_EFFECTS = {
    Effects.NONE: "reads only",
    Effects.LOCAL: "writes outside the archive",
    Effects.ARCHIVE: "may write the archive; needs its lock",
    Effects.REMOTE: "talks to other machines",
}


def describe_step(step: StepInfo) -> str:
    """Return the documentation of a step as text."""
    known = signature(step)
    facts = [
        _EFFECTS[step.EFFECTS],
        "may be repeated" if step.REPEATABLE else "must not be repeated",
        "may be rehearsed" if step.REHEARSABLE else "cannot be rehearsed",
    ]
    parts = [f"{step.NAME}  ({'; '.join(facts)})", inspect.cleandoc(step.__doc__ or "")]
    parts.append("\n".join(["params:", *_fields(known.params)]))
    parts.append("\n".join(["outputs:", *_fields(known.outputs, given=False)]))
    parts.append("\n".join(["example:", *_indented(example(step))]))
    return "\n\n".join(parts) + "\n"


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.splitlines())


def _fields(fields: Mapping[str, Field], *, given: bool = True) -> Iterator[str]:
    if not fields:
        yield "  none"
    for field in fields.values():
        facts = [describe(field.shape)]
        if given:
            facts.append("required" if field.required else f"default {_default(field)}")
        if field.unit:
            facts.append(field.unit)
        yield f"  {field.name}  ({', '.join(facts)})"
        if field.help:
            yield f"      {field.help}"


def _default(field: Field) -> str:
    value = field.default
    if isinstance(value, tuple | frozenset | set):
        value = list(value)
    return json.dumps(value, default=str)


def example(step: StepInfo) -> str:
    """Return a use of the step that lint accepts: the params that it must have, and those with an example."""
    fields = [field for field in signature(step).params.values() if field.required or field.example is not None]
    if not fields:
        return f"- {step.NAME}: {{}}"
    lines = [f"- {step.NAME}:"]
    lines += [f"    {field.name}: {json.dumps(_example(field), ensure_ascii=False)}" for field in fields]
    return "\n".join(lines)


def _example(field: Field) -> object:
    if field.example is not None:
        return field.example
    if field.shape.choices:
        return field.shape.choices[0]
    by_words: dict[str, object] = {
        "text": "…",
        "path": "some/path",
        "whole number": 1,
        "number": 1.5,
        "bool": True,
        "duration": "10m",
        "size": "64MiB",
        "snowflake": "123456789012345678",
        "mapping": {},
    }
    return by_words.get(describe(field.shape), [] if describe(field.shape).startswith("list") else "…")


def step_as_json(step: StepInfo) -> dict[str, Any]:
    """Return what can be told of a step, for machines."""
    return {
        "name": step.NAME,
        "summary": step_summary(step),
        "effects": str(step.EFFECTS),
        "repeatable": step.REPEATABLE,
        "rehearsable": step.REHEARSABLE,
        "params": step_schema(step),
        "outputs": outputs_schema(step),
    }
