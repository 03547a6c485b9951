"""What the targets file says."""

from pathlib import Path

from dce_play.discord.targets.model import TargetsFile
from dce_play.discord.targets.parse import parse_targets
from dce_play.playbook.document.document import load_document


def load_targets_file(path: Path) -> TargetsFile:
    """Return the targets file, checked.

    Raises: InvalidDocument; UsageError, when it cannot be read.
    """
    return parse_targets(load_document(path))
