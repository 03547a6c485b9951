"""One reading by two processes says what one process says."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.layouts import LAYOUTS, dce, export, message

PROGRAM = """
import sys
from pathlib import Path
from dce_play.discord.archive.audit.parts import read_messages
from dce_play.discord.archive.scan.channel_bytes import ChannelBytes, open_bytes
from dce_play.discord.archive.scan.frame import read_preamble

def told(jobs):
    read = []
    with open_bytes(Path(sys.argv[1])) as source:
        reading = read_messages(source, read_preamble(source), jobs=jobs, split_bytes=1000, on_bytes=read.append)
    order, tally = reading.tally.order, reading.tally
    damage = reading.damage and (reading.damage.offset, reading.damage.reason)
    facts = (order.count, order.first, order.last, order.increasing, order.decreasing, order.breaks, order.break_count)
    return facts, tally.flaws, tally.flaw_count, tally.unnumbered, tally.end, damage, reading.frame

assert told(1) == told(2), (told(1), told(2))
print(told(2)[0][0])
"""


def both(path: Path, data: bytes) -> int:
    """Compare both ways to read in a process of its own, as one with threads does not fork; return the count."""
    path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("layout", ["dce", "minified", "crlf", "one line", "sorted keys"])
def test_both_halves_together_are_the_whole(tmp_path: Path, layout: str) -> None:
    assert both(tmp_path / "a", LAYOUTS[layout](export(message(n) for n in range(100, 160)))) == 60


CHANGES = {
    "out of order at the split": list(range(40, 70)) + list(range(10, 40)),
    "reversed": list(range(60, 0, -1)),
    "twice": [*range(1, 40), *range(30, 60)],
    "equal at every place": [5] * 40,
}


@pytest.mark.parametrize("case", CHANGES)
def test_the_order_is_told_across_the_split(tmp_path: Path, case: str) -> None:
    assert both(tmp_path / "a", dce(export(message(n) for n in CHANGES[case]))) == len(CHANGES[case])


def test_damage_and_flaws_are_told_as_by_one_process(tmp_path: Path) -> None:
    data = dce(export(message(n) for n in range(100, 160)))
    for number in (103, 131, 158):
        old = b'"id": "%d"' % number
        both(tmp_path / "a", data.replace(old, b'"id": \x00'))
        both(tmp_path / "a", data.replace(old, b'"ib": "1"'))
        both(tmp_path / "a", data[: data.index(old)])
    both(tmp_path / "a", data.replace(b'"timestamp"', b'"timestamq"'))
