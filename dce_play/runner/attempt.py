"""One try of one step: its params bound, planned or applied, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import cast

from dce_play.errors import DcePlayError
from dce_play.events import ChangeTold, Mode, Status, StepRef
from dce_play.playbook.evaluate.binding import bind_params, holds
from dce_play.playbook.plan.plan import PlannedStep
from dce_play.playbook.types.values import plain, registered
from dce_play.plugin import UNKNOWN, ActionStep, CheckStep, Context, Effects, StepFailed, StepPlan, StepResult, Unknown
from dce_play.runner.cancel import Abandoned, Reason
from dce_play.runner.context import HIDDEN, Workshop
from dce_play.runner.ended import Ended, Trouble, crashed, foreseen, stopped
from dce_play.runner.scope import Scope

DEPENDS = "depends on what only a real run can know"
NO_PLAN = "the step cannot tell what it would do (it has no plan)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Did:
    """What a try gave, before ``changed_when`` and ``failed_when`` have their say."""

    summary: str
    changed: bool | Unknown
    outputs: Mapping[str, object]
    changes: tuple[ChangeTold, ...] = ()
    trouble: Trouble | None = None
    maybe: bool = False


def attempt(workshop: Workshop, node: PlannedStep, scope: Scope, ref: StepRef) -> Ended:
    """Try the step once. Everything it can do wrong is in the answer; only ``Abandoned`` without a reason escapes."""
    try:
        with workshop.stopper.step():
            did = _do(workshop, node, scope, ref)
    except Abandoned:
        did = _failed(stopped(workshop.stopper.why() or Reason.TIMEOUT, ref.id))
    except DcePlayError as error:
        did = _failed(foreseen(error, ref.id), _outputs_of(error))
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a plugin may raise anything
        ours = str(getattr(node.plugin, "__name__", "")).startswith("dce_play.")
        folder = workshop.settings.run_folder
        did = _failed(crashed(error, ref.id, ours=ours, folder=folder, mask=workshop.secrets))
    reason = workshop.stopper.why()
    if did.trouble is not None and reason is not None:
        did = _failed(stopped(reason, ref.id), did.outputs)
    return _judged(node, scope, ref, did)


def _do(workshop: Workshop, node: PlannedStep, scope: Scope, ref: StepRef) -> _Did:
    params = bind_params(node, scope.names, workshop.settings.folder)
    silent = scope.silent
    if isinstance(params, Unknown):
        return _Did(summary=DEPENDS, changed=UNKNOWN, outputs=_unknown_outputs(node), maybe=True)
    if workshop.settings.mode is Mode.DRY_RUN and node.plugin.EFFECTS is not Effects.NONE:
        if not hasattr(node.plugin, "plan"):  # W431 tells its author; nothing is known of what it would do
            return _Did(summary=NO_PLAN, changed=UNKNOWN, outputs=_unknown_outputs(node), maybe=True)
        plan = cast(ActionStep, node.plugin).plan(params, workshop.view(scope.environment))
        return _planned(node, plan)
    scratch = _scratch(workshop, node, ref)
    context: Context = workshop.context(ref, scope.environment, scratch=scratch, silent=silent, handed_on=scope.asked)
    result: StepResult = cast(CheckStep, node.plugin).apply(params, context)
    return _Did(summary=result.summary, changed=result.changed, outputs=_mapping(plain(result.outputs)))


def _planned(node: PlannedStep, plan: StepPlan) -> _Did:
    changes = tuple(
        ChangeTold(what=change.what, path=str(change.path or ""), diff=change.diff) for change in plan.changes
    )
    known = {name: value if isinstance(value, Unknown) else plain(value) for name, value in plan.outputs.items()}
    return _Did(
        summary=plan.summary,
        changed=bool(changes),
        outputs={**_unknown_outputs(node), **known},
        changes=changes,
    )


def _judged(node: PlannedStep, scope: Scope, ref: StepRef, did: _Did) -> Ended:
    """Let ``changed_when`` and ``failed_when`` have their say; neither overrules a crash or the end of the run."""
    keywords = node.keywords
    changed, trouble = did.changed, did.trouble
    if keywords.changed_when is not None or keywords.failed_when is not None:
        status = Status.FAILED if trouble else Status.CHANGED if changed else Status.OK
        result = registered(did.outputs, status=status, changed=changed, summary=did.summary)
        names = {**scope.names, "result": result}
        try:
            if keywords.changed_when is not None and trouble is None:
                changed = holds(keywords.changed_when, names)
            if keywords.failed_when is not None and (trouble is None or _overrulable(trouble)):
                trouble = _failed_when(node, names, ref, trouble)
        except DcePlayError as error:
            trouble = trouble or foreseen(error, ref.id)
    if trouble is not None:
        status = Status.FAILED
    elif did.maybe or isinstance(changed, Unknown):
        status = Status.MAYBE
    else:
        status = Status.CHANGED if changed else Status.OK
    summary = trouble.failure.message if trouble is not None else did.summary
    return Ended(
        status=status,
        summary=HIDDEN if scope.silent else summary,
        value=registered(did.outputs, status=status, changed=changed, summary=summary),
        outputs=did.outputs,
        changes=() if scope.silent else did.changes,
        trouble=trouble,
    )


def _overrulable(trouble: Trouble) -> bool:
    return trouble.stops is None and trouble.failure.kind != "Crash"


def _failed_when(
    node: PlannedStep, names: Mapping[str, object], ref: StepRef, trouble: Trouble | None
) -> Trouble | None:
    verdict = holds(node.keywords.failed_when or (), names)
    if verdict is True:
        return trouble or foreseen(StepFailed("the step's failed_when holds"), ref.id)
    return trouble if isinstance(verdict, Unknown) else None


def _failed(trouble: Trouble, outputs: Mapping[str, object] | None = None) -> _Did:
    return _Did(summary=trouble.failure.message, changed=False, outputs=outputs or {}, trouble=trouble)


def _outputs_of(error: DcePlayError) -> Mapping[str, object]:
    return _mapping(plain(error.outputs)) if isinstance(error, StepFailed) and error.outputs is not None else {}


def _mapping(value: object) -> dict[str, object]:
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _unknown_outputs(node: PlannedStep) -> dict[str, object]:
    return {each.name: UNKNOWN for each in fields(node.plugin.Outputs)}


def _scratch(workshop: Workshop, node: PlannedStep, ref: StepRef) -> Path:
    """Return the step's own folder. Steps without effects share one, which saves making a thousand empty folders."""
    common = workshop.settings.run_folder / "scratch"
    if node.plugin.EFFECTS is Effects.NONE:
        return common
    folder = common / _folder_name(ref.id)
    folder.mkdir(exist_ok=True)
    return folder


def _folder_name(identifier: str) -> str:
    text = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in identifier
    )
    return text[-120:].lstrip(".") or "step"
