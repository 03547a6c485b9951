"""Which step plugins there are: ours, and those of a project or an installed package when they are wanted."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import cast

from dce_play.cli.app.project_file import wants_plugins
from dce_play.errors import DcePlayError, ExitCode
from dce_play.playbook.document.cache import Cache, cache_folder, own_fingerprint
from dce_play.playbook.load.library import Library
from dce_play.plugin import CheckStep
from dce_play.steps import STEPS

ENTRY_POINT_GROUP = "dce_play.steps"
_NAMES = ("NAME", "EFFECTS", "REPEATABLE", "REHEARSABLE", "Params", "Outputs", "apply")


class PluginBroken(DcePlayError):
    """A step plugin that is not ours cannot be loaded."""

    exit_code = ExitCode.INVALID

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"step plugin {place}: {reason}", hint="docs/reference/steps.md tells what a plugin is")
        self.place = place


def step_table(*, plugins: bool, folder: Path) -> Mapping[str, CheckStep]:
    """Return every step by name: ``STEPS`` itself when there are no others.

    Foreign code runs only if ``plugins`` asks for it or the ``dce-play.toml`` of the folder does: the modules of its
    ``steps`` folder and the entry points of installed packages.

    Raises: PluginBroken; ProjectFileBroken.
    """
    if not plugins and not wants_plugins(folder):
        return STEPS
    table: dict[str, CheckStep] = dict(STEPS)
    for place, module in (*_of_project(folder), *_of_packages()):
        missing = [name for name in _NAMES if not hasattr(module, name)]
        if missing:
            raise PluginBroken(place, f"it has no {missing[0]}")
        step = cast(CheckStep, module)
        if step.NAME in table or "." not in step.NAME:
            reason = "is taken" if step.NAME in table else "has no dot"
            raise PluginBroken(place, f'the name "{step.NAME}" {reason}')
        table[step.NAME] = step
    return table


def is_shipped(steps: Mapping[str, CheckStep]) -> bool:
    """Return whether a table of ``step_table`` holds our own steps and no others."""
    return steps is STEPS


def open_library(*, plugins: bool, folder: Path, environment: Mapping[str, str]) -> Library:
    """Return what reads playbooks with the steps of this folder. Foreign steps are imported for it.

    Raises: PluginBroken, ProjectFileBroken.
    """
    steps = step_table(plugins=plugins, folder=folder)
    cache = reading_cache(plugins=plugins, folder=folder, environment=environment)
    return Library(steps, shipped=is_shipped(steps), cache=cache)


def reading_cache(*, plugins: bool, folder: Path, environment: Mapping[str, str]) -> Cache | None:
    """Return where readings of playbooks are kept, so that none is parsed and checked twice.

    With foreign steps nothing is kept: they may change without our noticing.

    Raises: ProjectFileBroken.
    """
    if plugins or wants_plugins(folder):
        return None
    home = cache_folder(environment)
    return Cache(home, own_fingerprint()) if home is not None else None


def _of_project(folder: Path) -> list[tuple[str, object]]:
    paths = sorted((folder / "steps").glob("*.py")) + sorted((folder / "playbooks" / "steps").glob("*.py"))
    return [(str(path), _load(path)) for path in paths if not path.name.startswith("_")]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"dce_play_project_steps.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PluginBroken(str(path), "it is not a Python module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PluginBroken(str(path), f"{type(error).__name__}: {error}") from error
    return module


def _of_packages() -> list[tuple[str, object]]:
    # Inside the function for start-up time: 20 ms, and only for those who want plugins.
    from importlib import metadata

    found: list[tuple[str, object]] = []
    for entry in metadata.entry_points(group=ENTRY_POINT_GROUP):
        try:
            found.append((entry.value, entry.load()))
        except Exception as error:
            raise PluginBroken(entry.value, f"{type(error).__name__}: {error}") from error
    return found
