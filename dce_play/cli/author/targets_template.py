"""A targets file to begin with: every key that there is, with what it means, those that are not needed as comments."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dce_play.discord.targets.keys import DEFAULT_KEYS, TARGET_KEYS, TOP_KEYS, Key, KeyType

_HEAD = """\
# yaml-language-server: $schema=./schemas/targets.schema.json
# What is archived, and where it goes. Check it with: dce-play targets check
# A key behind # has its usual value, or an example of one: take the # away to change it.
"""
_EXAMPLES: Mapping[KeyType, str] = {
    KeyType.BOOLEAN: "true",
    KeyType.STRING: "text",
    KeyType.STRINGS: '["one", "two"]',
    KeyType.IDS: '["222222222222222222"]',
    KeyType.SIZE: "50MB",
    KeyType.MEMORY: "8g",
    KeyType.HOSTS: '["media.example.org"]',
}
_WRITTEN = ("name", "output_dir", "enabled", "disabled_reason", "guild_ids", "discover")
_SET_ALREADY = frozenset({*_WRITTEN, *DEFAULT_KEYS})


def targets_template(root: Path) -> str:
    """Return the text of a sound targets file for an archive root, with one disabled target whose ids are made up."""
    target = {
        "name": "example",
        "output_dir": _quoted(f"{root}/example"),
        "enabled": "false",
        "disabled_reason": "the ids are made up",
        "guild_ids": '["111111111111111111"]',
        "discover": "always",
    }
    lines = ["", *_told(TOP_KEYS["archive_root"], ""), f"archive_root: {_quoted(str(root))}", ""]
    lines += [*_told(TOP_KEYS["defaults"], ""), "# defaults:", *_offered(DEFAULT_KEYS, DEFAULT_KEYS, "#   ", mark="")]
    lines += ["", *_told(TOP_KEYS["targets"], ""), "targets:"]
    for number, name in enumerate(_WRITTEN):
        lines += [*_told(TARGET_KEYS[name], "    "), f"{'  - ' if number == 0 else '    '}{name}: {target[name]}"]
    rest = [name for name in TARGET_KEYS if name not in _SET_ALREADY]
    lines += ["", *_offered(TARGET_KEYS, rest, "    ", mark="# ")]
    lines += ["", "    # The keys of defaults can stand here too, for this target alone."]
    return _HEAD + "\n".join(lines) + "\n"


def _offered(keys: Mapping[str, Key], names: Iterable[str], indent: str, *, mark: str) -> Iterator[str]:
    for name in names:
        yield from _told(keys[name], indent)
        yield f"{indent}{mark}{name}: {_value(keys[name])}"


def _told(key: Key, indent: str) -> Iterator[str]:
    choices = [each for each in key.choices if each]
    yield f"{indent}# {key.help}" + (f" One of {', '.join(choices)}." if choices else "")


def _value(key: Key) -> str:
    if key.default is not None:
        return json.dumps(key.default) if isinstance(key.default, bool | int) else _quoted(str(key.default))
    return _quoted(key.choices[0]) if key.choices else _EXAMPLES[key.type]


def _quoted(text: str) -> str:
    """Return the text as YAML reads it back as text: ``off`` and ``2.46`` in quotes, paths with odd characters too."""
    plain = text.replace("_", "").replace("/", "").replace("-", "").replace(".", "").isalnum()
    words = {"off", "on", "yes", "no", "true", "false", "null", "none"}
    number = text.replace(".", "").isdigit()
    if plain and text.lower() not in words and not number and not text.startswith(("-", ".")):
        return text
    return "'" + text.replace("'", "''") + "'"
