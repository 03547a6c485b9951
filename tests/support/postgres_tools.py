"""A folder of PostgreSQL programs in which some are replaced by scripts that fail in a chosen way."""

import shutil
from pathlib import Path

from tests.support.postgres_server import programs


def tools_with(folder: Path, **scripts: str) -> Path:
    """Make a folder in which every program is the real one, but for those given as lines of shell.

    In a script ``$REAL`` is the program that it replaces; ``--version`` is always answered by that.
    """
    folder.mkdir(parents=True)
    for name in ("psql", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready"):
        real = programs() / name
        if name not in scripts:
            (folder / name).symlink_to(real)
            continue
        script = folder / name
        head = f"#!/bin/sh\nREAL={real}\n"
        if "--version" not in scripts[name]:
            head += '[ "$1" = --version ] && exec "$REAL" --version\n'
        script.write_text(head + scripts[name] + "\n", encoding="utf-8")
        script.chmod(0o755)
    assert shutil.which("sh")
    return folder
