import json
from pathlib import Path

import pytest

from benchmarks.generate import message_id, write_export
from dce_play.discord.archive.records.lookup import find_messages
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.spans import read_head
from dce_play.discord.archive.scan.tail import read_tail
from dce_play.system.durable.disk import Disk
from tests.support.channel_files import channel_bytes, message


class CountingDisk(Disk):
    def __init__(self) -> None:
        self.read_bytes = 0

    def read_at(self, descriptor: int, size_bytes: int, offset: int) -> bytes:
        data = super().read_at(descriptor, size_bytes, offset)
        self.read_bytes += len(data)
        return data


def find(channel: ChannelBytes, wanted: set[int], *, ordered: bool) -> dict[int, int]:
    start, cut = read_head(channel).start, read_tail(channel).cut
    found = find_messages(channel, start, cut, wanted=wanted, ordered=ordered)
    for identifier, (first, last) in found.items():
        assert json.loads(channel.read_at(last - first, first))["id"] == str(identifier)
    return {identifier: first for identifier, (first, _) in found.items()}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tmp_path_factory.mktemp("lookup") / "large.json", range(4000))


@pytest.mark.parametrize("index", [0, 1, 1999, 2000, 3998, 3999])
def test_a_message_is_found_without_reading_the_file(large: Path, index: int) -> None:
    disk = CountingDisk()
    with open_bytes(large, disk=disk) as channel:
        found = find(channel, {message_id(index)}, ordered=True)

    assert list(found) == [message_id(index)]
    assert disk.read_bytes < 1 << 20 < large.stat().st_size // 4


def test_what_is_missing_is_looked_for_everywhere(large: Path) -> None:
    with open_bytes(large) as channel:
        assert find(channel, {message_id(5), message_id(5) + 1}, ordered=True).keys() == {message_id(5)}


def test_an_unsorted_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "channel.json"
    path.write_bytes(channel_bytes([5, 1, 9, 2]))
    with open_bytes(path) as channel:
        assert find(channel, {1, 2, 3}, ordered=False).keys() == {1, 2}


def test_the_first_of_two_counts(tmp_path: Path) -> None:
    path = tmp_path / "channel.json"
    path.write_bytes(channel_bytes([1, 2, 2]))
    with open_bytes(path) as channel:
        first = find(channel, {2}, ordered=False)[2]

    assert first == path.read_bytes().index(b"{\n" + b'      "id": "2"')


def test_attachments_that_look_like_messages_mislead_nobody(tmp_path: Path) -> None:
    """Messages of another layout may hold lines that look like a message's start."""
    odd = []
    for identifier in range(1, 900):
        value = message(identifier, "x" * 900) | {"attachments": [{"id": str(10**6 + identifier)}, {"id": "5"}]}
        text = json.dumps(value, indent=2)
        odd.append(text.replace('\n    {\n      "id"', '\n    {\n      "id"'))
    path = tmp_path / "channel.json"
    whole = channel_bytes([1])
    start = whole.index(b'"messages": [') + 13
    end = whole.rindex(b"\n  ]")
    path.write_bytes(whole[:start] + b"\n    " + ",\n    ".join(odd).encode() + whole[end:])

    with open_bytes(path) as channel:
        assert find(channel, {700, 10**6 + 3}, ordered=True).keys() == {700}
