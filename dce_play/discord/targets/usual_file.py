"""Where a targets file lies when nobody names one."""

from pathlib import Path

_NAMES = ("scrape-targets.yml", "scrape-targets.json", "config/scrape-targets.yml", "config/scrape-targets.json")


def usual_targets_file(folder: Path, /) -> Path | None:
    """Return the first of the usual names that is there."""
    return next((folder / name for name in _NAMES if (folder / name).is_file()), None)
