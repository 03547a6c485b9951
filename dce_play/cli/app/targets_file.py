"""Where the targets file is, and what it says."""

from collections.abc import Mapping
from pathlib import Path

from dce_play.discord.targets.model import TargetsFile
from dce_play.discord.targets.parse import parse_targets
from dce_play.discord.targets.usual_file import usual_targets_file
from dce_play.playbook.document.document import load_document


def find_targets_file(named: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """Return the targets file: ``--config``, else ``DCE_CONFIG_FILE``, else the first usual name in the folder."""
    if named is not None:
        return folder / named
    if environment.get("DCE_CONFIG_FILE"):
        return folder / environment["DCE_CONFIG_FILE"]
    return usual_targets_file(folder)


def load_targets_file(path: Path) -> TargetsFile:
    """Return the targets file, checked.

    Raises: InvalidDocument; UsageError, when it cannot be read.
    """
    return parse_targets(load_document(path))
