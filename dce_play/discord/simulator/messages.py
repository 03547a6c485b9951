"""Discord's JSON for messages, each made on demand from the world's seed, its channel and its index."""

import random
from collections.abc import Sequence

from dce_play.discord.simulator.features import FEATURES, Draft
from dce_play.discord.simulator.shapes import Json, timestamp, user_shape
from dce_play.discord.simulator.world import Channel, User, World

_WORDS: Sequence[str] = (
    "archive", "later", "every", "word", "keeps", "about", "laugh", "say", "river", "lantern", "über", "naïve",
    "漢字", "привет", "coffee", "deploy", "😀", "tonight", "maybe", "link", "queue", "moon", "forever", "garden",
)  # fmt: skip


def message_at(world: World, channel: Channel, index: int) -> Json:
    """Return the channel's message at this index. The same world gives the same message, until it is edited."""
    dice = _dice(world, channel, index)
    shape = _plain(world, channel, index, dice)
    draft = Draft(
        world=world,
        channel=channel,
        index=index,
        dice=dice,
        shape=shape,
        earlier=lambda number: _plain(world, channel, number, _dice(world, channel, number)),
    )
    FEATURES[(index + int(channel.channel_id) // 4096 + world.seed) % len(FEATURES)](draft)
    edits = world.timeline(channel.channel_id).edits_of(index)
    if edits:
        shape["content"] = f"{shape['content']} (edit {edits})"
        shape["edited_timestamp"] = timestamp(str(shape["id"]), after_s=3600.0 * edits)
    return shape


def without_content(message: Json) -> Json:
    """Return what a bot without the MESSAGE_CONTENT intent is given of a message."""
    return message | {"content": "", "attachments": [], "embeds": [], "components": []}


def reaction_users(message: Json, emoji: str, people: Sequence[User]) -> list[User] | None:
    """Return who reacted with this emoji (``name`` or ``name:id``), by id, or ``None`` when nobody did."""
    reactions = message.get("reactions")
    for reaction in reactions if isinstance(reactions, list) else ():
        key = ":".join(part for part in (reaction["emoji"]["name"], reaction["emoji"]["id"]) if part)
        if key == emoji:
            return sorted(people, key=lambda user: int(user.user_id))[: reaction["count"]]
    return None


def _dice(world: World, channel: Channel, index: int) -> random.Random:
    return random.Random((world.seed << 96) ^ (int(channel.channel_id) << 32) ^ index)  # noqa: S311 - not a secret


def _plain(world: World, channel: Channel, index: int, dice: random.Random) -> Json:
    message_id = world.timeline(channel.channel_id).id_at(index)
    words = " ".join(dice.choices(_WORDS, k=dice.randint(2, 14)))
    return {
        "id": message_id,
        "channel_id": channel.channel_id,
        "type": 0,
        "author": user_shape(dice.choice(channel.authors)),
        "content": f"#{index} {words}",
        "timestamp": timestamp(message_id),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
    }
