"""What the engine calls while it runs a plan: templates to typed values, params to instances.

``names`` is the scope at one step: a mapping from ``params``, ``vars``, ``targets``, ``channels``, ``archive_root``,
``run``, ``env``, registered names, the loop's name, and ``result``/``failure`` where they exist, to plain data (what
``values.plain`` and ``values.registered`` give). Whatever is computed from something unknown in a dry run is
``UNKNOWN`` too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from dce_play.errors import DcePlayError
from dce_play.playbook.language.declared import default_value, param_shape
from dce_play.playbook.language.model import Expression, Fields, Items, Literal, OnError, Template, Text
from dce_play.playbook.plan.plan import PlannedCall, PlannedStep
from dce_play.playbook.types.coerce import WrongValue, check, to_python
from dce_play.playbook.types.shapes import DURATION, INT, Shape, shape_of, signature
from dce_play.playbook.types.values import (
    UNREADY,
    SecretTouched,
    UnknownTouched,
    holds_unknown,
)
from dce_play.plugin import UNKNOWN, Unknown
from dce_play.source import Problem, Span

MAX_TEXT = 1 << 20
"""Characters of a text with expressions in it."""

Names: TypeAlias = Mapping[str, object]


class EvaluationFailed(DcePlayError):
    """An expression has no value, or one of a wrong type. ``problem`` has the place."""

    def __init__(self, rule: str, message: str, span: Span, *, hint: str = "") -> None:
        super().__init__(f"{span}: {message}", hint=hint)
        self.problem = Problem(rule=rule, message=message, span=span, hint=hint)


def evaluate(template: Template, names: Names, /) -> object:
    """Return the template's value as plain data, or ``UNKNOWN`` where an unknown value takes part.

    Raises: EvaluationFailed, with the place.
    """
    match template:
        case Literal(value=value):
            return value
        case Expression():
            return _evaluate_expression(template, names)
        case Text(parts=parts):
            texts = [part if isinstance(part, str) else _as_text(part, names) for part in parts]
            if any(isinstance(text, Unknown) for text in texts):
                return UNKNOWN
            if sum(map(len, map(str, texts))) > MAX_TEXT:
                raise EvaluationFailed("E205", f"text goes up to {MAX_TEXT} characters", template.span)
            return "".join(map(str, texts))
        case Items(items=items):
            values = [evaluate(item, names) for item in items]
            return UNKNOWN if any(isinstance(value, Unknown) for value in values) else values
        case Fields(fields=fields):
            known = {name: evaluate(field, names) for name, field in fields.items()}
            return UNKNOWN if any(isinstance(value, Unknown) for value in known.values()) else known


def _evaluate_expression(expression: Expression, names: Names) -> object:
    # Inside the function for start-up time: Jinja takes 60 ms, and many playbooks have no expression to run.
    from dce_play.playbook.expressions import sandbox

    try:
        value = sandbox.evaluate(expression.text, names)
    except UnknownTouched:
        return UNKNOWN
    except SecretTouched:
        message = "a secret can only be handed on whole"
        raise EvaluationFailed("E223", message, expression.span, hint="write it as the whole value") from None
    except sandbox.UndefinedError as error:
        raise EvaluationFailed("E211", str(error), expression.span) from error
    except sandbox.OutOfBounds as error:
        raise EvaluationFailed("E205", str(error), expression.span, hint="make it in steps, or in a file") from error
    except sandbox.EXPECTED_FAILURES as error:
        raise EvaluationFailed("E226", f"{expression.text} has no value: {error}", expression.span) from error
    return UNKNOWN if holds_unknown(value) else value


def _as_text(expression: Expression, names: Names) -> str | Unknown:
    from dce_play.playbook.expressions.filters import as_text  # start-up time, as above

    value = evaluate(expression, names)
    if isinstance(value, Unknown):
        return value
    try:
        return as_text(value)
    except SecretTouched:
        raise EvaluationFailed("E223", "a secret cannot stand in text", expression.span) from None
    except TypeError as error:
        raise EvaluationFailed("E223", str(error), expression.span) from error


def holds(conditions: tuple[Expression, ...], names: Names, /) -> bool | Unknown:
    """Return whether all conditions hold. The first that is false or unknown decides.

    Raises: EvaluationFailed, also when a value is not a bool.
    """
    for condition in conditions:
        value = evaluate(condition, names)
        if isinstance(value, Unknown):
            return value
        if not isinstance(value, bool):
            what = "null" if value is None else type(value).__name__
            hint = "compare it with something, such as | length > 0 or is not none"
            raise EvaluationFailed("E221", f"a condition must be a bool, not {what}", condition.span, hint=hint)
        if not value:
            return False
    return True


def evaluate_text(template: Template, names: Names, /) -> str:
    """Return the template as text for people, such as a step's name; unknown parts show as ``<known after apply>``.

    Raises: EvaluationFailed.
    """
    match template:
        case Text(parts=parts):
            return "".join(part if isinstance(part, str) else str(_shown(part, names)) for part in parts)
        case Literal(value=value):
            return str(value)
        case Expression():
            return str(_shown(template, names))
        case _:
            raise EvaluationFailed("E223", "a list or mapping cannot be a text", template.span)


def _shown(expression: Expression, names: Names) -> object:
    text = _as_text(expression, names)
    return repr(text) if isinstance(text, Unknown) else text


def evaluate_as(template: Template, shape: Shape, names: Names, /) -> object:
    """Return the value as plain data of the shape: durations in seconds, sizes in bytes; or ``UNKNOWN``.

    Raises: EvaluationFailed, also when the value is not of the shape.
    """
    value = evaluate(template, names)
    if isinstance(value, Unknown):
        return value
    try:
        return check(value, shape)
    except WrongValue as error:
        raise EvaluationFailed("E103", str(error), template.span) from error


def evaluate_seconds(template: Template, names: Names, /) -> float:
    """Return a duration in seconds.

    Raises: EvaluationFailed, also when it is unknown.
    """
    return float(_known(template, DURATION, names))


def evaluate_count(template: Template, names: Names, /) -> int:
    """Return a whole number, such as ``retries``.

    Raises: EvaluationFailed, also when it is unknown.
    """
    return int(_known(template, INT, names))


def evaluate_on_error(value: OnError | Template, names: Names, /) -> OnError:
    """Return what a failure does to what comes after; ``stop`` where a dry run cannot know.

    Raises: EvaluationFailed, also when the value is neither of the two.
    """
    if isinstance(value, OnError):
        return value
    given = evaluate_as(value, shape_of(OnError), names)
    return OnError.STOP if isinstance(given, Unknown) else OnError(str(given))


def _known(template: Template, shape: Shape, names: Names) -> float:
    value = evaluate_as(template, shape, names)
    if not isinstance(value, int | float):
        raise EvaluationFailed("E103", "this must be known before the step runs", template.span)
    return value


def evaluate_list(template: Template, names: Names, /) -> list[object] | Unknown:
    """Return a loop's items.

    Raises: EvaluationFailed, also when the value is not a list.
    """
    value = evaluate(template, names)
    if isinstance(value, list | Unknown):
        return value
    raise EvaluationFailed("E103", "a loop takes a list", template.span)


def bind_params(step: PlannedStep, names: Names, folder: Path, /) -> object:
    """Return an instance of the step's ``Params``, or ``UNKNOWN`` when one of its values is.

    Relative paths are below ``folder``.

    Raises: EvaluationFailed, when a value is not of its param's type.
    """
    known = signature(step.plugin).params
    made: dict[str, object] = {}
    for name, template in step.params.items():
        value = evaluate(template, names)
        if isinstance(value, Unknown):
            return value
        wanted = known[name]
        if value is None and not wanted.required and not wanted.shape.nullable:
            continue  # null where a default stands: the default
        try:
            made[name] = to_python(value, wanted.shape, folder=folder)
        except WrongValue as error:
            raise EvaluationFailed("E103", f"{step.step}: {name}: {error}", template.span) from error
    try:
        return step.plugin.Params(**made)
    except ValueError as error:  # a check of the step's own, over several params
        raise EvaluationFailed("E103", f"{step.step}: {error}", step.span) from error


def bind_call(call: PlannedCall, names: Names, /) -> dict[str, object]:
    """Return the child's ``params``: the values of ``keywords.vars`` by type, and defaults. Unknown ones stay so.

    Raises: EvaluationFailed, when a value is not of its param's type.
    """
    params: dict[str, object] = {}
    for name, spec in call.params.items():
        template = call.keywords.vars.get(name)
        if template is None:
            params[name] = default_value(spec)
            continue
        value = evaluate(template, names)
        if value is None and not spec.required:
            params[name] = default_value(spec)
            continue
        value = evaluate_as(template, param_shape(spec), names)
        params[name] = UNREADY if isinstance(value, Unknown) else value
    return params


def bind_vars(templates: Mapping[str, Template], names: Names, /) -> dict[str, object]:
    """Return ``vars`` with values, in order; later ones may read earlier ones and the ``vars`` that exist already.

    Raises: EvaluationFailed.
    """
    existing = names.get("vars")
    found: dict[str, object] = dict(existing) if isinstance(existing, Mapping) else {}
    for name, template in templates.items():
        value = evaluate(template, {**names, "vars": found})
        found[name] = UNREADY if isinstance(value, Unknown) else value
    return found
