"""The names that expressions may use, and what each may be."""

from collections.abc import Mapping

from dce_play.discord.targets.model import Target
from dce_play.playbook.language.declared import param_shape
from dce_play.playbook.language.model import ParamSpec, Playbook
from dce_play.playbook.types.shapes import (
    ANY,
    BOOL,
    SNOWFLAKE,
    STR,
    Field,
    Format,
    Kind,
    Shape,
    list_of,
    mapping_of,
    shape_of,
)
from dce_play.playbook.types.values import REGISTERED_NAMES

INHERITED_NAMES = frozenset({"targets", "channels", "archive_root", "run", "env"})
"""Built-in names that are the same everywhere; roles and included playbooks have them too."""
BUILT_IN_NAMES = INHERITED_NAMES | {"params", "vars"}
RESERVED_NAMES = BUILT_IN_NAMES | {"result", "failure"}

RESERVED_PARAMS = frozenset(
    {
        "allow_unattended",
        "channel",
        "check",
        "cluster",
        "config",
        "detailed_exitcode",
        "diff",
        "dry_run",
        "exporter",
        "extra",
        "help",
        "jobs",
        "list_steps",
        "lock_wait",
        "log_file",
        "output",
        "plugins",
        "rehearse",
        "report",
        "run",
        "skip_tags",
        "start_at",
        "state_dir",
        "step",
        "strict",
        "tags",
        "target",
        "timeout",
        "verbose",
        "yes",
    }
)
"""Names of global options, which no param can have."""

RUN = mapping_of({"id": STR, "mode": STR, "dry_run": BOOL, "folder": STR})
FAILURE = mapping_of({"kind": STR, "message": STR, "hint": STR, "step": STR})
_RECORD = {"status": STR, "changed": BOOL, "failed": BOOL, "summary": STR}


def built_in(playbook: Playbook) -> dict[str, Shape]:
    """Return the shapes of the names that exist everywhere in a playbook or role."""
    return {
        "params": params_shape(playbook.params),
        "vars": Shape(kind=Kind.MAP, fields={}),
        "targets": list_of(shape_of(Target)),
        "channels": list_of(SNOWFLAKE),
        "archive_root": Shape(kind=Kind.STR, format=Format.PATH, nullable=True),
        "run": RUN,
        "env": Shape(kind=Kind.MAP, item=STR),
    }


def params_shape(specs: Mapping[str, ParamSpec]) -> Shape:
    """Return the shape of ``params``."""
    return mapping_of({name: param_shape(spec) for name, spec in specs.items()})


def record_shape(outputs: Mapping[str, Field] | None) -> Shape:
    """Return the shape of what ``register`` keeps; ``None`` is for a step that is not known."""
    if outputs is None:
        return ANY
    shapes = {name: field.shape for name, field in outputs.items()}
    return mapping_of(shapes | {name: _RECORD[name] for name in REGISTERED_NAMES})


def loop_record_shape(record: Shape) -> Shape:
    """Return the shape of what ``register`` keeps of a loop: a record for each item, with the item's key."""
    if record.fields is None:
        return list_of(ANY)
    shapes = {name: field.shape for name, field in record.fields.items()}
    return list_of(mapping_of(shapes | {"item": STR}))
