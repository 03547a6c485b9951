"""The targets file beside the playbooks, for lint: which names it has."""

import hashlib
from functools import cache
from pathlib import Path

from dce_play.cli.app.targets_file import load_targets_file
from dce_play.errors import DcePlayError
from dce_play.playbook.lint.target_names import TargetsBeside


@cache
def targets_beside(path: Path | None) -> TargetsBeside | None:
    """Return the targets that a run would know; ``None`` without a sound targets file, whose mistakes lint tells."""
    if path is None:
        return None
    try:
        targets = load_targets_file(path)
    except DcePlayError:
        return None
    # What lint remembers is of the file's bytes; the parser's own digest is of its text.
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return TargetsBeside(path=path, sha256=digest, names=tuple(each.name for each in targets.targets))
