"""Whether anybody has written down how a module is restored."""

import re

from dce_play.backup.definitions.model import Module

_HEADING = re.compile(r"^#+\s.*\brestore", re.MULTILINE | re.IGNORECASE)
NONE = "none"


def has_restore_notes(module: Module) -> bool:
    """Return whether the notes that the definition names exist, or its runbook has a heading with ``restore``.

    ``restore_notes: none`` says that none are wanted, which is an answer too.
    """
    named = module.keys.restore_notes
    if named == NONE:
        return True
    if named:
        return (module.folder / named).is_file()
    if module.runbook is None:
        return False
    return _HEADING.search(module.runbook.read_text(encoding="utf-8", errors="replace")) is not None
