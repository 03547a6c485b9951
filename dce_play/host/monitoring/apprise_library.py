"""Mail, chat and the rest, through the library Apprise: the extra ``dce-play[notify]``."""

import logging
from collections.abc import Sequence

from dce_play.host.monitoring.config import State
from dce_play.host.monitoring.note import Note, NotTaken
from dce_play.system.counted import counted

_TYPES = {State.START: "info", State.FINISH: "success", State.FAIL: "failure"}


def notify(note: Note, addresses: Sequence[str]) -> None:
    """Send the note to every address.

    Raises: NotTaken, also when only one of several did not take it.
    """
    try:
        import apprise  # an extra
    except ImportError as error:
        raise NotTaken("the package apprise is not installed: pip install 'dce-play[notify]'") from error
    log = logging.getLogger("apprise")  # its warnings would go to standard error, addresses among them
    log.addHandler(logging.NullHandler())
    log.propagate = False
    refused = 0
    for number, address in enumerate(addresses, start=1):
        sender = apprise.Apprise()
        if not sender.add(address.strip()):
            raise NotTaken(f"address {number} is no URL that Apprise knows")
        told = sender.notify(
            title=note.title,
            body=note.text or note.title,
            notify_type=_TYPES[note.state],
            body_format="text",
        )
        refused += not told
    if refused:
        raise NotTaken(f"{refused} of {counted(len(addresses), 'address')} did not take it")
