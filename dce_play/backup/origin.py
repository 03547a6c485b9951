"""The container that a backup came from, for the tools that check it and that this machine lacks."""

import shutil

from dce_play.backup.manifest import Manifest
from dce_play.backup.protocols import Container, Services

_PROGRAMS = ("podman", "docker")


def origin_container(manifest: Manifest, services: Services) -> Container | None:
    """Return the container by its name alone; ``None`` for a backup from elsewhere, or without a container engine.

    Whether it still is there shows when a program is run in it.
    """
    facts = manifest.source.container
    named = services.environment.get("DCE_DOCKER_BIN")
    programs = [named] if named else [program for program in _PROGRAMS if program in manifest.command[:1]]
    if facts is None or not programs or shutil.which(programs[0], path=services.environment.get("PATH")) is None:
        return None
    return Container(
        program=(programs[0],),
        id="",
        name=facts.name,
        image=facts.image,
        image_digest=facts.image_digest,
        running=True,
        paused=False,
        healthy="",
        mounts=(),
        labels={},
    )


def origin_folder(manifest: Manifest) -> str:
    """Return the folder inside that container of the program that wrote the backup; empty where PATH found it."""
    facts = manifest.source.container
    if facts is None or facts.name not in manifest.command[:-1]:
        return ""
    return manifest.command[manifest.command.index(facts.name) + 1].rpartition("/")[0]
