"""Where the items of loops with ``fan_out`` run, by the options of the run.

Each place is imported when it is chosen: most runs have none, and a run of one step would wait for all.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from dce_play import __version__
from dce_play.events import Mode
from dce_play.playbook.plan.plan import Plan, walk
from dce_play.runner.fan_out.executor import FanOut
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
        from dce_play.cli.fan_out.brief import make_brief
        from dce_play.cli.fan_out.item_program import item_program
        from dce_play.runner.fan_out.jobs import Jobs

        brief = make_brief(plan, settings, plugins=plugins)
        runs, said = settings.run_folder.parent, settings.run_folder / "scratch"
        yield Jobs(jobs, item_program(brief, settings.environment, runs=runs, said=said))
    else:
        from dce_play.cli.fan_out.item_report import leave_item_report
        from dce_play.runner.in_turn import InTurn

        yield InTurn(plan, settings, leave_item_report)


@contextmanager
def _on_cluster(plan: Plan, settings: RunSettings, address: str, *, plugins: bool) -> Iterator[FanOut]:
    from dce_play.cli.fan_out.address import need_dask
    from dce_play.cli.fan_out.brief import make_brief
    from dce_play.cli.fan_out.item_hosts import ItemHosts
    from dce_play.runner.fan_out.cluster_checks import check_hosts, check_same, reach

    need_dask()
    hosts = ItemHosts(plan, settings)
    reach(address)
    # By name, as Dask takes a second to import.
    module = importlib.import_module("dce_play.runner.fan_out.cluster")
    client = module.connect(address)
    place = module.Cluster(client=client, brief=make_brief(plan, settings, plugins=plugins), host=hosts.of)
    try:
        digest = str(place.brief["plugins_digest"])
        workers = module.workers_of(client)
        check_hosts(workers, hosts.needed(), address)
        check_same(workers, __version__, digest)
        yield place
    finally:
        place.close()
