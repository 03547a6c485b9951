"""Scanning: every legal layout is read, nothing damaged passes, and memory stays bounded."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ijson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.damage import Damage, DamagedFile
from dce_play.discord.archive.scan.engine import ENGINES, Engine
from dce_play.discord.archive.scan.frame import Frame
from dce_play.discord.archive.scan.scanner import MAX_MESSAGE_BYTES, Scanner, scan
from tests.support.layouts import LAYOUTS, MESSAGES_FIRST, dce, export, message

DATA = Path(__file__).parents[4] / "data"
WHOLE = sorted(path for path in DATA.rglob("*.json") if path.name != "sigterm-truncated.json")
ALL_LAYOUTS = LAYOUTS | MESSAGES_FIRST
NO_FIXTURE_RESET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(path: Path, engine: Engine | None = None, chunk_bytes: int | None = None) -> tuple[list[str], Frame]:
    """Return all ids and the frame, having checked that each message is where its span says."""
    data = path.read_bytes()
    ids: list[str] = []
    with open_bytes(path) as source:
        scanner = Scanner(source, engine=engine, chunk_bytes=chunk_bytes)
        for block in scanner.blocks():
            for span in block.spans():
                assert json.loads(data[span.start : span.end], parse_int=str)["id"] == span.id
            ids += block.ids
            assert block.numbers == list(map(int, block.ids))
    return ids, scanner.frame


def read_error(path: Path, data: bytes, **options: Any) -> DamagedFile:
    path.write_bytes(data)
    with pytest.raises(DamagedFile) as caught:
        read(path, **options)
    return caught.value


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", WHOLE, ids=lambda path: str(path.relative_to(DATA)))
@pytest.mark.contract("R-16.04")
def test_every_file_of_every_exporter_version_is_read(path: Path, engine: Callable[[], Engine]) -> None:
    expected = json.loads(path.read_bytes())
    ids, frame = read(path, engine())
    assert ids == [entry["id"] for entry in expected["messages"]]
    assert frame.message_count == expected["messageCount"]
    assert frame.values["channel"] == expected["channel"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize("count", [0, 1, 2, 40])
@pytest.mark.contract("R-16.02", "R-16.03")
def test_every_layout_is_read_at_every_chunk_size(
    tmp_path: Path, layout: str, engine: Callable[[], Engine], count: int
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(ALL_LAYOUTS[layout](export(message(100 + index) for index in range(count))))
    for chunk_bytes in (64, 700, 4096, 1 << 18):
        ids, frame = read(path, engine(), chunk_bytes)
        assert ids == [str(100 + index) for index in range(count)]
        assert frame.message_count == (None if layout in {"no count", "bare"} else count)


def test_the_fast_path_is_taken_in_every_common_layout(tmp_path: Path) -> None:
    """A walk leaves the places of its messages in the block; a block that was parsed at once has none."""
    path = tmp_path / "a.json"
    for layout in ("dce", "jq", "crlf", "four spaces", "tabs", "minified", "one line", "sorted keys", "messages first"):
        path.write_bytes(ALL_LAYOUTS[layout](export(message(100 + index) for index in range(400))))
        with open_bytes(path) as source:
            blocks = [(len(block.ids), bool(block.known)) for block in Scanner(source, chunk_bytes=20_000).blocks()]
        assert sum(count for count, walked in blocks if not walked) > 350, layout


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("commas", range(1 << 4))
def test_a_blank_stretch_beside_a_comma_never_passes(tmp_path: Path, engine: Callable[[], Engine], commas: int) -> None:
    """Commas too many at each of four places between messages, at every chunk size that cuts exactly there."""
    one, two, three = (json.dumps(message(n), indent=2).encode().replace(b"\n", b"\n    ") for n in (1, 2, 3))
    extra = [b"\n    ," if commas >> place & 1 else b"" for place in range(4)]
    head = b'{\n  "channel": {"id": "5"},\n  "messages": ['
    body = extra[0] + b"\n    " + one + b"," + extra[1] + b"\n    " + two + b"," + extra[2] + b"\n    " + three
    data = head + body + (b"," if commas >> 3 & 1 else b"") + b"\n  ]\n}"
    path = tmp_path / "a.json"
    path.write_bytes(data)
    for chunk_bytes in range(8, len(body) + 40, 1 if commas in {0, 1, 2, 4, 8} else 37):
        if commas:
            with pytest.raises(DamagedFile):
                read(path, engine(), chunk_bytes)
        else:
            assert read(path, engine(), chunk_bytes)[0] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("body", "why"),
    [(b",", "comma alone"), (b" , {1}", "comma first"), (b"{1},", "comma last"), (b"{1},,{2}", "two commas"),
     (b"{1} {2}", "no comma"), (b"{1}:{2}", "colon"), (b"{1}]{2}", "bracket"), (b"{1}}", "brace")],
)  # fmt: skip
@pytest.mark.parametrize("engine", ENGINES)
def test_misplaced_punctuation_between_messages_is_refused(
    tmp_path: Path, body: bytes, why: str, engine: Callable[[], Engine]
) -> None:
    for number in (b"1", b"2"):
        body = body.replace(b"{" + number + b"}", b'{"id":"' + number + b'","timestamp":"t"}')
    for chunk_bytes in range(4, 60):
        read_error(tmp_path / "a.json", b'{"channel":{"id":"5"},"messages":[' + body + b"]}", engine=engine(),
                   chunk_bytes=chunk_bytes)  # fmt: skip


ODDITIES: dict[str, tuple[bytes, bytes]] = {
    "invalid UTF-8": (b"hello", b"hel\xff\xfelo"),
    "an overlong encoding": (b"hello", b"hel\xc0\xafo"),
    "a raw surrogate": (b"hello", b"hel\xed\xa0\x80o"),
    "a NUL in a string": (b"hello", b"hel\x00o"),
    "a raw line break in a string": (b"hello", b"hel\nlo"),
    "NULs between messages": (b'"id": "107"', b'"id": "107"' + b"\x00" * 5),
    "a bad escape": (b"hello", b"hel\\xlo"),
    "a half escape": (b"hello", b"hel\\u12o"),
    "NaN": (b'"position": 1', b'"position": NaN'),
    "Infinity": (b'"position": 1', b'"position": -Infinity'),
    "a leading zero": (b'"position": 1', b'"position": 01'),
    "a plus sign": (b'"position": 1', b'"position": +1'),
    "a bare dot": (b'"position": 1', b'"position": 1.'),
    "single quotes": (b'"hello"', b"'hello'"),
    "a comment": (b'"hello"', b'"hello" /* */'),
    "a trailing comma in an object": (b'"hello"', b'"hello",'),
    "a missing colon": (b'"content": ', b'"content" '),
    "a number as id": (b'"id": "107"', b'"id": 107'),
    "no id": (b'"id": "107"', b'"ie": "107"'),
    "a null id": (b'"id": "107"', b'"id": null'),
    "an empty id": (b'"id": "107"', b'"id": ""'),
    "an id with a space": (b'"id": "107"', b'"id": "1 7"'),
    "an id with a sign": (b'"id": "107"', b'"id": "-107"'),
    "an id with other digits": (b'"id": "107"', '"id": "١٠٧"'.encode()),
    "an id with a line": (b'"id": "107"', b'"id": "1_07"'),
    "an id of 21 digits": (b'"id": "107"', b'"id": "100000000000000000107"'),
    "an id beyond 64 bits": (b'"id": "107"', b'"id": "18446744073709551616"'),
    "brackets that do not match": (b'"attachments": []', b'"attachments": [}'),
    "deep nesting": (b'"attachments": []', b'"attachments": ' + b"[" * 5000 + b"]" * 5000),
    "deep nesting without end": (b'"attachments": []', b'"attachments": ' + b"[" * 500_000),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("oddity", ODDITIES)
def test_what_is_not_json_or_no_message_is_refused_where_it_stands(
    tmp_path: Path, oddity: str, engine: Callable[[], Engine]
) -> None:
    good = dce(export(message(100 + index, "hello" if index == 7 else "other") for index in range(20)))
    old, new = ODDITIES[oddity]
    at = good.index(b'"id": "107"') - 20
    place = good.index(old, at)
    bad = good[:place] + new + good[place + len(old) :]
    for chunk_bytes in (600, 1 << 18):
        error = read_error(tmp_path / "a.json", bad, engine=engine(), chunk_bytes=chunk_bytes)
        assert at <= error.offset <= place + 120, oddity


FRAMES: dict[str, tuple[bytes, Damage]] = {
    "": (b"", Damage.EMPTY),
    "white space": (b" \n\t ", Damage.EMPTY),
    "a byte order mark": (b"\xef\xbb\xbf", Damage.EMPTY),
    "NULs": (b"\x00" * 4096, Damage.NOT_AN_EXPORT),
    "an array": (b"[]", Damage.NOT_AN_EXPORT),
    "a word": (b"null", Damage.NOT_AN_EXPORT),
    "no messages": (b'{"channel": {"id": "5"}}', Damage.NOT_AN_EXPORT),
    "messages an object": (b'{"channel": {"id": "5"}, "messages": {}}', Damage.NOT_AN_EXPORT),
    "messages null": (b'{"messages": null}', Damage.NOT_AN_EXPORT),
    "messages deeper": (b'{"channel": {"messages": []}}', Damage.NOT_AN_EXPORT),
    "two documents": (b'{"channel": {"id": "5"}, "messages": []}\n{"a": 1}', Damage.TRAILING),
    "garbage behind": (b'{"channel": {"id": "5"}, "messages": []}\x00\x00', Damage.TRAILING),
    "a comma behind": (b'{"channel": {"id": "5"}, "messages": []},', Damage.TRAILING),
    "a key twice": (b'{"channel": {"id": "5"}, "channel": {"id": "6"}, "messages": []}', Damage.NOT_JSON),
    "messages twice": (b'{"channel": {"id": "5"}, "messages": [], "messages": []}', Damage.NOT_JSON),
    "an id twice": (b'{"channel": {"id": "5", "id": "6"}, "messages": []}', Damage.NOT_JSON),
    "no brace": (b'{"channel": {"id": "5"}, "messages": []', Damage.TRUNCATED),
    "cut in the count": (b'{"channel": {"id": "5"}, "messages": [], "messageCo', Damage.TRUNCATED),
    "cut in the header": (b'{"channel": {"id": "5', Damage.TRUNCATED),
    "a bracket in a string": (b'{"channel": "[", "messages": [{"id":"1","timestamp":"[]"}]', Damage.TRUNCATED),
    "a bad header": (b'{"channel": {"id": 5x}, "messages": []}', Damage.NOT_JSON),
    "a header in other encoding": (b'{"channel": {"id": "\xff"}, "messages": []}', Damage.NOT_JSON),
    "UTF-16": ('{"channel": {"id": "5"}, "messages": []}'.encode("utf-16"), Damage.NOT_AN_EXPORT),
    "a bad trailer": (b'{"channel": {"id": "5"}, "messages": [], "messageCount": 0x1}', Damage.NOT_JSON),
    "an array not closed": (b'{"messages": [}', Damage.NOT_JSON),
    "a deep header": (b'{"a": ' + b"[" * 3000 + b"]" * 3000 + b', "messages": []}', Damage.NOT_JSON),
    "a deep trailer": (b'{"messages": [], "a": ' + b"[" * 3000 + b"]" * 3000 + b"}", Damage.NOT_JSON),
}


@pytest.mark.parametrize("case", FRAMES)
@pytest.mark.contract("D-20", "R-10.01")
def test_a_frame_that_is_not_an_exports_is_refused(tmp_path: Path, case: str) -> None:
    data, damage = FRAMES[case]
    assert read_error(tmp_path / "a.json", data).damage is damage


LEGAL: dict[str, tuple[bytes, bytes]] = {
    "a lone surrogate escape": (b"hello", b"\\ud83d"),
    "a lone low surrogate": (b"hello", b"\\uDE00 and \\uD83D\\uD83D"),
    "a number beyond a double": (b'"position": 1', b'"position": 1e400'),
    "a number of 5000 digits": (b'"position": 1', b'"position": ' + b"7" * 5000),
    "a small number": (b'"position": 1', b'"position": -0.0E-0'),
    "an id above 2^53": (b'"id": "107"', b'"id": "18446744073709551615"'),
    "no timestamp": (b'"timestamp"', b'"timestamq"'),
    "an unknown key": (b'"content"', b'"new": {"id": "1", "messages": []}, "content"'),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", LEGAL)
@pytest.mark.contract("R-16.07", "R-16.08")
def test_legal_but_odd_json_is_read(tmp_path: Path, case: str, engine: Callable[[], Engine]) -> None:
    good = dce(export(message(100 + index, "hello") for index in range(20)))
    old, new = LEGAL[case]
    place = good.index(old, good.index(b'"id": "107"'))
    path = tmp_path / "a.json"
    path.write_bytes(good[:place] + new + good[place + len(old) :])
    expected = [entry["id"] for entry in json.loads(path.read_bytes(), parse_int=str)["messages"]]
    for chunk_bytes in (600, 1 << 18):
        assert read(path, engine(), chunk_bytes)[0] == expected


def test_a_lenient_scan_tells_of_messages_that_lack_something_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(
        dce(export([message(1), {"timestamp": "t"}, 7, message(2) | {"timestamp": None}, message(3)]))  # type: ignore[list-item]
    )
    with open_bytes(path) as source:
        blocks = list(Scanner(source, lenient=True).blocks())
    assert [identifier for block in blocks for identifier in block.ids] == ["1", "2", "3"]
    assert [flaw.without for block in blocks for flaw in block.flaws] == ["id", "", "timestamp"]


def test_every_whole_message_before_the_damage_is_yielded_first(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    data = dce(export(message(100 + index) for index in range(50)))
    path.write_bytes(data[: data.index(b'"id": "137"') + 60])
    for chunk_bytes in (100, 5000, 1 << 18):
        ids: list[str] = []
        with open_bytes(path) as source:
            blocks = Scanner(source, chunk_bytes=chunk_bytes).blocks()
            with pytest.raises(DamagedFile) as caught:
                ids.extend(identifier for block in blocks for identifier in block.ids)
        assert ids == [str(100 + index) for index in range(37)]
        assert caught.value.damage is Damage.TRUNCATED


def test_a_message_longer_than_the_limit_is_refused_and_a_shorter_one_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export([message(1), message(2, "x" * (MAX_MESSAGE_BYTES - 5000)), message(3)])))
    assert read(path)[0] == ["1", "2", "3"]
    error = read_error(path, dce(export([message(1), message(2, "x" * MAX_MESSAGE_BYTES), message(3)])))
    assert error.damage is Damage.TOO_LARGE


@pytest.mark.parametrize("engine", ENGINES)
@NO_FIXTURE_RESET
@given(seed=st.integers(0, 1 << 32), layout=st.sampled_from(sorted(ALL_LAYOUTS)), changes=st.integers(1, 3))
def test_whatever_passes_is_what_another_parser_reads(
    tmp_path: Path, engine: Callable[[], Engine], seed: int, layout: str, changes: int
) -> None:
    """Random corruption: never a file that passes and that Python and yajl read otherwise, or not at all."""
    dice = random.Random(seed)
    data = bytearray(ALL_LAYOUTS[layout](export(message(100 + index, "ab\\c") for index in range(12))))
    for _ in range(changes):
        corrupt(data, dice)
    path = tmp_path / "a.json"
    path.write_bytes(data)
    try:
        ids, _ = read(path, engine(), dice.choice([64, 500, 3000, 1 << 18]))
    except DamagedFile:
        return
    value = json.loads(data.decode("utf-8-sig"))
    if repeats_an_id(data):
        return  # docs/design/scanner.md: which of two keys inside a message counts is not promised
    assert ids == [entry["id"] for entry in value["messages"]]
    if b"\\ud" not in data.lower():
        assert ids == list(ijson.items(bytes(data).removeprefix(b"\xef\xbb\xbf"), "messages.item.id"))


def repeats_an_id(data: bytearray) -> bool:
    """Return whether some object has two keys ``id`` or ``timestamp``."""
    found = False

    def look(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal found
        names = [name for name, _ in pairs]
        found = found or any(names.count(name) > 1 for name in ("id", "timestamp"))
        return dict(pairs)

    json.loads(data.decode("utf-8-sig"), object_pairs_hook=look)
    return found


def corrupt(data: bytearray, dice: random.Random) -> None:
    """Change a few bytes in one of the ways in which files get damaged."""
    at = dice.randrange(len(data))
    match dice.randrange(7):
        case 0:
            data[at] ^= 1 << dice.randrange(8)
        case 1:
            del data[at : at + dice.choice([1, 2, 30, 600])]
        case 2:
            data[at:at] = dice.choice([b",", b'"', b"}", b"]", b"{", b"[", b"\\", b"\x00", b"\n    },", b"]}"])
        case 3:
            data[at : at + 40] = bytes(40)
        case 4:
            data[at:at] = data[at - 200 : at]
        case 5:
            del data[at:]
        case _:
            other = dice.randrange(len(data))
            data[at], data[other] = data[other], data[at]
    if not data:
        data += b" "


def test_scan_yields_the_blocks_of_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(dce(export([message(1), message(2)])))
    assert [identifier for block in scan(path) for identifier in block.ids] == ["1", "2"]


def test_blocks_put_together_with_commas_are_the_files_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    data = dce(export(message(100 + index) for index in range(60)))
    path.write_bytes(data)
    with open_bytes(path) as source:
        scanner = Scanner(source, chunk_bytes=3000)
        body = b",".join(bytes(block.data) for block in scanner.blocks())
    tail = re.search(rb"\n  \]", data)
    assert tail is not None
    assert scanner.preamble.data + body + data[tail.start() :] == data
    assert scanner.frame.trailer == data[tail.start() + 3 :]
