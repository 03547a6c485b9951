"""Guesses where messages end: bounded, and never what decides."""

import json
from pathlib import Path

import pytest

from dce_play.discord.archive.scan.boundaries import OpeningBoundaries, guess_boundaries
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.head import read_head
from dce_play.discord.archive.scan.scanner import scan
from tests.support.bounds import at_most
from tests.support.channel_files import channel_bytes, message

TRIES = at_most("discord.archive.scan.boundaries:_MAX_TRIES")


def in_one_line(inner: int) -> bytes:
    """Return a channel file in one line; so many parts of its last message begin as a message does."""
    whole = json.loads(channel_bytes([1, 2, 3]))
    whole["messages"][2]["embeds"] = [{"id": str(number)} for number in range(inner)]
    return json.dumps(whole, separators=(",", ":")).encode()


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_places_are_tried_as_a_messages_end_and_no_message_is_lost_to_that(tmp_path: Path, beyond: int) -> None:
    path = tmp_path / "channel.json"
    data = in_one_line(TRIES - 2 + beyond)  # and the author, and the place itself
    path.write_bytes(data)
    with open_bytes(path) as source:
        boundaries = guess_boundaries(source, read_head(path).start)
    assert isinstance(boundaries, OpeningBoundaries)
    comma = boundaries.last_comma(bytearray(data), len(data))
    assert comma == (-1 if beyond else data.index(json.dumps(message(3), separators=(",", ":"))[:20].encode()) - 1)
    assert [identifier for block in scan(path) for identifier in block.ids] == ["1", "2", "3"]
