"""The rule about names of targets: a step names one that the targets file beside it does not have."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dce_play.playbook.check.contents import statements
from dce_play.playbook.language.model import Literal, Playbook, StepCall, Template
from dce_play.playbook.load.library import Library
from dce_play.playbook.types.shapes import Format, fields_of
from dce_play.source import Problem, Severity, did_you_mean

_OURS = "dce_play.steps."
_PARAMS = ("target", "targets")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsBeside:
    """The targets file that a run in this folder would take."""

    path: Path
    sha256: str
    names: tuple[str, ...]


def target_names(playbook: Playbook, library: Library, beside: TargetsBeside) -> Iterator[Problem]:
    """Yield W414 for each name that is written out and unknown; what an expression gives is not known here."""
    for statement in statements((*playbook.preflight, *playbook.steps)):
        if not isinstance(statement, StepCall) or not _takes_targets(statement.step, library):
            continue
        for param in _PARAMS:
            for name in _written(statement.params.get(param)):
                if name and name not in beside.names:
                    yield Problem(
                        rule="W414",
                        message=f'{beside.path.name} has no target "{name}"',
                        span=statement.params[param].span,
                        severity=Severity.WARNING,
                        hint=did_you_mean(name, beside.names),
                    )


def _takes_targets(step: str, library: Library) -> bool:
    """Return whether the step is one of ours whose ``target`` is a name; elsewhere the word may mean anything."""
    plugin = library.steps.get(step)
    if plugin is None or not getattr(plugin, "__name__", "").startswith(_OURS):
        return False
    params: type = plugin.Params
    shapes = [each.shape for each in fields_of(params) if each.name in _PARAMS]
    return any((shape.item or shape).format is Format.NONE for shape in shapes)


def _written(template: Template | None) -> list[str]:
    if not isinstance(template, Literal):
        return []
    values = template.value if isinstance(template.value, list) else [template.value]
    return [value for value in values if isinstance(value, str)]
