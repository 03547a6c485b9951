"""The whole messages of a truncated export."""

import json
from pathlib import Path

import pytest

from dce_play.discord.archive.salvage.repair import NothingToRecover
from dce_play.discord.archive.salvage.whole import open_whole
from tests.support.channel_files import channel_bytes

DATA = Path(__file__).parents[4] / "data"


def whole_value(path: Path) -> dict[str, object]:
    with open_whole(path) as whole:
        data = whole.channel.read_at(whole.channel.size_bytes, 0)
        value = json.loads(data)
        assert isinstance(value, dict)
        assert len(value["messages"]) == whole.boundary.message_count == value["messageCount"]
        return value


@pytest.mark.contract("R-4.07", "R-4.09", "D-13")
def test_at_every_cut_every_whole_message_is_kept(tmp_path: Path) -> None:
    contents = {2: 'emoji 😀 and \\ " },\n    {', 3: "]}"}
    data = channel_bytes([1, 2, 3], contents=contents)
    full = json.loads(data)["messages"]
    ends = [data.index(b"\n    }", data.index(b'"id": "%d",\n      "type"' % number)) + 6 for number in (1, 2, 3)]
    start = data.index(b'"messages": [') + len(b'"messages": [')
    path = tmp_path / "export.json"
    for cut in range(len(data)):
        path.write_bytes(data[:cut])
        if cut < start:
            with pytest.raises(NothingToRecover):
                whole_value(path)
        else:
            assert whole_value(path)["messages"] == full[: sum(end <= cut for end in ends)]


def test_a_whole_export_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(channel_bytes([1, 2]))
    with open_whole(path) as whole:
        assert whole.boundary.complete
        assert whole.channel.read_at(1 << 20, 0) == path.read_bytes()


@pytest.mark.contract("R-4.07")
@pytest.mark.parametrize("separators", [(",", ":"), None])
def test_other_layouts_are_cut_at_their_messages_too(tmp_path: Path, separators: tuple[str, str] | None) -> None:
    data = json.dumps(json.loads(channel_bytes([1, 2, 3])), separators=separators).encode()
    path = tmp_path / "export.json"
    path.write_bytes(data[: data.rindex(b'"id"') + 20])
    messages = whole_value(path)["messages"]
    assert isinstance(messages, list)
    assert [message["id"] for message in messages] == ["1", "2"]


def test_what_a_power_loss_filled_with_zeros_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    data = channel_bytes([1, 2])
    path.write_bytes(data[: data.rindex(b'"author"')] + b"\0" * 5000)
    messages = whole_value(path)["messages"]
    assert isinstance(messages, list)
    assert [message["id"] for message in messages] == ["1"]


def test_an_export_that_runs_backwards_is_told(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_bytes(channel_bytes([3, 2, 1]))
    with open_whole(path) as whole:
        assert whole.boundary.reversed


@pytest.mark.contract("R-4.07", "R-4.08")
def test_an_export_that_sigterm_cut_off_keeps_its_messages() -> None:
    with open_whole(DATA / "partials" / "sigterm-truncated.json") as whole:
        assert not whole.boundary.complete
        assert whole.boundary.message_count > 2000
