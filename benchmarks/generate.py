"""Synthetic DCE exports of any size: the same bytes for the same arguments, in bounded memory.

``python -m benchmarks.generate OUT --size 100MB`` writes one. Tests use ``write_export`` with a message count. The
layout, the escapes (characters beyond the BMP as surrogate pairs) and the missing last line break are DCE 2.46's.
"""

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

GUILD_ID = "754679440998400000"
CHANNEL_ID = "796622485192704000"
FIRST_ID = 1_191_184_013_721_600_000
ID_STEP = 4_194_304_123
"""A little more than one second in a snowflake, so that no two ids share a millisecond."""
_WORDS = (
    *("search", "archive", "keeps", "laugh", "every", "can", "about", "index", "so", "say", "the", "of", "message"),
    *("café", "日本語", "\\uD83D\\uDE00", "\\uD83C\\uDFA9", '\\"quoted\\"', "back\\\\slash", "line\\nbreak"),
    "https://cdn.discordapp.com/attachments/1/2/file.png?ex=66&is=65&hm=0123456789abcdef",
)
_START = datetime(2024, 1, 1, tzinfo=UTC)

_HEAD = """{{
  "guild": {{
    "id": "{guild_id}",
    "name": "Synthetic Guild",
    "iconUrl": "https://cdn.discordapp.com/embed/avatars/0.png"
  }},
  "channel": {{
    "id": "{channel_id}",
    "type": "GuildTextChat",
    "categoryId": "796622480998400000",
    "category": "Text Channels",
    "name": "synthetic",
    "topic": "what \\"messages\\": [ means"
  }},
  "dateRange": {{
    "after": null,
    "before": null
  }},
  "exportedAt": "{exported_at}",
  "messages": ["""

_MESSAGE = """
    {{
      "id": "{identifier}",
      "type": "{kind}",
      "timestamp": "{timestamp}",
      "timestampEdited": null,
      "callEndedTimestamp": null,
      "isPinned": false,
      "content": "{content}",
      "author": {{
        "id": "{author}",
        "name": "user{author}",
        "discriminator": "0000",
        "nickname": "Nick \\uD83C\\uDFA9 {author}",
        "color": null,
        "isBot": false,
        "roles": [
          {{
            "id": "1573508732048998521",
            "name": "Mods",
            "color": "#E74C3C",
            "position": 1
          }}
        ],
        "avatarUrl": "https://cdn.discordapp.com/embed/avatars/{avatar}.png"
      }},
      "attachments": [],
      "embeds": [],
      "stickers": [],
      "reactions": [],
      "mentions": [],
      "inlineEmojis": []
    }}"""


def message_id(index: int) -> int:
    """Return the id of the message with this number, counted from 0."""
    return FIRST_ID + index * ID_STEP


def message(index: int, *, seed: int = 0, words: int = 40, content: str | None = None) -> str:
    """Return one message with the line break and the four spaces before it, without a comma."""
    dice = random.Random(f"{seed}:{index}")
    return _MESSAGE.format(
        identifier=message_id(index),
        kind="Reply" if dice.random() < 0.2 else "Default",
        timestamp=(_START + timedelta(seconds=index)).isoformat(timespec="milliseconds"),
        content=" ".join(dice.choices(_WORDS, k=words)) if content is None else content,
        author=754679440998400001 + dice.randrange(200),
        avatar=dice.randrange(6),
    )


def export_text(
    indexes: range,
    *,
    seed: int = 0,
    channel_id: str = CHANNEL_ID,
    guild_id: str = GUILD_ID,
    words: int = 40,
    exported_at: str = "2026-11-21T02:04:58.7636517+00:00",
) -> Iterator[str]:
    """Yield an export of the messages with these numbers, piece by piece."""
    yield _HEAD.format(channel_id=channel_id, guild_id=guild_id, exported_at=exported_at)
    comma = ""
    for index in indexes:
        yield comma + message(index, seed=seed, words=words)
        comma = ","
    yield ("\n  ]" if indexes else "]") + f',\n  "messageCount": {len(indexes)}\n}}'


def write_export(
    path: Path,
    indexes: range,
    *,
    seed: int = 0,
    channel_id: str = CHANNEL_ID,
    guild_id: str = GUILD_ID,
    words: int = 40,
    exported_at: str = "2026-11-21T02:04:58.7636517+00:00",
    newline: str = "\n",
) -> Path:
    """Write an export of the messages with these numbers and return its path."""
    with path.open("w", encoding="utf-8", newline=newline, buffering=1 << 20) as out:
        out.writelines(
            export_text(
                indexes, seed=seed, channel_id=channel_id, guild_id=guild_id, words=words, exported_at=exported_at
            )
        )
    return path


def count_for(size_bytes: int) -> int:
    """Return how many messages make a file of about this size."""
    sample = [len(message(index).encode()) + 1 for index in range(200)]
    return max(size_bytes * len(sample) // sum(sample), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="10MB", help="about how large: 10MB, 1GB")
    parser.add_argument("--first", type=int, default=0, help="number of the first message")
    parser.add_argument("--count", type=int, default=0, help="how many messages; 0 follows --size")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    factor = {"KB": 10**3, "MB": 10**6, "GB": 10**9}[arguments.size[-2:].upper()]
    count = arguments.count or count_for(int(arguments.size[:-2]) * factor)
    write_export(arguments.out, range(arguments.first, arguments.first + count), seed=arguments.seed)
    print(f"{arguments.out}: {count} messages, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
