"""The ids of a channel's messages, made from their index: ordered, searchable, and never stored."""

import bisect

from dce_play.snowflake import MessageId

_MIX = 2_654_435_761  # Knuth's multiplicative hash: neighbours land far apart


class Timeline:
    """A channel's messages by index, oldest first. ``count`` only grows; deleted messages keep their index.

    With ``starter`` the first message has the channel's own id, as the first message of a forum's thread has.
    """

    def __init__(self, *, start_id: int, interval_ms: int, salt: int, count: int, starter: bool = False) -> None:
        self.count = count
        self._starter = start_id if starter else None
        self._start_ms = start_id >> 22
        self._interval_ms = interval_ms
        self._salt = salt ^ (start_id & 0xFFFF_FFFF)
        self._deleted: frozenset[int] = frozenset()
        self._edits: dict[int, int] = {}

    def id_at(self, index: int) -> MessageId:
        """Return the id of the message at this index."""
        return MessageId(str(self._number(index)))

    def index_of(self, message_id: str) -> int | None:
        """Return the index of this message, or ``None`` when the channel has none such."""
        index = self.first_after(int(message_id) - 1)
        found = index < self.count and self._number(index) == int(message_id) and index not in self._deleted
        return index if found else None

    def first_after(self, number: int) -> int:
        """Return the index of the first message whose id is above the number; ``count`` when there is none."""
        return bisect.bisect_right(range(self.count), number, key=self._number)

    def above(self, number: int, limit: int) -> list[int]:
        """Return up to ``limit`` indexes of the oldest messages above the id, oldest first."""
        return self._walk(range(self.first_after(number), self.count), limit)

    def below(self, number: int, limit: int) -> list[int]:
        """Return up to ``limit`` indexes of the newest messages below the id, newest first."""
        return self._walk(range(self.first_after(number - 1) - 1, -1, -1), limit)

    def newest(self, limit: int) -> list[int]:
        """Return up to ``limit`` indexes of the newest messages, newest first."""
        return self._walk(range(self.count - 1, -1, -1), limit)

    def edits_of(self, index: int) -> int:
        """Return how often this message was edited."""
        return self._edits.get(index, 0)

    def edit(self, message_id: str) -> None:
        """Edit a message once more."""
        index = self._present(message_id)
        self._edits[index] = self.edits_of(index) + 1

    def delete(self, message_id: str) -> None:
        """Delete a message."""
        self._deleted |= {self._present(message_id)}

    def _walk(self, indexes: range, limit: int) -> list[int]:
        found: list[int] = []
        for index in indexes:
            if len(found) == limit:
                break
            if index not in self._deleted:
                found.append(index)
        return found

    def _present(self, message_id: str) -> int:
        index = self.index_of(message_id)
        if index is None:
            raise KeyError(message_id)
        return index

    def _number(self, index: int) -> int:
        if index == 0 and self._starter is not None:
            return self._starter
        jitter = ((index + 1) * _MIX ^ self._salt) % self._interval_ms
        return (self._start_ms + 1 + index * self._interval_ms + jitter) << 22 | (index & 0xFFF)
