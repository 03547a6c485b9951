"""The API without HTTP: paging is Discord's, threads are found in the three lists."""

from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.simulator.api import Call, answer
from dce_play.discord.simulator.features import FEATURES
from dce_play.discord.simulator.messages import message_at
from dce_play.discord.simulator.world import Channel, World
from dce_play.discord.simulator.worlds import Size, build_world, rehearsal_world


def ask(world: World, path: str, **query: str | int) -> object:
    return answer(Call(world=world, bot=False, query={name: str(value) for name, value in query.items()}), path)


def ask_as_bot(world: World, path: str) -> object:
    return answer(Call(world=world, bot=True, query={}), path)


def ids(world: World, channel: Channel, **query: str | int) -> list[int]:
    page = ask(world, f"/channels/{channel.channel_id}/messages", **query)
    assert isinstance(page, list)
    return [int(message["id"]) for message in page]


def one_channel(messages: int, seed: int = 1) -> tuple[World, Channel]:
    world = build_world(seed, size=Size(channels=1, messages=messages, users=3))
    return world, next(world.channels())


@given(st.integers(0, 260), st.integers(0, 10_000), st.integers(1, 100))
def test_paging_upwards_gives_every_message_once_and_each_page_newest_first(count: int, seed: int, limit: int) -> None:
    world, channel = one_channel(count, seed)
    seen: list[int] = []
    after = 0
    while page := ids(world, channel, limit=limit, after=after):
        assert page == sorted(page, reverse=True)
        assert len(page) <= limit
        assert min(page) > after
        after = page[0]
        seen += reversed(page)
    assert seen == sorted(set(seen))
    assert len(seen) == count


@given(st.integers(0, 260), st.integers(0, 10_000), st.integers(1, 100))
def test_paging_downwards_gives_the_same_messages(count: int, seed: int, limit: int) -> None:
    world, channel = one_channel(count, seed)
    seen: list[int] = []
    query: dict[str, str | int] = {}
    while page := ids(world, channel, limit=limit, **query):
        seen += page
        query = {"before": page[-1]}
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == count


@given(st.integers(1, 120), st.integers(0, 119), st.integers(1, 100))
def test_around_holds_the_message_itself_between_its_neighbours(count: int, index: int, limit: int) -> None:
    world, channel = one_channel(count)
    index %= count
    middle = int(world.timeline(channel.channel_id).id_at(index))
    page = ids(world, channel, around=middle, limit=limit)
    assert middle in page
    assert page == sorted(page, reverse=True)
    assert len(page) <= limit


def test_deleted_messages_leave_gaps_and_the_last_message_id_stays() -> None:
    world, channel = one_channel(10)
    timeline = world.timeline(channel.channel_id)
    for index in (0, 4, 9):
        world.delete(channel.channel_id, timeline.id_at(index))
    page = ids(world, channel)
    assert page == [int(timeline.id_at(index)) for index in (8, 7, 6, 5, 3, 2, 1)]
    assert ids(world, channel, limit=2, after=0) == page[-2:]
    shape = ask(world, f"/channels/{channel.channel_id}")
    assert isinstance(shape, dict)
    assert shape["last_message_id"] == timeline.id_at(9)


def test_an_edit_changes_content_and_edited_timestamp_and_nothing_else() -> None:
    world, channel = one_channel(3)
    before = message_at(world, channel, 1)
    world.edit(channel.channel_id, world.timeline(channel.channel_id).id_at(1))
    after = message_at(world, channel, 1)
    assert {key for key in after if after[key] != before[key]} == {"content", "edited_timestamp"}


def test_a_million_messages_take_no_memory_and_any_of_them_can_be_asked_for() -> None:
    world, channel = one_channel(1_000_000)
    timeline = world.timeline(channel.channel_id)
    middle = timeline.id_at(700_000)
    assert ids(world, channel, after=middle, limit=1) == [int(timeline.id_at(700_001))]
    assert timeline.index_of(middle) == 700_000


def test_neighbouring_messages_show_every_kind_of_message() -> None:
    world, channel = one_channel(2 * len(FEATURES))
    kinds = {message_at(world, channel, index)["type"] for index in range(len(FEATURES), 2 * len(FEATURES))}
    assert {0, 4, 6, 7, 8, 18, 19, 20, 46, 99} <= kinds


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    def everything(seed: int) -> list[object]:
        world = rehearsal_world(seed)
        return [
            message_at(world, channel, index)
            for channel in world.channels()
            for index in range(world.timeline(channel.channel_id).count)
        ]

    assert everything(1) == everything(1)
    assert everything(1) != everything(2)


def test_users_find_every_thread_by_search_and_bots_by_the_active_and_archived_lists() -> None:
    world = rehearsal_world(1)
    expected = {channel.name for channel in world.channels() if channel.kind in {10, 11, 12}}
    parents = [channel for channel in world.channels() if channel.kind in {0, 15, 16}]

    def names(found: object) -> set[str]:
        assert isinstance(found, dict)
        return {thread["name"] for thread in found["threads"]}

    by_user = {
        name
        for parent in parents
        for archived in ("true", "false")
        for name in names(ask(world, f"/channels/{parent.channel_id}/threads/search", archived=archived))
    }
    by_bot = {
        name for guild in world.guilds for name in names(ask_as_bot(world, f"/guilds/{guild}/threads/active"))
    } | {
        name
        for parent in parents
        for which in ("public", "private")
        for name in names(ask_as_bot(world, f"/channels/{parent.channel_id}/threads/archived/{which}"))
    }
    assert by_user == by_bot == expected


def test_a_forums_thread_begins_with_the_message_that_has_its_id() -> None:
    world = rehearsal_world(1)
    thread = next(channel for channel in world.channels() if channel.name == "first idea")
    assert ids(world, thread, limit=1, after=int(thread.channel_id) - 1) == [int(thread.channel_id)]


def test_reaction_users_are_paged_by_id_and_as_many_as_counted() -> None:
    world = build_world(1, size=Size(channels=1, messages=60, users=250))
    channel = next(world.channels())
    found = 0
    for index in range(60):
        message = message_at(world, channel, index)
        reactions = message.get("reactions", [])
        assert isinstance(reactions, list)
        for reaction in reactions:
            emoji = ":".join(filter(None, (reaction["emoji"]["name"], reaction["emoji"]["id"])))
            seen: list[int] = []
            path = f"/channels/{channel.channel_id}/messages/{message['id']}/reactions/{emoji}"
            while page := ask(world, path, limit=100, after=seen[-1] if seen else 0):
                assert isinstance(page, list)
                seen += [int(user["id"]) for user in page]
            assert seen == sorted(set(seen))
            assert len(seen) == reaction["count"]
            found += 1
    assert found >= 3


def test_a_rehearsals_world_grows_in_channels_of_both_guilds_and_nowhere_else() -> None:
    world = rehearsal_world(1)
    before = {channel.name: world.timeline(channel.channel_id).count for channel in world.channels()}
    world.grow(12)
    grown = {
        channel.name for channel in world.channels() if world.timeline(channel.channel_id).count > before[channel.name]
    }
    assert {"general", "news", "bench", "first idea"} <= grown
    assert not {"quiet", "board-room", "old idea", "ideas", "Weekend plans", ""} & grown
