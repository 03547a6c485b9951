"""Coverage-guided fuzzing of everything that reads channel files: docs/how-to/fuzz-the-readers.md.

``python tests/fuzz/fuzz_channel_files.py CORPUS_FOLDER [-max_total_time=300]``
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris  # not among our requirements: only who fuzzes needs it

with atheris.instrument_imports(include=["dce_play.discord.archive"]):
    from tests.fuzz.promises import check

from tests.support.layouts import LAYOUTS, MESSAGES_FIRST, export, message

TOKENS = (
    *(b",", b":", b"{", b"}", b"[", b"]", b'"', b"\\", b"\x00", b"\n    },", b"\n    {", b"\n  ]", b"null", b"-1e9"),
    *(b'"messages": [', b'"messageCount": 3', b'"id": "5"', b'"timestamp": "t"', b"\\ud83d", b"\xff", b"\xef\xbb\xbf"),
    *(b'},{"id":"9","type":', b'{"id":"4","timestamp":"t"}', b'"channel": {"id": "5"},', b"1e999", b"NaN", b" \t\r\n"),
)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Put tokens in and move stretches about: what the fuzzer's own changes seldom hit upon."""
    dice = random.Random(seed)
    if dice.random() < 0.5 or not data:
        return bytes(atheris.Mutate(data, max_size))
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 4)):
        at, other = sorted((dice.randrange(len(changed) + 1), dice.randrange(len(changed) + 1)))
        match dice.randrange(4):
            case 0:
                changed[at:at] = dice.choice(TOKENS)
            case 1:
                changed[at : at + dice.randrange(1, 20)] = dice.choice(TOKENS)
            case 2:
                changed[at:at] = changed[at : min(other, at + 300)]
            case _:
                del changed[at : min(other, at + 100)]
    return bytes(changed[:max_size])


def seed_corpus(folder: Path) -> None:
    """Write small files of every layout for the fuzzer to begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, layout in (LAYOUTS | MESSAGES_FIRST).items():
        for count in (0, 1, 4):
            small = [{"id": str(n), "timestamp": "t", "a": [{"id": "7"}, {"b": {}}]} for n in range(count)]
            (folder / f"{name} {count}").write_bytes(layout(export(small)))
    (folder / "rich").write_bytes(LAYOUTS["dce"](export([message(1), message(2)])))


def main() -> None:
    folder = Path(sys.argv[1])
    seed_corpus(folder)
    atheris.Setup([*sys.argv, "-max_len=4000", "-timeout=30", "-rss_limit_mb=2048"], check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
