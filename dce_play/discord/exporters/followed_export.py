"""An export in DCE's own layout, read while another program writes it: each byte once, in little memory."""

import re
from pathlib import Path

from dce_play.snowflake import MessageId

_CHUNK_BYTES = 1 << 20
_CARRIED_BYTES = 256
"""Kept of what has come, for a match that goes on in what comes; each is shorter."""
_MARK = re.compile(rb'\n    \{\n      "id": "([0-9]{1,20})"|\n      "timestamp": "([^"\n]{1,64})"')
_END = re.compile(rb'\],\n  "messageCount": ([0-9]+)\n\}\n?\Z')


class FollowedExport:
    """How far an export file has got. Call ``read_on`` for news.

    No string in the file contains a raw line break, so a message's first lines cannot be mistaken.
    """

    def __init__(self, path: Path, /) -> None:
        self.path = path
        self._begin()

    def _begin(self) -> None:
        self.message_count = 0
        self.last_id: MessageId | None = None
        self.last_timestamp = ""
        self._offset = 0
        self._carry = b""
        self._end = b""

    def read_on(self) -> bool:
        """Read what was written since the last call and return whether there was anything."""
        before = self._offset
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    self._begin()
                file.seek(self._offset)
                while chunk := file.read(_CHUNK_BYTES):
                    self._take(chunk)
        except FileNotFoundError:
            return False
        return self._offset != before

    @property
    def is_whole(self) -> bool:
        """Whether the file ends as a finished export does, with the number of messages that it holds."""
        end = _END.search(self._end)
        return end is not None and int(end[1]) == self.message_count

    def _take(self, chunk: bytes) -> None:
        self._offset += len(chunk)
        self._end = (self._end + chunk)[-_CARRIED_BYTES:]
        text = self._carry + chunk
        done = 0
        for match in _MARK.finditer(text):
            done = match.end()
            if match[1] is not None:
                self.message_count += 1
                self.last_id = MessageId(match[1].decode())
            else:
                self.last_timestamp = match[2].decode(errors="replace")
        self._carry = text[max(done, len(text) - _CARRIED_BYTES) :]
