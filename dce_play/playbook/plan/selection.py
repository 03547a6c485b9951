"""Which steps of a plan a run was asked for. Whatever is asked for must exist."""

from collections.abc import Iterable
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.plan.inputs import check_inputs
from dce_play.playbook.plan.plan import Plan, PlannedStep, all_steps, children, walk
from dce_play.source import did_you_mean
from dce_play.system.counted import counted


class NothingChosen(DcePlayError):
    """Something was asked for that the playbook does not have."""

    exit_code: ClassVar[ExitCode] = ExitCode.NOTHING_SELECTED


def choose_steps(
    plan: Plan, *, tags: Iterable[str] = (), skip_tags: Iterable[str] = (), start_at: str | None = None
) -> frozenset[str] | None:
    """Return the ids of the steps to run, or ``None`` when no choice was made.

    ``start_at`` is an id or name of a step, block, role or playbook; steps before it are left out. A step runs when it
    has one of ``tags`` (or none were given) and none of ``skip_tags``. Preflight steps stay, whatever begins where and
    has which tags, as they refuse what would go wrong; only ``skip_tags`` leaves them out.

    Raises: NothingChosen, when a tag or the start does not exist, or when no step is left; InputLeftOut, when one that
    is left reads what one left out would have registered.
    """
    wanted, unwanted = frozenset(tags), frozenset(skip_tags)
    if not wanted and not unwanted and start_at is None:
        return None
    steps = list(all_steps(plan))
    known = {tag for step in steps for tag in step.keywords.tags}
    for tag in sorted(wanted | unwanted):
        if tag not in known:
            hint = did_you_mean(tag, known) or "no step of this playbook has a tag; choose with --start-at"
            raise NothingChosen(f'no step has the tag "{tag}"', hint=hint)
    first = {node.id for node in walk(plan.preflight)}
    later = {step.id for step in steps} if start_at is None else _from(plan, start_at)
    chosen = frozenset(
        step.id
        for step in steps
        if (step.id in first or (step.id in later and (not wanted or wanted.intersection(step.keywords.tags))))
        and not unwanted.intersection(step.keywords.tags)
    )
    if chosen <= first:
        raise NothingChosen("no step is left to run", hint="dce-play plan shows every step with its tags")
    check_inputs(plan, chosen)
    return chosen


def _from(plan: Plan, start_at: str) -> set[str]:
    """Return the ids of the steps at and after the start."""
    nodes = list(walk(plan.steps))
    by_id = [number for number, node in enumerate(nodes) if node.id == start_at]
    found = by_id or [number for number, node in enumerate(nodes) if node.key == start_at]
    if not found:
        ids = [node.id for node in nodes]
        raise NothingChosen(f'no step "{start_at}" to start at', hint=did_you_mean(start_at, ids))
    if len(found) > 1:
        choices = ", ".join(nodes[number].id for number in found)
        raise NothingChosen(
            f'"{start_at}" could be any of {counted(len(found), "step")}', hint=f"write one of {choices}"
        )
    return {node.id for node in nodes[found[0] :] if isinstance(node, PlannedStep)}


def with_parents(plan: Plan, steps: frozenset[str] | None) -> frozenset[str] | None:
    """Return the ids of the chosen steps and of everything that they stand in."""
    if steps is None:
        return None
    chosen: set[str] = set()
    for node in reversed(list(walk(plan.preflight + plan.steps))):
        if node.id in steps or any(child.id in chosen for child in children(node)):
            chosen.add(node.id)
    return frozenset(chosen)
