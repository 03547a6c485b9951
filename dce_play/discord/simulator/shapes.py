"""Discord's JSON for everything but messages: users, members, roles, guilds, channels."""

from datetime import timedelta

from dce_play.discord.simulator.world import (
    DIRECTS,
    THREADS,
    WITHOUT_MESSAGES,
    Channel,
    Guild,
    Kind,
    Member,
    Role,
    User,
    World,
)
from dce_play.snowflake import snowflake_time

Json = dict[str, object]
"""One JSON object on its way out."""


def timestamp(snowflake: str, *, after_s: float = 0) -> str:
    """Return an id's time, or a time some seconds later, as Discord writes it."""
    moment = snowflake_time(snowflake) + timedelta(seconds=after_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def user_shape(user: User) -> Json:
    """Return a user as it stands inside messages and lists."""
    return {
        "id": user.user_id,
        "username": user.username,
        "discriminator": user.discriminator,
        "global_name": user.global_name,
        "avatar": user.avatar,
        "bot": user.bot,
        "public_flags": 0,
    }


def member_shape(member: Member) -> Json:
    """Return a guild member."""
    return {
        "user": user_shape(member.user),
        "nick": member.nick,
        "roles": list(member.role_ids),
        "avatar": member.avatar,
        "joined_at": timestamp(member.user.user_id),
        "pending": False,
        "deaf": False,
        "mute": False,
        "flags": 0,
    }


def role_shape(role: Role) -> Json:
    """Return a role."""
    return {
        "id": role.role_id,
        "name": role.name,
        "color": role.color,
        "position": role.position,
        "hoist": role.color != 0,
        "managed": False,
        "mentionable": False,
        "permissions": "0",
        "flags": 0,
    }


def guild_shape(guild: Guild, world: World) -> Json:
    """Return a guild."""
    return {
        "id": guild.guild_id,
        "name": guild.name,
        "icon": guild.icon,
        "owner_id": world.user.user_id,
        "features": [],
        "preferred_locale": "en-US",
    }


def channel_shape(channel: Channel, world: World) -> Json:
    """Return a channel, thread or conversation."""
    shape: Json = {
        "id": channel.channel_id,
        "type": int(channel.kind),
        "flags": 0,
        "last_message_id": None if channel.kind is Kind.CATEGORY else world.last_message_id(channel),
    }
    if channel.kind in DIRECTS:
        others = [user_shape(user) for user in channel.authors if user != world.user]
        shape["recipients"] = others
        if channel.kind is Kind.GROUP:
            shape |= {"name": channel.name or None, "icon": None, "owner_id": world.user.user_id}
        return shape
    shape |= {"guild_id": channel.guild_id, "name": channel.name, "parent_id": channel.parent_id}
    if channel.kind in THREADS:
        return shape | _thread_part(channel, world)
    return shape | {
        "position": channel.position,
        "permission_overwrites": [],
        "nsfw": False,
        "topic": channel.topic,
        "rate_limit_per_user": 0,
        **({"available_tags": []} if channel.kind in WITHOUT_MESSAGES - {Kind.CATEGORY} else {}),
    }


def archive_timestamp(thread: Channel, world: World) -> str:
    """Return when a thread was put away, or for an active one when it was made."""
    last = world.last_message_id(thread)
    return timestamp(last, after_s=86_400) if thread.archived and last else timestamp(thread.channel_id)


def _thread_part(thread: Channel, world: World) -> Json:
    count = world.timeline(thread.channel_id).count
    return {
        "owner_id": thread.authors[0].user_id if thread.authors else world.user.user_id,
        "thread_metadata": {
            "archived": thread.archived,
            "archive_timestamp": archive_timestamp(thread, world),
            "auto_archive_duration": 1440,
            "locked": False,
            "create_timestamp": timestamp(thread.channel_id),
        },
        "message_count": count,
        "total_message_sent": count,
        "member_count": min(len(thread.authors), 50),
        "rate_limit_per_user": 0,
    }
