"""``dce-play worker``: take the items of a host from a Dask cluster, until told to end."""

import importlib
import os
from pathlib import Path

import click

from dce_play.cli.app.working_folder import working_folder
from dce_play.cli.fan_out.address import ClusterAddress, need_dask
from dce_play.cli.fan_out.item_program import item_program
from dce_play.layout import runs_folder
from dce_play.runner.fan_out.cluster_checks import reach


@click.command("worker")
@click.option("--cluster", required=True, type=ClusterAddress(), help="The scheduler: tcp://HOST:PORT or tls://…")
@click.option("--host", required=True, metavar="NAME", help="The name by which targets and modules ask for this host.")
@click.option("--slots", type=click.IntRange(min=1), default=1, show_default=True, help="Items at a time.")
@click.option("--plugins", is_flag=True, help="Run the step plugins of this folder's steps too.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where run folders go.  [env: DCE_PLAY_STATE_DIR]")
def command(cluster: str, host: str, slots: int, state_dir: Path | None, *, plugins: bool) -> int:
    """Run items of loops with fan_out that runs elsewhere give out, one at a time.

    It stays in the foreground; SIGTERM ends it. Workers of one host share one state folder. Items at work when it
    ends go to their end all the same.

    Example: dce-play worker --cluster tcp://10.0.0.1:8786 --host lab1

    Exit 0: told to end. Exit 1: the scheduler went away. Exit 4: no scheduler answers there.
    """
    need_dask()
    reach(cluster)
    folder = working_folder()
    program = item_program(
        {}, dict(os.environ), runs=runs_folder(state_dir, os.environ), plugins=folder if plugins else None
    )
    # By name, as Dask takes a second to import.
    serve = importlib.import_module("dce_play.cli.fan_out.worker_loop").serve_cluster
    code: int = serve(cluster, host, slots, program)
    return code
