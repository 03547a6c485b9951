"""What a lock is called towards people: each system words its own, the lock itself knows none."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LockWords:
    """The words around one kind of lock."""

    name: str = "lock"
    """As in "reclaiming lock; previous holder …"."""
    busy: str = "Another run holds the lock"
    """How the message to a second run begins."""
    gate: str = ""
    """A line of its own that scripts look for; empty for none."""
    activity: str = "active run"
    """As in "held (active run)"."""
    wait: str = ""
    """The option that waits, with a value; empty where nothing waits."""
    look: str = ""
    """The command that shows the lock, with ``{folder}`` for the quoted folder of the lock file."""
    force: str = ""
    """How a note that may be alive is removed by who knows better."""
    elsewhere: str = "put the lock file on a local disk"
    """What to do where the lock's file system will not do."""


PLAIN = LockWords()
"""For locks that are only ever seen by their own system."""
