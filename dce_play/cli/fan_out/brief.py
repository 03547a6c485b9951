"""What all items of a run have in common, as JSON: the playbook's text, the params, the run's options. No secret.

``make_brief`` is the parent's side; ``prepare_item`` makes plan and settings of it, wherever the item runs.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dce_play import __version__
from dce_play.cli.app.step_table import is_shipped, reading_cache, step_table
from dce_play.cli.app.steps_used import steps_used
from dce_play.discord.auth.known_secrets import known_secrets
from dce_play.discord.targets.model import TargetsFile
from dce_play.discord.targets.parse import parse_targets
from dce_play.errors import DcePlayError, ExitCode, UsageError
from dce_play.playbook.document.document import read_document
from dce_play.playbook.plan.plan import Plan
from dce_play.playbook.plan.planning import make_plan
from dce_play.plugin import Selection
from dce_play.resources import playbooks_folder, roles_folder
from dce_play.runner.fan_out.plugins_digest import plugins_digest
from dce_play.runner.fan_out.travel import from_wire, to_wire
from dce_play.runner.settings import RunSettings
from dce_play.snowflake import ChannelId, GuildId
from dce_play.source import InvalidDocument, JsonValue


class OtherRun(DcePlayError):
    """What came here is not what the parent has: another version, other step plugins, another plan."""

    exit_code = ExitCode.PREFLIGHT

    def __init__(self, what: str, theirs: str, ours: str) -> None:
        super().__init__(
            f"the run has {what} {theirs}, and here it is {ours}", hint="install the same everywhere, and start again"
        )


@dataclass(frozen=True, slots=True)
class PreparedItem:
    """A plan, and settings from which those of any item are made."""

    plan: Plan
    settings: RunSettings


def make_brief(plan: Plan, settings: RunSettings, /, *, plugins: bool) -> dict[str, JsonValue]:
    """Return what the items' runs must know.

    Raises: UsageError, when the targets file changed since it was read.
    """
    chosen: JsonValue = None if settings.steps is None else [*sorted(settings.steps)]
    return {
        "version": __version__,
        "playbook": str(plan.path),
        "texts": {str(path): text for path, text in plan.texts.items()},
        "shelves": [str(playbooks_folder()), str(roles_folder())],
        "definition": plan.definition,
        "plugins": plugins,
        "plugins_digest": plugins_digest(settings.folder) if plugins else "",
        "folder": str(settings.folder),
        "params": to_wire(dict(settings.params)),
        "recorded_params": dict(settings.recorded_params),
        "targets": _targets_text(settings.targets),
        "selection": {
            "targets": list(settings.selection.targets),
            "channels": [str(each) for each in settings.selection.channels],
            "guilds": [str(each) for each in settings.selection.guilds],
        },
        "steps": chosen,
        "assume_yes": settings.assume_yes,
        "interrupted": settings.interrupted,
        "lock_wait_s": settings.lock_wait_s,
        "grace_s": settings.grace_s,
        "allow_unattended": settings.allow_unattended,
    }


def _targets_text(targets: TargetsFile | None) -> JsonValue:
    if targets is None:
        return None
    try:
        text = targets.path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {targets.path}: {error.strerror}") from error
    if hashlib.sha256(text.encode()).hexdigest() != targets.sha256:
        raise UsageError(f"{targets.path} changed while the run began", hint="start it again")
    return {"path": str(targets.path), "text": text}


def prepare_item(
    brief: Mapping[str, JsonValue], environment: Mapping[str, str], /, *, plugins: Path | None = None
) -> PreparedItem:
    """Return the plan and the settings. Where ``plugins`` is given, foreign steps come from that folder's ``steps``.

    Relative paths are below the run's working folder if there is one here, else below this process's own.

    Raises: OtherRun; InvalidDocument, PluginBroken.
    """
    if brief["version"] != __version__:
        raise OtherRun("dce-play", str(brief["version"]), __version__)
    given = Path(str(brief["folder"]))
    work = given if given.is_dir() else Path.cwd()
    foreign = brief["plugins"] is True
    if foreign and plugins_digest(plugins or work) != brief["plugins_digest"]:
        raise OtherRun("step plugins", str(brief["plugins_digest"])[:12], plugins_digest(plugins or work)[:12])
    steps = step_table(plugins=foreign, folder=plugins or work)
    texts = _mapping(brief["texts"])
    shelves = brief["shelves"]
    plan = make_plan(
        Path(str(brief["playbook"])),
        steps,
        shipped=is_shipped(steps),
        cache=reading_cache(plugins=foreign, folder=work, environment=environment),
        contents={Path(path): str(text).encode("utf-8", "surrogateescape") for path, text in texts.items()},
        shelves=(Path(str(shelves[0])), Path(str(shelves[1]))) if isinstance(shelves, list) else None,
    )
    if plan.definition != brief["definition"]:
        raise OtherRun("the plan", str(brief["definition"]), plan.definition)
    targets = _targets(brief["targets"])
    params = from_wire(brief["params"])
    chosen, interrupted = brief["steps"], brief["interrupted"]
    settings = RunSettings(
        run_id="",
        run_folder=Path("/nonexistent"),
        folder=work,
        environment=environment,
        params=params if isinstance(params, dict) else {},
        recorded_params=_mapping(brief["recorded_params"]),
        archive_root=targets.archive_root if targets is not None else None,
        targets=targets,
        selection=_selection(_mapping(brief["selection"])),
        steps=frozenset(map(str, chosen)) if isinstance(chosen, list) else None,
        assume_yes=brief["assume_yes"] is True,
        interrupted=interrupted if isinstance(interrupted, str) else None,
        lock_wait_s=float(str(brief["lock_wait_s"])),
        grace_s=float(str(brief["grace_s"])),
        allow_unattended=brief["allow_unattended"] is True,
        steps_of=steps_used(work, steps, shipped=is_shipped(steps)),
        known_secrets=known_secrets(environment, work),
    )
    return PreparedItem(plan, settings)


def _targets(given: JsonValue) -> TargetsFile | None:
    if not isinstance(given, dict):
        return None
    path = Path(str(given["path"]))
    reading = read_document(path, str(given["text"]).encode())
    if reading.problems:
        raise InvalidDocument(list(reading.problems), {path: reading.document.text})
    return parse_targets(reading.document)


def _selection(given: Mapping[str, JsonValue]) -> Selection:
    def texts(name: str) -> tuple[str, ...]:
        value = given.get(name)
        return tuple(str(each) for each in value) if isinstance(value, list) else ()

    return Selection(
        targets=texts("targets"),
        channels=tuple(ChannelId(each) for each in texts("channels")),
        guilds=tuple(GuildId(each) for each in texts("guilds")),
    )


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}
