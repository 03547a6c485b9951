"""Where the items of loops with ``fan_out`` run, by the options of the run."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from dce_play import __version__
from dce_play.cli.fan_out.address import need_dask
from dce_play.cli.fan_out.brief import make_brief
from dce_play.cli.fan_out.item_program import item_program
from dce_play.cli.fan_out.item_report import leave_item_report
from dce_play.events import Mode
from dce_play.playbook.plan.plan import Plan, walk
from dce_play.runner.fan_out.cluster_checks import check_hosts, check_same, reach
from dce_play.runner.fan_out.executor import FanOut
from dce_play.runner.fan_out.jobs import Jobs
from dce_play.runner.in_turn import InTurn
from dce_play.runner.settings import RunSettings


@contextmanager
def fan_out_of(
    plan: Plan, settings: RunSettings, /, *, jobs: int | None, cluster: str | None, plugins: bool
) -> Iterator[FanOut | None]:
    """Give how the run spreads items, while it runs; ``None`` where it has none, only looks, or asks at every step.

    Raises: ClusterUnusable, before anything has run; NoDask; UsageError, when a file that goes along changed meanwhile.
    """
    spreads = any(node.keywords.fan_out for node in walk(plan.preflight + plan.steps))
    if settings.mode is Mode.DRY_RUN or settings.step_by_step or not spreads:
        yield None
    elif cluster is not None:
        with _on_cluster(plan, settings, cluster, plugins=plugins) as place:
            yield place
    elif jobs is not None:
        brief = make_brief(plan, settings, plugins=plugins)
        runs, said = settings.run_folder.parent, settings.run_folder / "scratch"
        yield Jobs(jobs, item_program(brief, settings.environment, runs=runs, said=said))
    else:
        yield InTurn(plan, settings, leave_item_report)


@contextmanager
def _on_cluster(plan: Plan, settings: RunSettings, address: str, *, plugins: bool) -> Iterator[FanOut]:
    need_dask()
    reach(address)
    # By name, as Dask takes a second to import.
    module = importlib.import_module("dce_play.runner.fan_out.cluster")
    client = module.connect(address)
    hosts = _Hosts(settings)
    place = module.Cluster(client=client, brief=make_brief(plan, settings, plugins=plugins), host=hosts.of)
    try:
        digest = str(place.brief["plugins_digest"])
        workers = module.workers_of(client)
        check_hosts(workers, hosts.needed() if "targets" in plan.names else {}, address)
        check_same(workers, __version__, digest)
        yield place
    finally:
        place.close()


class _Hosts:
    """Which host an item names: itself, or by being the name of a target."""

    def __init__(self, settings: RunSettings) -> None:
        chosen = set(settings.selection.targets)
        targets = settings.targets.targets if settings.targets is not None else ()
        self._by_name = {target.name: target.host or "" for target in targets if target.name in chosen}

    def of(self, item: object) -> str:
        """Return the host; empty for any."""
        match item:
            case {"host": str(host)}:
                return host
            case str():
                return self._by_name.get(item, "")
            case _:
                return ""

    def needed(self) -> Mapping[str, Sequence[str]]:
        """Return the names of the run's targets by their host."""
        found: dict[str, list[str]] = {}
        for name, host in self._by_name.items():
            if host:
                found.setdefault(host, []).append(name)
        return found
