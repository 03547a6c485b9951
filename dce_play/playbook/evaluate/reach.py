"""Which steps a run can come to, as far as its params tell before it starts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from dce_play.errors import DcePlayError
from dce_play.playbook.evaluate.binding import Names, bind_call, bind_vars, evaluate_list, holds
from dce_play.playbook.language.model import Template
from dce_play.playbook.plan.plan import Plan, PlannedBlock, PlannedCall, PlannedNode, PlannedStep
from dce_play.plugin import Unknown


def reachable_steps(plan: Plan, names: Names, /) -> Iterator[PlannedStep]:
    """Yield the steps whose conditions, and those around them, are not known to be false.

    ``names`` is what is known before the run: ``params``, ``targets``, ``channels``, ``run`` and the like. A condition
    that reads anything else may hold.
    """
    yield from (node for node, _ in _of_plan(plan, names) if isinstance(node, PlannedStep))


def fanned_items(plan: Plan, names: Names, /) -> Iterator[tuple[PlannedNode, Sequence[object]]]:
    """Yield the loops with ``fan_out`` that a run can come to, with those items that are known before it."""
    for node, scope in _of_plan(plan, names):
        if node.keywords.fan_out and node.keywords.loop is not None:
            with suppress(DcePlayError):
                items = evaluate_list(node.keywords.loop, scope)
                yield node, () if isinstance(items, Unknown) else items


def _of_plan(plan: Plan, names: Names) -> Iterator[tuple[PlannedNode, Names]]:
    scope = {**names, "vars": _or_nothing(plan.vars, names)}
    yield from _reach((*plan.preflight, *plan.steps), scope)


def _reach(nodes: tuple[PlannedNode, ...], names: Names) -> Iterator[tuple[PlannedNode, Names]]:
    for node in nodes:
        if not _may_run(node, names):
            continue
        yield node, names
        match node:
            case PlannedStep():
                continue
            case PlannedBlock():
                yield from _reach(node.body + node.rescue + node.always, names)
            case PlannedCall():
                yield from _reach(node.body, _inside(node, names))


def _may_run(node: PlannedNode, names: Names) -> bool:
    try:
        if holds(node.keywords.when, names) is False:
            return False
        return node.keywords.loop is None or evaluate_list(node.keywords.loop, names) != []
    except DcePlayError:
        return True


def _inside(call: PlannedCall, names: Names) -> Names:
    inherited = {name: value for name, value in names.items() if name not in {"params", "vars"}}
    try:
        scope: Names = {**inherited, "params": bind_call(call, names)}
    except DcePlayError:
        return inherited
    return {**scope, "vars": _or_nothing(call.vars, scope)}


def _or_nothing(templates: Mapping[str, Template], names: Names) -> dict[str, object]:
    try:
        return bind_vars(templates, names)
    except DcePlayError:
        return {}
