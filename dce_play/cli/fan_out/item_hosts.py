"""Which host an item of a loop names: itself, or by being the name of a target or of a backup module."""

from collections.abc import Iterator, Mapping, Sequence

from dce_play.errors import DcePlayError
from dce_play.playbook.document.document import load_document
from dce_play.playbook.evaluate.binding import evaluate
from dce_play.playbook.evaluate.reach import fanned_items
from dce_play.playbook.plan.plan import Plan, PlannedNode, PlannedStep, walk
from dce_play.runner.scope import first_names
from dce_play.runner.settings import RunSettings

_OF_BACKUPS = "backup."
_PLACES = ("modules", "classes")


class ItemHosts:
    """Looks names up for one run. A name of both is the target's."""

    def __init__(self, plan: Plan, settings: RunSettings) -> None:
        """Read the definitions of modules that loops with ``fan_out`` are about.

        Raises: InvalidDocument, UsageError, BackupError, when they cannot be read.
        """
        names = first_names(settings)
        self._loops = list(fanned_items(plan, names))
        chosen = set(settings.selection.targets)
        targets = settings.targets.targets if settings.targets is not None else ()
        self._targets = {target.name: target.host or "" for target in targets if target.name in chosen}
        self._over_targets = "targets" in plan.names
        self._modules: dict[str, str] = {}
        for place in {_definitions_of(step, names) for loop, _ in self._loops for step in _of_backups(loop)}:
            self._modules |= _module_hosts(settings, *place)

    def of(self, item: object) -> str:
        """Return the host; empty for any."""
        match item:
            case {"host": str(host)} if host:
                return host
            case str(name) | {"module": str(name)}:
                return self._targets.get(name, self._modules.get(name, ""))
            case _:
                return ""

    def needed(self) -> Mapping[str, Sequence[str]]:
        """Return the names of the run's targets, and of the modules that it is known to be about, by their host."""
        named = dict(self._targets) if self._over_targets else {}
        for _, items in self._loops:
            for name in map(_name, items):
                named.setdefault(name, self.of(name))
        found: dict[str, list[str]] = {}
        for name, host in named.items():
            if host:
                found.setdefault(host, []).append(name)
        return found


def _name(item: object) -> str:
    match item:
        case str(name) | {"module": str(name)}:
            return name
        case _:
            return ""


def _of_backups(loop: PlannedNode) -> Iterator[PlannedStep]:
    for node in walk((loop,)):
        if isinstance(node, PlannedStep) and node.step.startswith(_OF_BACKUPS):
            yield node


def _definitions_of(step: PlannedStep, names: Mapping[str, object]) -> tuple[str, str]:
    """Return where a step has its definitions and classes from, as far as that is known; empty: where all have them."""
    found = []
    for name in _PLACES:
        try:
            value = evaluate(step.params[name], names) if name in step.params else ""
        except DcePlayError:
            value = ""
        found.append(value if isinstance(value, str) else "")
    return found[0], found[1]


def _module_hosts(settings: RunSettings, modules: str, classes: str) -> Mapping[str, str]:
    from dce_play.backup.desk import Desk, places_of  # only for the playbooks that need it

    desk = Desk(places_of(settings.folder, modules, "", classes), settings.environment, settings.clock, load_document)
    return {module.name: module.keys.host for module in desk.definitions.modules if module.keys.host}
