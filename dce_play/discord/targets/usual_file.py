"""Where the targets file lies: found without what reads one, which takes longer to import than most commands."""

from collections.abc import Mapping
from pathlib import Path

_NAMES = ("scrape-targets.yml", "scrape-targets.json", "config/scrape-targets.yml", "config/scrape-targets.json")


def usual_targets_file(folder: Path, /) -> Path | None:
    """Return the first of the usual names that is there."""
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)


def find_targets_file(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """Return the targets file: ``--config``, else ``DCE_CONFIG_FILE``, else the first usual name in the folder."""
    if named is not None:
        return folder / named
    if environment.get("DCE_CONFIG_FILE"):
        return folder / environment["DCE_CONFIG_FILE"]
    return usual_targets_file(folder)
