"""Tests of emoji, their codes and images."""

import pytest

from dce_play.discord.exporters.discord_api.convert.emoji import (
    Emoji,
    emoji_object,
    parse_emoji,
    short_code,
    with_short_code,
)


@pytest.mark.parametrize(
    ("character", "code"),
    [
        ("\U0001f600", "grinning"),
        ("\U0001f44d", "thumbsup"),
        ("\U0001f44d\U0001f3fd", "thumbsup_tone3"),
        ("\U0001f389", "tada"),
        ("\u2764\ufe0f", "heart"),
        ("\u2764", None),
        ("\u2600", None),
        ("\u2600\ufe0f", "sunny"),
        ("\u270c\U0001f3fb", "v_tone1"),
        ("\U0001f1e9\U0001f1ea", "flag_de"),
        ("\U0001f970", "smiling_face_with_3_hearts"),
        ("\U0001f937", "person_shrugging"),
        ("\U0001f469\U0001f3ff\u200d\U0001f4bb", "woman_technologist_tone5"),
        ("\U0001f3fd", None),
        ("\U0001f9d1\U0001f3fb\u200d\U0001f91d\u200d\U0001f9d1\U0001f3ff", "people_holding_hands_tone1_tone5"),
        ("x", None),
    ],
)
@pytest.mark.contract("R-16.01")
def test_standard_emoji_have_discords_short_codes(character: str, code: str | None) -> None:
    assert short_code(character) == code


def test_what_has_no_code_is_written_as_it_is() -> None:
    assert Emoji(None, "\U0001f3fd").code == "\U0001f3fd"


def test_a_short_code_leads_back_to_its_character() -> None:
    assert with_short_code("tada") == "\U0001f389"
    assert with_short_code("white_check_mark") == "\u2705"
    assert with_short_code("palms_up_together_medium_light_skin_tone") == "\U0001f932\U0001f3fc"
    assert with_short_code("no_such_emoji") is None


def test_joined_emoji_keep_the_selector_in_their_images_name() -> None:
    joined = Emoji(None, "\U0001f3f3\ufe0f\u200d\U0001f308")
    alone = Emoji(None, "\u2764\ufe0f")

    assert joined.image_url.endswith("/1f3f3-fe0f-200d-1f308.svg")
    assert alone.image_url.endswith("/2764.svg")


@pytest.mark.contract("F-D4")
def test_a_deleted_custom_emoji_still_has_an_image() -> None:
    emoji = parse_emoji({"id": "7", "name": None, "animated": True})

    assert emoji_object(emoji) == {
        "id": "7",
        "name": "Unknown Emoji",
        "code": "Unknown Emoji",
        "isAnimated": True,
        "imageUrl": "https://cdn.discordapp.com/emojis/7.gif",
    }
