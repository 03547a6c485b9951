"""What drills of several engines share: the folder they work in, and what differs from what was expected."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dce_play.backup.facts import Difference
from dce_play.backup.protocols import DrillOptions, Services
from dce_play.source import JsonValue

_PREFIX = "dce-drill-"


@contextmanager
def drill_folder(services: Services, options: DrillOptions) -> Iterator[Path]:
    """Give a new folder that is gone afterwards; with ``keep`` it stays, unless the drill could not be made."""
    if not options.keep:
        with services.temporary_folder(_PREFIX, below=options.folder) as folder:
            yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=options.folder))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def differences(expected: Mapping[str, JsonValue], restored: Mapping[str, JsonValue]) -> tuple[Difference, ...]:
    """Return what was expected and is not the same, or not there, in what was restored."""
    return tuple(
        Difference(what=key, expected=value, restored=restored.get(key))
        for key, value in expected.items()
        if restored.get(key) != value
    )
