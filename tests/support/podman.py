"""A podman of the tests' own: its storage in a folder of theirs, nothing pulled, an image of busybox.

Programs of this machine run in it by their own libraries: ``/usr`` and ``/lib`` are mounted, read-only.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE_S = 60.0
IMAGE = "localhost/dce-busybox:latest"
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
"""
_PARTS = ("podman", "runc", "busybox")
PROGRAMS = ("/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro", "/etc/passwd:/etc/passwd:ro")


@dataclass(frozen=True, kw_only=True)
class Podman:
    """A container engine. Programs find it by ``environment``."""

    environment: Mapping[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """Return what a program needs besides PATH and HOME to find the engine."""
        return {name: value for name, value in self.environment.items() if name.startswith("CONTAINERS_")}

    def run(self, *words: str, check: bool = True) -> str:
        """Run one command; return what it prints."""
        done = subprocess.run(
            ["podman", *words], env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def state(self, name: str) -> str:
        """Return ``running``, ``paused``, ``exited``, … or nothing for a container that is not there."""
        return self.run("inspect", "--format", "{{.State.Status}}", name, check=False)

    @contextmanager
    def container(self, name: str, *argv: str, options: tuple[str, ...] = ()) -> Iterator[str]:
        """Run a container while the block runs."""
        mounts = [word for mount in PROGRAMS for word in ("-v", mount)]
        self.run("run", "-d", "--name", name, *mounts, *options, IMAGE, *argv)
        try:
            yield name
        finally:
            self.run("rm", "--force", "--time", "0", name)


def missing_parts() -> list[str]:
    """Return what containers need and this machine lacks."""
    missing = [part for part in _PARTS if shutil.which(part) is None]
    return missing if os.geteuid() == 0 else [*missing, "uid 0"]


@contextmanager
def own_podman(folder: Path) -> Iterator[Podman]:
    """Give a container engine that keeps everything in a folder, with a shell as its image; skip without one."""
    with empty_podman(folder) as podman:
        archive = image(folder, ("usr", "lib", "lib64", "data"), ("sh",))
        podman.run("import", str(archive), IMAGE)
        yield podman


@contextmanager
def empty_podman(folder: Path) -> Iterator[Podman]:
    """Give a container engine that keeps everything in a folder, and has no image yet; skip without one."""
    if missing := missing_parts():
        text = f"no containers without {', '.join(missing)}: apt-get install podman runc busybox-static"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    (folder / "containers.conf").write_text(_CONTAINERS_CONF)
    storage = f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
    (folder / "storage.conf").write_text(storage)
    found = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    podman = Podman(environment=found)
    try:
        yield podman
    finally:
        podman.run("rm", "--all", "--force", "--time", "0")
        podman.run("rmi", "--all", "--force")


def image(
    folder: Path, folders: Iterable[str], applets: Iterable[str], files: Mapping[str, Path] | None = None
) -> Path:
    """Return a new archive of an image: busybox with these applets, empty folders, and files by their place in it."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    archive = folder / "image.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(busybox, "bin/busybox")
        for place, path in (files or {}).items():
            tar.add(path, place)
        for name in ("tmp", "run", "etc", *folders):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(entry)
        for applet in applets:
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return archive
