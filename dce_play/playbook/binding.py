"""What the engine calls while it runs a plan: templates to typed values, params to instances.

``names`` is the scope at one step: a mapping from ``params``, ``vars``, ``targets``, ``channels``, ``archive_root``,
``run``, ``env``, registered names, the loop's name, and ``result``/``failure`` where they exist, to plain data (what
``plain`` gives). A value may be ``UNKNOWN`` in a dry run; whatever is computed from it is ``UNKNOWN`` too.
"""

from collections.abc import Mapping
from typing import TypeAlias

from dce_play.playbook.model import Expression, Template
from dce_play.playbook.plan import PlannedCall, PlannedStep
from dce_play.plugin import Unknown

Names: TypeAlias = Mapping[str, object]


def evaluate(template: Template, names: Names, /) -> object:
    """Return the template's value as plain data, or ``UNKNOWN`` where an unknown value takes part.

    Raises: EvaluationFailed, with the place.
    """
    raise NotImplementedError


def holds(conditions: tuple[Expression, ...], names: Names, /) -> bool | Unknown:
    """Return whether all conditions hold. One that is false decides; else one that is unknown does.

    Raises: EvaluationFailed, also when a value is not a bool.
    """
    raise NotImplementedError


def evaluate_text(template: Template, names: Names, /) -> str:
    """Return the template as text for people, such as a step's name; unknown parts show as such."""
    raise NotImplementedError


def evaluate_seconds(template: Template, names: Names, /) -> float:
    """Return a duration in seconds.

    Raises: EvaluationFailed, also when it is unknown.
    """
    raise NotImplementedError


def evaluate_count(template: Template, names: Names, /) -> int:
    """Return a whole number, such as ``retries``."""
    raise NotImplementedError


def evaluate_list(template: Template, names: Names, /) -> list[object] | Unknown:
    """Return a loop's items."""
    raise NotImplementedError


def bind_params(step: PlannedStep, names: Names, /) -> object | Unknown:
    """Return an instance of the step's ``Params``, or ``UNKNOWN`` when one of its values is.

    Raises: EvaluationFailed, when a value is not of its param's type.
    """
    raise NotImplementedError


def bind_call(call: PlannedCall, names: Names, /) -> dict[str, object]:
    """Return the child's ``params``: the values of ``keywords.vars`` by type, and defaults.

    Raises: EvaluationFailed, when a value is not of its param's type.
    """
    raise NotImplementedError


def bind_vars(templates: Mapping[str, Template], names: Names, /) -> dict[str, object]:
    """Return ``vars`` with values, in order; later ones may read earlier ones."""
    raise NotImplementedError


def plain(value: object, /) -> object:
    """Return a dataclass, path, date or enum (deeply) as plain data for expressions."""
    raise NotImplementedError


def registered(
    outputs: Mapping[str, object] | None, *, status: str, changed: bool | Unknown, summary: str
) -> dict[str, object]:
    """Return what ``register`` keeps: the outputs, and ``status``, ``changed``, ``failed``, ``summary``."""
    raise NotImplementedError
