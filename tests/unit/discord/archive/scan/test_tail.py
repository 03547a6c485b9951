import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.scanner import MAX_MESSAGE_BYTES, scan
from dce_play.discord.archive.scan.tail import WINDOW_BYTES, NotCanonical, Tail, read_tail
from tests.support.bounds import at_most
from tests.support.channel_files import channel_bytes, message


def tail_of(path: Path, data: bytes) -> Tail:
    path.write_bytes(data)
    with open_bytes(path) as channel:
        return read_tail(channel)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "channel.json"


def test_the_cut_is_just_past_the_last_message(path: Path) -> None:
    data = channel_bytes([1, 2])
    tail = tail_of(path, data)

    assert data[: tail.cut].endswith(b"\n    }")
    assert tail.old == b'\n  ],\n  "messageCount": 2\n}'
    assert (tail.last_id, tail.stated_count) == ("2", 2)


@pytest.mark.parametrize("name", ["sb-general", "stub-rich", "stub-th"])
def test_what_the_exporter_wrote_has_a_tail(name: str) -> None:
    with open_bytes(Path(__file__).parents[4] / "data/gold" / name / "expected.json") as channel:
        tail = read_tail(channel)

    assert tail.last_id is not None


def test_an_empty_array_is_cut_after_its_bracket(path: Path) -> None:
    data = channel_bytes([])
    tail = tail_of(path, data)

    assert data[: tail.cut].endswith(b'"messages": [')
    assert tail.last_id is None
    assert tail.opening() == b"\n    "
    assert tail.closing(3) == b'\n  ],\n  "messageCount": 3\n}'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'\n  ],\n  "messageCount": 2\n}', b'\n  ],\n  "messageCount": 5\n}'),
        (b'\n  ],\n  "messageCount": 2\n}\n', b'\n  ],\n  "messageCount": 5\n}\n'),
        (b"\n  ]\n}\n", b"\n  ]\n}\n"),
        (b'\r\n  ],\r\n  "messageCount": 2\r\n}', b'\r\n  ],\r\n  "messageCount": 5\r\n}'),
    ],
)
def test_the_new_trailer_keeps_the_style_of_the_old_one(path: Path, old: bytes, new: bytes) -> None:
    data = channel_bytes([1, 2]).replace(b'\n  ],\n  "messageCount": 2\n}', old)
    tail = tail_of(path, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if b"\r" in old else data)

    assert tail.closing(5) == new
    assert tail.newline == (b"\r\n" if b"\r" in old else b"\n")


def test_a_last_message_longer_than_the_window_is_read(path: Path) -> None:
    data = channel_bytes([1, 2], contents={2: "x" * (3 * WINDOW_BYTES)})

    assert tail_of(path, data).last_id == "2"


def test_a_last_message_in_another_layout_is_read(path: Path) -> None:
    odd = json.dumps(message(3) | {"attachments": [{"id": "9"}]}, indent=4).replace("        {", "    {")
    data = channel_bytes([1]).replace(
        b'\n  ],\n  "messageCount"', b",\n    " + odd.encode() + b'\n  ],\n  "messageCount"'
    )

    assert tail_of(path, data).last_id == "3"


@pytest.mark.parametrize("text", ["], x", '"messages": [', '\\n  ],\\n  \\"messageCount\\": 9\\n}'])
def test_contents_that_look_like_a_trailer_are_contents(path: Path, text: str) -> None:
    assert tail_of(path, channel_bytes([1, 2], contents={2: text})).stated_count == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        channel_bytes([1])[:-1],
        channel_bytes([1])[:-40],
        channel_bytes([1]) + b"x",
        channel_bytes([1]) + bytes(512),
        channel_bytes([1]).replace(b"    }\n  ]", b"    },\n  ]"),
        channel_bytes([1]).replace(b'"id": "1"', b'"id": 1'),
    ],
)
def test_an_end_that_is_not_whole_is_refused(path: Path, data: bytes) -> None:
    with pytest.raises(NotCanonical):
        tail_of(path, data)


def test_another_layout_is_refused_with_the_word_that_helps(path: Path) -> None:
    minified = json.dumps(json.loads(channel_bytes([1, 2]))).encode()

    with pytest.raises(NotCanonical) as caught:
        tail_of(path, minified)

    assert caught.value.whole
    assert "normalise" in caught.value.hint


@given(cut=st.integers(min_value=1, max_value=200), noise=st.binary(max_size=8))
def test_no_cut_and_no_noise_at_the_end_is_taken_for_a_whole_file(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    data = channel_bytes([1, 2])
    damaged = data[:-cut] + noise
    path = tmp_path_factory.mktemp("tail") / "channel.json"
    try:
        tail_of(path, damaged)
    except NotCanonical:
        return
    json.loads(damaged)


def test_the_largest_message_that_an_archive_takes_can_stand_last(path: Path) -> None:
    besides = len(json.dumps(message(2, "x"), indent=2).replace("\n", "\n    ")) - 1
    text = "x" * (MAX_MESSAGE_BYTES - besides - 12)  # with what parts it from others
    assert tail_of(path, channel_bytes([1, 2], contents={2: text})).last_id == "2"
    assert [identifier for block in scan(path) for identifier in block.ids] == ["1", "2"]


def test_a_last_message_without_end_is_not_looked_for_to_its_beginning(path: Path) -> None:
    with pytest.raises(NotCanonical, match="no message starts") as refused:
        tail_of(path, channel_bytes([1, 2], contents={2: "x" * at_most("discord.archive.scan.tail:MAX_WINDOW_BYTES")}))
    assert "archive normalise" in refused.value.hint


@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_lines_that_look_like_a_messages_start_are_tried(path: Path, beyond: int) -> None:
    within = at_most("discord.archive.scan.tail:_MAX_TRIES") - 1 + beyond  # and the message's own
    odd = json.dumps(message(3) | {"embeds": ["here"]}).replace('"here"', ",".join(["\n    {}"] * within))
    data = channel_bytes([1]).replace(b"\n    }\n  ]", b"\n    },\n    " + odd.encode() + b"\n  ]")
    assert json.loads(data)["messages"][1]["id"] == "3"
    if not beyond:
        assert tail_of(path, data).last_id == "3"
    else:
        with pytest.raises(NotCanonical, match="no message starts"):
            tail_of(path, data)
