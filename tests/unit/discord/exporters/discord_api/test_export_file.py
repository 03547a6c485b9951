"""Tests of the file that an export leaves, also when it dies."""

import json
import os
import resource
import signal
from pathlib import Path

import pytest

from dce_play.discord.exporters.discord_api.convert.json_writer import JsonObject
from dce_play.discord.exporters.discord_api.export_file import ExportFile
from dce_play.discord.exporters.protocol import DiskFull, ExportFailed
from dce_play.snowflake import ChannelId

HEADER: JsonObject = {"guild": {"id": "1"}, "exportedAt": "now"}


class Died(Exception):
    """Stands for whatever ends an export."""


def write(path: Path, count: int, *, dies: bool = False) -> None:
    with ExportFile(ChannelId("111"), path, dict(HEADER)) as file:
        for number in range(count):
            file.add({"id": str(number), "content": "x" * 50})
        if dies:
            raise Died
        file.finish()


@pytest.mark.parametrize("count", [0, 1, 2, 500])
@pytest.mark.contract("R-16.01", "R-16.05")
def test_a_finished_file_is_json_with_its_count(tmp_path: Path, count: int) -> None:
    write(tmp_path / "export.json", count)

    data = (tmp_path / "export.json").read_bytes()
    assert data == json.dumps(json.loads(data), indent=2).encode()
    assert json.loads(data)["messageCount"] == len(json.loads(data)["messages"]) == count


@pytest.mark.parametrize("count", [0, 1, 500])
@pytest.mark.contract("R-16.05")
def test_a_file_that_was_not_finished_has_no_trailer(tmp_path: Path, count: int) -> None:
    with pytest.raises(Died):
        write(tmp_path / "export.json", count, dies=True)

    text = (tmp_path / "export.json").read_text()
    assert text.endswith("\n    }" if count else '"messages": [')
    assert len(json.loads(text + "\n  ]\n}")["messages"]) == count


@pytest.mark.parametrize("limit", range(0, 4000, 173))
def test_a_file_that_may_not_grow_is_named_and_has_whole_messages_at_any_byte(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "export.json"
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            with ExportFile(ChannelId("111"), path, dict(HEADER)) as file:
                for number in range(60):
                    file.add({"id": str(number), "content": "x" * 50})
                    if number % 5 == 4:
                        file.flush()
                file.finish()
            os._exit(1)
        except ExportFailed as error:
            os._exit(42 if f"{path}: File too large (free space does not help" in str(error) else 3)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    text = path.read_text()
    assert len(text) <= limit
    if text:
        assert len(json.loads(text + "\n  ]\n}")["messages"]) % 5 == 0


def test_a_full_device_is_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(DiskFull):
        write(Path("/dev/full"), 1)


def test_a_folder_that_is_not_there_fails_the_channel(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="No such file"):
        write(tmp_path / "missing" / "export.json", 1)


def test_what_stood_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text("x" * 10_000)

    write(tmp_path / "export.json", 1)

    assert json.loads((tmp_path / "export.json").read_bytes())["messageCount"] == 1
