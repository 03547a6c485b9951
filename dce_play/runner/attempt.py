"""One try of one step: its params bound, planned or applied, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import cast

from dce_play.errors import DcePlayError
from dce_play.events import ChangeTold, Mode, Status, StepRef
from dce_play.playbook.evaluate.binding import bind_params, holds
from dce_play.playbook.plan.plan import PlannedStep
from dce_play.playbook.types.values import plain, registered
from dce_play.plugin import UNKNOWN, ActionStep, CheckStep, Context, Effects, StepFailed, StepPlan, StepResult, Unknown
from dce_play.runner.cancel import Abandoned, Reason
from dce_play.runner.context import HIDDEN, RunServices
from dce_play.runner.node_result import Failure, NodeResult, crashed, foreseen, stopped
from dce_play.runner.scope import Scope

DEPENDS = "depends on what only a real run can know"
NO_PLAN = "the step cannot tell what it would do (it has no plan)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _StepOutcome:
    """What a try gave, before ``changed_when`` and ``failed_when`` have their say."""

    summary: str
    changed: bool | Unknown
    outputs: Mapping[str, object]
    changes: tuple[ChangeTold, ...] = ()
    failure: Failure | None = None
    maybe: bool = False


def attempt(services: RunServices, node: PlannedStep, scope: Scope, ref: StepRef) -> NodeResult:
    """Try the step once. Everything it can do wrong is in the answer; only ``Abandoned`` without a reason escapes."""
    try:
        with services.stopper.step():
            tried = _do(services, node, scope, ref)
    except Abandoned:
        tried = _failed(stopped(services.stopper.why() or Reason.TIMEOUT, ref.id))
    except DcePlayError as error:
        tried = _failed(foreseen(error, ref.id), _outputs_of(error))
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a plugin may raise anything
        ours = str(getattr(node.plugin, "__name__", "")).startswith("dce_play.")
        folder = services.settings.run_folder
        tried = _failed(crashed(error, ref.id, ours=ours, folder=folder, mask=services.secrets))
    reason = services.stopper.why()
    if tried.failure is not None and reason is not None:
        tried = _failed(stopped(reason, ref.id), tried.outputs)
    return _judged(node, scope, ref, tried)


def _do(services: RunServices, node: PlannedStep, scope: Scope, ref: StepRef) -> _StepOutcome:
    params = bind_params(node, scope.names, services.settings.folder)
    silent = scope.silent
    if isinstance(params, Unknown):
        return _StepOutcome(summary=DEPENDS, changed=UNKNOWN, outputs=_unknown_outputs(node), maybe=True)
    if services.settings.mode is Mode.DRY_RUN and node.plugin.EFFECTS is not Effects.NONE:
        if not hasattr(node.plugin, "plan"):  # W431 tells its author; nothing is known of what it would do
            return _StepOutcome(summary=NO_PLAN, changed=UNKNOWN, outputs=_unknown_outputs(node), maybe=True)
        plan = cast(ActionStep, node.plugin).plan(params, services.view(scope.environment))
        return _planned(node, plan)
    scratch = _scratch(services, node, ref)
    context: Context = services.context(ref, scope.environment, scratch=scratch, silent=silent, handed_on=scope.asked)
    result: StepResult = cast(CheckStep, node.plugin).apply(params, context)
    return _StepOutcome(summary=result.summary, changed=result.changed, outputs=_mapping(plain(result.outputs)))


def _planned(node: PlannedStep, plan: StepPlan) -> _StepOutcome:
    changes = tuple(
        ChangeTold(what=change.what, path=str(change.path or ""), diff=change.diff) for change in plan.changes
    )
    known = {name: value if isinstance(value, Unknown) else plain(value) for name, value in plan.outputs.items()}
    return _StepOutcome(
        summary=plan.summary,
        changed=bool(changes),
        outputs={**_unknown_outputs(node), **known},
        changes=changes,
    )


def _judged(node: PlannedStep, scope: Scope, ref: StepRef, tried: _StepOutcome) -> NodeResult:
    """Let ``changed_when`` and ``failed_when`` have their say; neither overrules a crash or the end of the run."""
    keywords = node.keywords
    changed, failure = tried.changed, tried.failure
    if keywords.changed_when is not None or keywords.failed_when is not None:
        status = Status.FAILED if failure else Status.CHANGED if changed else Status.OK
        result = registered(tried.outputs, status=status, changed=changed, summary=tried.summary)
        names = {**scope.names, "result": result}
        try:
            if keywords.changed_when is not None and failure is None:
                changed = holds(keywords.changed_when, names)
            if keywords.failed_when is not None and (failure is None or _overrulable(failure)):
                failure = _failed_when(node, names, ref, failure)
        except DcePlayError as error:
            failure = failure or foreseen(error, ref.id)
    if failure is not None:
        status = Status.FAILED
    elif tried.maybe or isinstance(changed, Unknown):
        status = Status.MAYBE
    else:
        status = Status.CHANGED if changed else Status.OK
    summary = failure.facts.message if failure is not None else tried.summary
    return NodeResult(
        status=status,
        summary=HIDDEN if scope.silent else summary,
        value=registered(tried.outputs, status=status, changed=changed, summary=summary),
        outputs=tried.outputs,
        changes=() if scope.silent else tried.changes,
        failure=failure,
    )


def _overrulable(failure: Failure) -> bool:
    return failure.stops is None and failure.facts.kind != "Crash"


def _failed_when(
    node: PlannedStep, names: Mapping[str, object], ref: StepRef, failure: Failure | None
) -> Failure | None:
    verdict = holds(node.keywords.failed_when or (), names)
    if verdict is True:
        return failure or foreseen(StepFailed("the step's failed_when holds"), ref.id)
    return failure if isinstance(verdict, Unknown) else None


def _failed(failure: Failure, outputs: Mapping[str, object] | None = None) -> _StepOutcome:
    return _StepOutcome(summary=failure.facts.message, changed=False, outputs=outputs or {}, failure=failure)


def _outputs_of(error: DcePlayError) -> Mapping[str, object]:
    return _mapping(plain(error.outputs)) if isinstance(error, StepFailed) and error.outputs is not None else {}


def _mapping(value: object) -> dict[str, object]:
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _unknown_outputs(node: PlannedStep) -> dict[str, object]:
    return {each.name: UNKNOWN for each in fields(node.plugin.Outputs)}


def _scratch(services: RunServices, node: PlannedStep, ref: StepRef) -> Path:
    """Return the step's own folder. Steps without effects share one, which saves making a thousand empty folders."""
    common = _common_scratch(services.settings.run_folder)
    if node.plugin.EFFECTS is Effects.NONE:
        return common
    folder = common / _folder_name(ref.id)
    folder.mkdir(exist_ok=True)
    return folder


@lru_cache(maxsize=1)
def _common_scratch(run_folder: Path) -> Path:
    return run_folder / "scratch"


def _folder_name(identifier: str) -> str:
    text = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in identifier
    )
    return text[-120:].lstrip(".") or "step"
