"""SIGKILL of ``prune --apply`` before each of its changes: what is left misleads nobody, and the next one ends it."""

import json
import shutil

import pytest

from tests.support.backups import Yard, yard_in

pytestmark = pytest.mark.strace

PRUNE = ("prune", "kuma", "--keep-last", "1", "--apply", "--yes", "--format", "json")
SUFFIX = ".manifest.json"


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """Give a yard with three backups, of which a prune removes two."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    folder = tmp_path_factory.mktemp("pruned")
    found = yard_in(folder)
    for _ in range(3):
        found.take()
    found.root.rename(folder / "three")
    return found


def fresh(yard: Yard) -> None:
    """Put the three backups into backup_root again."""
    shutil.rmtree(yard.root, ignore_errors=True)
    shutil.copytree(yard.data.parent / "three", yard.root, copy_function=shutil.copy2)


def killed_before(yard: Yard, call: str, number: int) -> bool:
    """Prune a fresh copy of the three; return whether it came to this call, and was killed there."""
    fresh(yard)
    inject = f"-einject={call}:signal=SIGKILL:when={number}"
    said = yard.under("strace", "-qq", "-o", "/dev/null", f"-etrace={call}", inject, words=PRUNE)
    assert said.code == 0 or not said.out, said
    return said.code != 0


def data_and_manifests(yard: Yard) -> tuple[set[str], set[str]]:
    names = [name for name in yard.names() if not name.startswith(".")]
    manifests = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
    return {name for name in names if not name.endswith(SUFFIX)}, manifests


@pytest.mark.contract("B6", "N10", "N11")
@pytest.mark.parametrize(
    "call", ["unlink", *(pytest.param(name, marks=pytest.mark.soak) for name in ("rename", "fsync"))]
)
def test_a_prune_that_is_killed_leaves_whole_backups_and_leftovers_that_the_next_one_takes(
    yard: Yard, call: str
) -> None:
    fresh(yard)
    newest = max(data_and_manifests(yard)[0])
    deaths = 0
    while killed_before(yard, call, deaths + 1):
        deaths += 1
        data, manifests = data_and_manifests(yard)
        half = {name[1:].removesuffix(".part") for name in yard.names() if name.endswith(".part")}
        assert newest in data
        assert data <= manifests, "data that nobody knows"
        assert manifests <= data | half, "a manifest that tells of nothing"
        said = yard.run(*PRUNE)
        assert said.code == 0, said
        assert yard.names() == [newest, newest + SUFFIX]
    assert deaths >= {"rename": 2, "unlink": 4, "fsync": 2}[call]
    assert json.loads(said.out)["applied"]
    assert yard.ask("list")[1]["leftovers"] == []


@pytest.mark.contract("B6")
def test_a_prune_with_nothing_to_remove_takes_what_a_killed_one_left(yard: Yard) -> None:
    assert killed_before(yard, "rename", 2)
    half = [name for name in yard.names() if name.endswith(".part")]
    assert len(half) == 1
    said = yard.run("prune", "kuma", "--keep-last", "3", "--apply", "--yes")
    assert said.code == 0, said
    assert f"removed what a killed run left: {yard.root / half[0]}" in said.err
    found = yard.ask("list")[1]
    assert (len(found["backups"]), found["leftovers"]) == (2, [])
