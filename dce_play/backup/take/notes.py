"""Whether anybody has written down how a module is restored."""

import re

from dce_play.backup.definitions.model import Module

_HEADING = re.compile(r"^#+\s.*\brestore", re.MULTILINE | re.IGNORECASE)
NONE = "none"


def missing_restore_notes(module: Module) -> str:
    """Return what keeps the module from having notes for its restore; empty where it has them.

    They are the file that the definition names, or a runbook with a heading with ``restore``. ``restore_notes: none``
    says that none are wanted, which is an answer too.
    """
    named = module.keys.restore_notes
    if named == NONE:
        return ""
    if named:
        place = module.folder / named
        return "" if place.is_file() else f"no restore notes: {place} is not there"
    text = module.runbook.read_text(encoding="utf-8", errors="replace") if module.runbook is not None else ""
    return "" if _HEADING.search(text) else "no restore notes"
