"""Ready-made worlds: the one that rehearsals use, and one of any size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dce_play.discord.simulator.world import Access, Channel, Guild, Kind, Member, Role, User, World
from dce_play.snowflake import ChannelId, GuildId, first_snowflake_at

REHEARSAL_GROWTH = 12
"""How many messages a rehearsal's world grows by before its second pass."""

_BIRTH = datetime(2022, 3, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How big a world is."""

    guilds: int = 1
    channels: int = 3
    """Text channels in each guild."""
    messages: int = 250
    """In each text channel."""
    users: int = 8
    largest_attachment: int = 200_000
    """In bytes."""


class _Ids:
    """Fresh snowflakes, one an hour from a world's birth on; the seed sets their low bits apart."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        moment = first_snowflake_at(_BIRTH + timedelta(hours=self._count))
        return str(int(moment) | (self._seed * 2_654_435_761 + self._count) % (1 << 22))


def build_world(seed: int = 1, /, *, size: Size | None = None, bot_reads_content: bool = True) -> World:
    """Return a plain world: guilds with as many text channels, messages and users as asked for."""
    size = size or Size()
    ids = _Ids(seed)
    people = list(_people(ids, size.users))
    guilds = [_guild(ids, f"Lab Guild {number}", people) for number in range(1, size.guilds + 1)]
    world = _world(seed, ids, people, guilds, bot_reads_content=bot_reads_content, largest=size.largest_attachment)
    for guild in guilds:
        for position in range(size.channels):
            channel = Channel(
                channel_id=ChannelId(ids()),
                kind=Kind.TEXT,
                name=f"room-{position + 1}",
                guild_id=guild.guild_id,
                position=position,
                authors=tuple(people),
            )
            world.add(channel, messages=size.messages)
    return world


def rehearsal_world(seed: int = 1, /) -> World:
    """Return the world of rehearsals: two guilds with every kind of channel, conversations, a few hundred messages.

    The first guild, ``Lab Guild``, has text, news, voice, an empty and a forbidden channel, a forum and threads;
    the second, ``Workshop``, one text channel and one media channel. Only the guilds grow.
    """
    ids = _Ids(seed)
    people = list(_people(ids, 7))
    lab, workshop = _guild(ids, "Lab Guild", people[:-1]), _guild(ids, "Workshop / Ünïcode", people[:4])
    world = _world(seed, ids, people, [lab, workshop], largest=Size().largest_attachment)
    build = _Builder(world=world, ids=ids, authors=tuple(people))
    main = build(lab, Kind.CATEGORY, "Main Hall")
    general = build(lab, Kind.TEXT, "general", parent=main, messages=160, topic="100% synthetic")
    build(lab, Kind.NEWS, "news", parent=main, messages=45, position=1)
    build(lab, Kind.TEXT, "quiet", parent=main, position=2, grows=False)
    build(lab, Kind.TEXT, "board-room", parent=main, messages=30, position=3, access=Access.NO_MESSAGES)
    back = build(lab, Kind.CATEGORY, "Back Office", position=1)
    build(lab, Kind.VOICE, "voice chat", parent=back, messages=5)
    build(lab, Kind.STAGE, "stage", parent=back, messages=2, position=1)
    forum = build(lab, Kind.FORUM, "ideas", parent=back, position=2)
    build(lab, Kind.PUBLIC_THREAD, "first idea", parent=forum, messages=20)
    build(lab, Kind.PUBLIC_THREAD, "old idea", parent=forum, messages=12, archived=True)
    build(lab, Kind.PUBLIC_THREAD, "side talk", parent=general, messages=25)
    build(lab, Kind.PUBLIC_THREAD, "old side talk", parent=general, messages=9, archived=True)
    build(lab, Kind.PRIVATE_THREAD, "hush", parent=general, messages=6, archived=True)
    build(workshop, Kind.TEXT, "bench", messages=101)
    gallery = build(workshop, Kind.MEDIA, "gallery", position=1)
    build(workshop, Kind.PUBLIC_THREAD, "first picture", parent=gallery, messages=4)
    build(None, Kind.DIRECT, "", messages=14, authors=(world.user, people[1]), grows=False)
    build(None, Kind.GROUP, "Weekend plans", messages=11, authors=(world.user, people[2], people[3]), grows=False)
    return world


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """Adds channels to a world, one a call."""

    world: World
    ids: _Ids
    authors: tuple[User, ...]

    def __call__(  # noqa: PLR0913 - a table of channels reads best with every column named
        self,
        guild: Guild | None,
        kind: Kind,
        name: str,
        /,
        *,
        parent: Channel | None = None,
        messages: int = 0,
        position: int = 0,
        topic: str | None = None,
        access: Access = Access.READ,
        archived: bool = False,
        grows: bool = True,
        authors: tuple[User, ...] | None = None,
    ) -> Channel:
        channel = Channel(
            channel_id=ChannelId(self.ids()),
            kind=kind,
            name=name,
            guild_id=guild.guild_id if guild else None,
            parent_id=parent.channel_id if parent else None,
            position=position,
            topic=topic,
            authors=authors or self.authors,
            archived=archived,
            access=access,
            grows=grows,
        )
        self.world.add(channel, messages=messages)
        return channel


def _world(
    seed: int,
    ids: _Ids,
    people: list[User],
    guilds: Iterable[Guild],
    /,
    *,
    largest: int,
    bot_reads_content: bool = True,
) -> World:
    bot = User(user_id=ids(), username="labbot", discriminator="4242", global_name="Lab Bot", bot=True)
    world = World(
        seed=seed,
        user_token=f"simulated-user-token-{seed}",
        bot_token=f"simulated-bot-token-{seed}",
        user=people[0],
        bot=bot,
        guilds=guilds,
        emoji_ids=(ids(), ids()),
        bot_reads_content=bot_reads_content,
    )
    world.largest_attachment = largest
    return world


def _people(ids: _Ids, count: int) -> Iterator[User]:
    known = (
        ("ada", "Ada L.", "a_11111111111111111111111111111111"),
        ("bob", "Bob", None),
        ("cy", "Çelik 漢字", "22222222222222222222222222222222"),
        ("dee", None, None),
    )
    for number in range(count):
        name, shown, avatar = known[number % len(known)]
        suffix = str(number) if number >= len(known) else ""
        yield User(user_id=ids(), username=name + suffix, global_name=shown and shown + suffix, avatar=avatar)


def _guild(ids: _Ids, name: str, members: list[User]) -> Guild:
    guild_id = GuildId(ids())
    mods, blue = ids(), ids()
    roles = (
        Role(role_id=guild_id, name="@everyone"),
        Role(role_id=mods, name="Mods", color=15158332, position=2),
        Role(role_id=blue, name="Blue", color=3447003, position=1),
    )
    return Guild(
        guild_id=guild_id,
        name=name,
        icon="ffffffffffffffffffffffffffffffff",
        roles=roles,
        members=tuple(
            Member(
                user=user,
                nick=f"{user.username} 🎩" if number % 3 == 1 else None,
                avatar="a_77777777777777777777777777777777" if number % 3 == 2 else None,
                role_ids=((mods, blue), (blue,), ())[number % 3],
            )
            for number, user in enumerate(members)
        ),
    )
