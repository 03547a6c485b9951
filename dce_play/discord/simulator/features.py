"""Everything a message can be besides plain text: one function for each feature, dealt out in turn.

Any ``len(FEATURES)`` neighbouring messages of a channel show every feature once.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from dce_play.discord.simulator.shapes import Json, timestamp, user_shape
from dce_play.discord.simulator.world import DIRECTS, THREADS, Channel, World


@dataclass(slots=True, kw_only=True)
class Draft:
    """A plain message about to become something richer: features change ``shape`` in place."""

    world: World
    channel: Channel
    index: int
    dice: random.Random
    shape: Json
    earlier: Callable[[int], Json]
    """Makes the plain message at an earlier index."""

    @property
    def message_id(self) -> str:
        return str(self.shape["id"])

    def reference(self, index: int, kind: int = 0) -> Json:
        """Return a reference to this channel's message at an index."""
        return self.reference_to(self.world.timeline(self.channel.channel_id).id_at(index), kind)

    def reference_to(self, message_id: str, kind: int = 0) -> Json:
        """Return a reference to a message of this channel."""
        where: Json = {"type": kind, "message_id": message_id, "channel_id": self.channel.channel_id}
        return where | ({"guild_id": self.channel.guild_id} if self.channel.guild_id else {})


def _plain(_draft: Draft) -> None:
    """Stay as it is."""


def _reply(draft: Draft) -> None:
    if draft.index:
        target = max(0, draft.index - draft.dice.randint(1, 9))
        draft.shape |= {
            "type": 19,
            "message_reference": draft.reference(target),
            "referenced_message": draft.earlier(target),
        }


def _reply_to_deleted(draft: Draft) -> None:
    gone = str(int(draft.message_id) - 4096)
    draft.shape |= {"type": 19, "message_reference": draft.reference_to(gone), "referenced_message": None}


def _forward(draft: Draft) -> None:
    if draft.index:
        original = draft.earlier(0)
        kept = ("type", "content", "timestamp", "edited_timestamp", "attachments", "embeds", "flags")
        snapshot = {name: original[name] for name in kept} | {"mentions": [], "mention_roles": [], "components": []}
        snapshot["attachments"] = [_attachment(draft, "forwarded.png", 4, content_type="image/png")]
        draft.shape |= {
            "content": "",
            "flags": 1 << 14,
            "message_reference": draft.reference(0, 1),
            "message_snapshots": [{"message": snapshot}],
        }


def _attachments(draft: Draft) -> None:
    draft.shape["attachments"] = [
        _attachment(draft, "picture ü.png", 1, content_type="image/png", width=640, height=480),
        _attachment(draft, "SPOILER_notes.pdf", 2, content_type="application/pdf"),
    ]


def _voice_message(draft: Draft) -> None:
    sound = _attachment(draft, "voice-message.ogg", 3, content_type="audio/ogg", duration_secs=4.2, waveform="AAAA")
    draft.shape |= {"content": "", "flags": 1 << 13, "attachments": [sound]}


def _attachment(draft: Draft, filename: str, number: int, /, **more: object) -> Json:
    attachment_id = str(int(draft.message_id) - number)
    path = f"attachments/{draft.channel.channel_id}/{attachment_id}/{filename.replace(' ', '_')}"
    return {
        "id": attachment_id,
        "filename": filename,
        "size": draft.dice.randint(1, draft.world.largest_attachment),
        "url": f"https://cdn.discordapp.com/{path}?ex=1&is=2&hm=3&",
        "proxy_url": f"https://media.discordapp.net/{path}",
        **more,
    }


def _rich_embed(draft: Draft) -> None:
    picture = {
        "url": "https://example.com/m.png",
        "proxy_url": "https://images-ext-1.discordapp.net/m.png",
        "width": 30,
        "height": 40,
    }
    draft.shape["embeds"] = [
        {
            "type": "rich",
            "title": "Weekly <report> & more",
            "description": "**bold** and\na second line",
            "url": "https://example.com/",
            "color": draft.dice.randint(0, 0xFFFFFF),
            "timestamp": timestamp(draft.message_id),
            "author": {
                "name": "Reporter",
                "url": "https://example.com/a",
                "icon_url": "https://example.com/i.png",
                "proxy_icon_url": "https://images-ext-1.discordapp.net/i.png",
            },
            "thumbnail": picture,
            "image": picture,
            "footer": {"text": "the end", "icon_url": "https://example.com/f.png"},
            "fields": [{"name": "one", "value": "1", "inline": True}, {"name": "two", "value": "2"}],
        }
    ]


def _video_embed(draft: Draft) -> None:
    video = {"url": "https://example.com/v.mp4", "width": 640, "height": 360}
    draft.shape["content"] = "https://example.com/v"
    draft.shape["embeds"] = [
        {"type": "video", "url": "https://example.com/v", "video": video},
        {"type": "gifv", "url": "https://tenor.com/view/1", "video": video},
        {"type": "link", "url": "https://example.com/x", "title": ""},
    ]


def _suppressed_embed(draft: Draft) -> None:
    draft.shape |= {"flags": 4, "embeds": [{"type": "link", "url": "https://example.com/", "title": "t"}]}


def _stickers(draft: Draft) -> None:
    names = ((1, "Wave"), (2, "Apng"), (3, "Lottie"), (4, "Gif"))
    draft.shape |= {
        "content": "",
        "sticker_items": [
            {"id": str(int(draft.message_id) - number), "name": name, "format_type": number} for number, name in names
        ],
    }


