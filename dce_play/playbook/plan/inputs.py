"""Whether the steps that are chosen have what they read: results of steps that are left out are not there."""

from collections.abc import Iterator
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.check.contents import expressions, keyword_templates
from dce_play.playbook.language.model import Template
from dce_play.playbook.plan.plan import Plan, PlannedCall, PlannedNode, PlannedStep, children, walk


class InputLeftOut(DcePlayError):
    """A step that would run reads what a step that is left out would have registered."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_SELECTED

    def __init__(self, reader: str, name: str, maker: str) -> None:
        super().__init__(
            f'{reader} reads "{name}", which {maker} registers, and that is left out',
            hint=f"begin at {maker}, or go on with an earlier run: dce-play resume",
        )


def check_inputs(plan: Plan, chosen: frozenset[str]) -> None:
    """Refuse a choice of steps of which one reads the result of another that is left out, and does not ask for it.

    Only names of the planned file itself are looked at; what a role registers ends with it.

    Raises: InputLeftOut.
    """
    nodes = list(_own(plan.preflight + plan.steps, ()))
    runs = {node.id for node, _ in nodes if any(each.id in chosen for each in walk((node,)))}
    made = {node.keywords.register for node, _ in nodes if node.id in runs and node.keywords.register}
    missing = {
        node.keywords.register: node.id
        for node, _ in nodes
        if node.id not in runs and node.keywords.register and node.keywords.register not in made
    }
    if not missing:
        return
    from dce_play.playbook.expressions.sandbox import names_of  # imports Jinja, 60 ms, which few choices need

    for node, conditions in nodes:
        if node.id not in runs:
            continue
        for expression in (each for template in _templates(node) for each in expressions(template)):
            for name in sorted(names_of(expression.text) & missing.keys()):
                asked = [*conditions, *(each.text for each in node.keywords.when), expression.text]
                if not any(f"{name} is defined" in text or f"{name} is not defined" in text for text in asked):
                    raise InputLeftOut(node.id, name, missing[name])


def _own(nodes: tuple[PlannedNode, ...], conditions: tuple[str, ...]) -> Iterator[tuple[PlannedNode, tuple[str, ...]]]:
    """Yield the nodes of the file itself, each with the conditions around it."""
    for node in nodes:
        yield node, conditions
        if not isinstance(node, PlannedCall):
            inner = (*conditions, *(condition.text for condition in node.keywords.when))
            yield from _own(children(node), inner)


def _templates(node: PlannedNode) -> Iterator[Template]:
    yield from keyword_templates(node.keywords)
    if isinstance(node, PlannedStep):
        yield from node.params.values()
