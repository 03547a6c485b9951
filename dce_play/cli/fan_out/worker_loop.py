"""A worker of Dask that takes items, in this process, until a signal or the loss of its scheduler. Imports Dask."""

import asyncio
import logging
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import dask
from distributed import Worker

from dce_play import __version__
from dce_play.errors import ExitCode
from dce_play.runner.fan_out.cluster import CONNECT_S, PLACE, host_resource
from dce_play.runner.fan_out.cluster_checks import START_SCHEDULER, ClusterUnusable
from dce_play.runner.fan_out.cluster_host import SPACE, ClusterHost, serve
from dce_play.runner.fan_out.item_places import ItemProgram
from dce_play.runner.fan_out.plugins_digest import plugins_digest

_CLOSE_S = 2.0
_QUIET = {
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.disk": False,
}
"""A worker of ours holds no data, and waits for processes: Dask need neither bound its memory nor watch it at work."""


def serve_cluster(address: str, host: str, slots: int, program: ItemProgram, /) -> int:
    """Take items until told to end; return the exit code.

    Raises: ClusterUnusable, when no scheduler answers.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    program.runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dce-play-worker-") as folder:
        own = ClusterHost(replace(program, said=Path(folder)))
        serve(own)
        own.spare.fill()
        return asyncio.run(_serve(address, host, slots, own, Path(folder)))


async def _serve(address: str, host: str, slots: int, own: ClusterHost, folder: Path) -> int:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    plugins = own.program.plugins
    digest = plugins_digest(plugins) if plugins is not None else ""
    facts = {"host": host, "version": __version__, "plugins": digest, "home": own.identity}

    async def tell(_worker: Any) -> dict[str, str]:
        return facts

    dask.config.set(_QUIET)
    make: Any = Worker
    worker = make(
        address,
        nthreads=slots,
        resources={PLACE: float(slots), host_resource(host): float(slots)},
        startup_information={SPACE: tell},
        local_directory=str(folder),
        memory_limit=0,
        death_timeout=CONNECT_S,
    )
    try:
        await worker
    except (OSError, TimeoutError, RuntimeError) as error:
        raise ClusterUnusable(f"no scheduler answers at {address}", hint=START_SCHEDULER) from error
    click.echo(f"worker for {host} at {worker.address}, {slots} at a time, for the scheduler at {address}")
    sys.stdout.flush()
    gone = asyncio.create_task(worker.finished())
    asked = asyncio.create_task(told.wait())
    await asyncio.wait({gone, asked}, return_when=asyncio.FIRST_COMPLETED)
    if asked.done():
        with suppress(Exception):
            await asyncio.wait_for(worker.close(timeout=_CLOSE_S, executor_wait=False), _CLOSE_S)
        return ExitCode.OK
    click.echo(f"error: the scheduler at {address} is lost; what is at work goes to its end", err=True)
    return ExitCode.FAILED
