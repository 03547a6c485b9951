from pathlib import Path

import pytest

from dce_play.discord.targets.guilds import GuildNotFound, match_guilds
from dce_play.discord.targets.model import Target, TargetKind, TargetsFile
from dce_play.discord.targets.select import NothingSelected, check_narrowing, select_targets
from dce_play.errors import UsageError
from dce_play.snowflake import ChannelId, GuildId

CHANNEL = "111111111111111111"
GUILD = "222222222222222222"


def target(name: str, **more: object) -> Target:
    return Target(name=name, output_dir=Path(f"/a/{name}"), **more)  # type: ignore[arg-type]  # test data


def targets_file(*targets: Target) -> TargetsFile:
    return TargetsFile(path=Path("t.yml"), sha256="", archive_root=Path("/a"), targets=targets)


@pytest.mark.contract("R-1.11", "R-1.12", "D-06")
def test_named_targets_come_in_file_order_once_and_also_when_disabled() -> None:
    file = targets_file(target("one"), target("two", enabled=False), target("three"))
    assert [each.name for each in select_targets(file, ["three", "two", "three"])] == ["two", "three"]
    assert [each.name for each in select_targets(file, [])] == ["one", "three"]


@pytest.mark.contract("R-6.04", "D-14")
def test_an_unknown_target_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(NothingSelected) as caught:
        select_targets(targets_file(target("kotor")), ["kotro"])
    assert "kotor" in caught.value.hint
    assert caught.value.exit_code == 5


def test_no_enabled_target_is_an_error() -> None:
    with pytest.raises(NothingSelected):
        select_targets(targets_file(target("one", enabled=False)), [])


@pytest.mark.contract("R-6.05")
@pytest.mark.parametrize("count", [0, 2])
def test_narrowing_needs_exactly_one_target(count: int) -> None:
    chosen = [target(str(number)) for number in range(count)]
    with pytest.raises(UsageError, match="exactly one target"):
        check_narrowing(chosen, channels=[CHANNEL], guilds=[])


@pytest.mark.parametrize(
    ("chosen", "channels", "guilds"),
    [
        (target("dms", kind=TargetKind.DMS), [], [GUILD]),
        (target("scoped", channel_ids=(ChannelId(CHANNEL),)), [], [GUILD]),
        (target("scoped", channel_ids=(ChannelId(CHANNEL),)), ["333333333333333333"], []),
        (target("any"), ["12"], []),
        (target("any"), ["１１１１１１１１１１１１１１１１１１"], []),
    ],
)
def test_narrowing_that_the_target_does_not_allow_is_refused(
    chosen: Target, channels: list[str], guilds: list[str]
) -> None:
    with pytest.raises(UsageError):
        check_narrowing([chosen], channels=channels, guilds=guilds)


def test_narrowing_keeps_each_id_once() -> None:
    assert check_narrowing([target("any")], channels=[CHANNEL, CHANNEL], guilds=[]) == ((CHANNEL,), ())


@pytest.mark.contract("R-1.09", "D-07")
@pytest.mark.parametrize(
    ("patterns", "name", "fits"),
    [
        (("KotOR",), "The kotor-club!", True),
        (("The KotOR club of Berlin",), "kotor", True),
        (("日本",), "日本語サーバー", True),
        (("kotor",), "!!! ★", False),
        (("***",), "kotor", False),
        (("other",), "kotor", False),
    ],
)
def test_a_pattern_fits_by_letters_and_digits_of_any_script(patterns: tuple[str, ...], name: str, fits: bool) -> None:
    chosen = target("demo", guild_name_patterns=patterns)
    if fits:
        assert match_guilds(chosen, [(GuildId(GUILD), name)]) == (GUILD,)
    else:
        with pytest.raises(GuildNotFound, match="matched no guild"):
            match_guilds(chosen, [(GuildId(GUILD), name)])


@pytest.mark.contract("R-1.09")
def test_more_than_one_fitting_guild_is_an_error_naming_them() -> None:
    guilds = [(GuildId(GUILD), "kotor one"), (GuildId(CHANNEL), "kotor two")]
    with pytest.raises(GuildNotFound, match=f"multiple guilds .{GUILD}, {CHANNEL}"):
        match_guilds(target("demo", guild_name_patterns=("kotor",)), guilds)


def test_explicit_guild_ids_win_over_patterns() -> None:
    chosen = target("demo", guild_ids=(GuildId(GUILD),), guild_name_patterns=("zzz",))
    assert match_guilds(chosen, []) == (GUILD,)