def _reactions(draft: Draft) -> None:
    people = len(draft.channel.authors)
    emoji: tuple[tuple[str | None, str, bool], ...] = (
        (None, "👍", False),
        (None, "❤️", False),
        (draft.world.emoji_ids[0], "party", True),
    )
    draft.shape["reactions"] = [
        {
            "emoji": {"id": identifier, "name": name} | ({"animated": animated} if identifier else {}),
            "count": draft.dice.randint(1, people),
            "me": False,
        }
        for identifier, name, animated in emoji
    ]


def _edited(draft: Draft) -> None:
    draft.shape |= {"edited_timestamp": timestamp(draft.message_id, after_s=95.25), "pinned": True}


def _mentions(draft: Draft) -> None:
    people = draft.dice.sample(draft.channel.authors, min(2, len(draft.channel.authors)))
    named = " ".join(f"<@{user.user_id}>" for user in people)
    guild = draft.world.guilds.get(draft.channel.guild_id) if draft.channel.guild_id else None
    role = guild.roles[-1].role_id if guild and guild.roles else None
    draft.shape |= {
        "content": f"{named} <#{draft.channel.channel_id}> <t:1704067200:F> @everyone"
        + (f" <@&{role}>" if role else ""),
        "mention_everyone": True,
        "mentions": [user_shape(user) for user in people],
        "mention_roles": [role] if role else [],
    }


def _emoji(draft: Draft) -> None:
    party, still = draft.world.emoji_ids
    draft.shape["content"] = f"<a:party:{party}> and <:still:{still}> and 👍🏽 🇩🇪 👩‍👩‍👧 ☕ \U0001f9ff"


def _hard_text(draft: Draft) -> None:
    draft.shape["content"] = (
        'quotes " \\ / slash\ttab\nline\u2028sep \u202e<b>&amp;</b> \u0001 \x7f \ufeff 😀 ' + "é" * 40
    )


def _markdown(draft: Draft) -> None:
    draft.shape["content"] = (
        "# head\n- item\n> quote\n||spoiler|| ~~no~~ `code` ```py\nx = 1\n``` [a](https://example.com)"
    )


def _long_text(draft: Draft) -> None:
    draft.shape["content"] = f"#{draft.index} " + "x" * 1990


def _webhook(draft: Draft) -> None:
    webhook_id = str(int(draft.channel.channel_id) + 7)
    hook = {"id": webhook_id, "username": "Deploy Hook", "discriminator": "0000", "avatar": None, "bot": True}
    draft.shape |= {"author": hook, "webhook_id": webhook_id}


def _slash_command(draft: Draft) -> None:
    user = user_shape(draft.dice.choice(draft.channel.authors))
    asked: Json = {"id": str(int(draft.message_id) - 1), "type": 2, "name": "ping", "user": user}
    draft.shape |= {"type": 20, "content": "pong", "interaction": asked, "author": user_shape(draft.world.bot)}


def _poll_result(draft: Draft) -> None:
    fields = [{"name": "poll_question_text", "value": "Tea or coffee?"}]
    draft.shape |= {"type": 46, "content": "", "embeds": [{"type": "poll_result", "fields": fields}]}


def _pinned(draft: Draft) -> None:
    draft.shape |= {"type": 6, "content": "", "message_reference": draft.reference(0)}


def _thread_event(draft: Draft) -> None:
    if draft.channel.kind in THREADS:
        draft.shape |= {"type": 21, "content": "", "referenced_message": None}
    else:
        where: Json = {"channel_id": str(int(draft.message_id) + 1), "guild_id": draft.channel.guild_id}
        draft.shape |= {"type": 18, "content": "a side topic", "message_reference": where}


def _people_event(draft: Draft) -> None:
    if draft.channel.kind in DIRECTS:
        ended = timestamp(draft.message_id, after_s=754.5)
        people = [user.user_id for user in draft.channel.authors]
        draft.shape |= {"type": 3, "content": "", "call": {"participants": people, "ended_timestamp": ended}}
    else:
        draft.shape |= {"type": 7, "content": ""}


def _recipient_event(draft: Draft) -> None:
    user = user_shape(draft.dice.choice(draft.channel.authors))
    draft.shape |= {"type": draft.dice.choice((1, 2)), "content": "", "mentions": [user]}


def _renamed(draft: Draft) -> None:
    draft.shape |= {"type": 4, "content": "a new name"}


def _boost(draft: Draft) -> None:
    draft.shape |= {"type": 8, "content": ""}


def _unknown_kind(draft: Draft) -> None:
    draft.shape |= {"type": 99, "content": "", "a_key_of_tomorrow": {"nested": [1, None, "x"]}}


FEATURES: tuple[Callable[[Draft], None], ...] = (
    _plain, _plain, _reply, _plain, _mentions, _plain, _reactions, _plain, _attachments, _plain,
    _rich_embed, _plain, _edited, _plain, _emoji, _stickers, _plain, _forward, _hard_text, _plain,
    _webhook, _plain, _people_event, _slash_command, _plain, _video_embed, _suppressed_embed, _plain, _markdown,
    _pinned, _plain, _thread_event, _reply_to_deleted, _plain, _voice_message, _boost, _poll_result, _plain,
    _recipient_event, _renamed, _plain, _long_text, _unknown_kind,
)  # fmt: skip
"""What each message in turn is made into."""
