"""Declared params of playbooks and roles, as shapes and from documents."""

from dataclasses import replace as with_changes

from dce_play.playbook.language.model import ParamSpec, ParamType
from dce_play.playbook.types.coerce import WrongValue, check
from dce_play.playbook.types.shapes import (
    BOOL,
    DURATION,
    FLOAT,
    INT,
    PATH,
    SECRET,
    SIZE,
    SNOWFLAKE,
    STR,
    Shape,
    list_of,
)

_SHAPES: dict[ParamType, Shape] = {
    ParamType.STR: STR,
    ParamType.INT: INT,
    ParamType.FLOAT: FLOAT,
    ParamType.BOOL: BOOL,
    ParamType.CHOICE: STR,
    ParamType.LIST: list_of(Shape()),
    ParamType.PATH: with_changes(PATH, make=None),
    ParamType.DURATION: DURATION,
    ParamType.SIZE: SIZE,
    ParamType.SNOWFLAKE: SNOWFLAKE,
    ParamType.SECRET: SECRET,
}


def param_shape(spec: ParamSpec) -> Shape:
    """Return the shape of a param's value. It may be null when it is neither required nor has a default."""
    return with_changes(
        _SHAPES[spec.type],
        nullable=not spec.required and spec.default is None,
        choices=spec.choices,
        pattern=spec.pattern,
        minimum=spec.minimum,
        maximum=spec.maximum,
    )


def default_value(spec: ParamSpec) -> object:
    """Return the default as plain data.

    Raises: WrongValue, when it is not of its own type.
    """
    if spec.default is None:
        return None
    try:
        return check(spec.default, param_shape(spec))
    except WrongValue as error:
        raise WrongValue(f"the default {error}") from error
