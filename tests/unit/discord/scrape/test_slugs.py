from pathlib import Path

import pytest

from dce_play.discord.scrape.slugs import slug, summary_path

RUN, FOLDER = Path("/run"), Path("/work")


def path_of(target: str, *among: str, environment: dict[str, str] | None = None) -> Path:
    return summary_path(target, among=among or (target,), run_folder=RUN, environment=environment or {}, folder=FOLDER)


@pytest.mark.contract("R-14.08", "J-09")
def test_other_characters_become_underscores() -> None:
    assert slug("weird name!") == "weird_name_"


@pytest.mark.contract("R-14.08", "R-8.06")
def test_targets_whose_slugs_are_equal_do_not_share_a_file() -> None:
    names = ("a b", "a_b", "a!b")
    assert len({path_of(name, *names) for name in names}) == 3


@pytest.mark.contract("D-42", "R-8.06")
def test_the_environments_path_is_made_one_for_each_target() -> None:
    environment = {"DCE_RUN_SUMMARY_FILE": "logs/x.json"}
    assert path_of("demo", environment=environment) == FOLDER / "logs/x.json"
    several = {path_of(name, "one", "two", environment=environment) for name in ("one", "two")}
    assert several == {FOLDER / "logs/x-one.json", FOLDER / "logs/x-two.json"}
