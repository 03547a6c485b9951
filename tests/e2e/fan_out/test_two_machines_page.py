"""docs/how-to/two-machines.md: its files and commands, as they stand there, with both machines on this one."""

import re
import shlex
from pathlib import Path

import pytest
import trustme

from benchmarks.generate import write_export
from tests.support.command_line import Terminal, terminal_in
from tests.support.dask_cluster import dask_cluster
from tests.support.pages import PAGES, commands, run_command
from tests.support.reports import item_runs, whole_runs

pytest.importorskip("distributed")
PAGE = "two-machines.md"
TEXT = (PAGES / PAGE).read_text(encoding="utf-8")


def project(tmp_path: Path) -> Terminal:
    terminal = terminal_in(tmp_path)
    for kind, name in (("json targets", "scrape-targets.json"), ("yaml playbook", "look.yml")):
        found = re.search(rf"^```{kind}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
        assert found is not None
        terminal.write(name, found[1].replace("/srv/archives", str(terminal.folder / "archives")))
    for target in ("north", "south"):
        folder = terminal.folder / "archives" / target
        folder.mkdir(parents=True)
        write_export(folder / "channel.json", range(50))
    return terminal


def test_every_command_does_what_the_page_says(tmp_path: Path) -> None:
    terminal = project(tmp_path)
    (tmp_path / "cluster").mkdir()
    ran = []
    with dask_cluster(tmp_path / "cluster") as cluster:
        for line in commands(PAGE):
            command = line.replace("tcp://10.0.0.1:8786", cluster.address)
            words = shlex.split(command)
            if words[0] == "dask":
                continue  # dask_cluster has started the same program
            if words[1] == "worker":
                cluster.start_worker_with(terminal.argv(*words[1:]), terminal)
            else:
                ran.append(run_command(command, terminal, {}))
    assert len(ran) == 4
    jobs, fanned = whole_runs(terminal.folder / "state")
    assert len(item_runs(jobs)) == len(item_runs(fanned)) == 2
    assert "look" in ran[-1]


@pytest.mark.contract("T3")
def test_tls_is_dasks(tmp_path: Path) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own.private_key_pem.write_to_path(tmp_path / "own.key")
    own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    settings = dict(re.findall(r"(DASK_\w+)=(\S+)", TEXT))
    assert len(settings) == 7
    variables = {name: str(tmp_path / value) for name, value in settings.items()}
    terminal = Terminal(folder=project(tmp_path).folder, variables=variables)
    (tmp_path / "cluster").mkdir()
    with dask_cluster(tmp_path / "cluster", variables=variables) as cluster:
        assert cluster.address.startswith("tls://")
        cluster.start_worker(terminal, "lab1")
        cluster.start_worker(terminal, "lab2")
        done = terminal.run("run", "look", "--cluster", cluster.address)
        assert done.code == 0, done.out + done.err
        plain = terminal.run("run", "look", "--cluster", cluster.address.replace("tls", "tcp"))
        assert plain.code == 4, plain.out + plain.err
