import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.discord.targets.keys import MOST_JOBS
from dce_play.discord.targets.model import Discover, TargetKind, TargetsFile
from dce_play.discord.targets.parse import check_targets, parse_targets
from dce_play.playbook.document.document import load_document
from dce_play.source import InvalidDocument

Change = Callable[[dict[str, object], dict[str, object]], object]


def parse(folder: Path, value: object) -> TargetsFile:
    path = folder / "scrape-targets.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
    return parse_targets(load_document(path))


def config(folder: Path, *targets: dict[str, object], **top: object) -> dict[str, object]:
    listed = targets or ({"name": "demo", "output_dir": str(folder / "archives/demo")},)
    return {"archive_root": str(folder / "archives"), "targets": list(listed), **top}


def refusal(folder: Path, value: object) -> str:
    with pytest.raises(InvalidDocument) as caught:
        parse(folder, value)
    return "\n".join(f"{problem.span.line}: {problem.message} | {problem.hint}" for problem in caught.value.problems)


@pytest.mark.contract("R-1.14", "R-1.10", "D-05")
def test_every_key_of_the_operators_file_is_read(tmp_path: Path) -> None:
    target: dict[str, object] = {
        "name": "demo",
        "kind": "dms",
        "output_dir": str(tmp_path / "archives/demo"),
        "enabled": False,
        "disabled_reason": "no rights",
        "guild_ids": ["1234567890123456789"],
        "channel_ids": ["2234567890123456789", "2234567890123456789"],
        "guild_name_patterns": ["KotOR"],
        "include_threads": "none",
        "include_voice_channels": False,
        "container_memory": "8g",
        "discover": "always",
    }
    plain: dict[str, object] = {"name": "plain", "output_dir": str(tmp_path / "archives/plain/")}
    defaults = {"include_threads": "active", "include_voice_channels": True}
    made = parse(tmp_path, config(tmp_path, target, plain, defaults=defaults))
    demo, other = made.targets
    assert (demo.kind, demo.enabled, demo.disabled_reason) == (TargetKind.DMS, False, "no rights")
    assert (demo.guild_ids, demo.channel_ids) == (("1234567890123456789",), ("2234567890123456789",))
    assert (demo.guild_name_patterns, demo.container_memory) == (("KotOR",), "8g")
    assert (demo.include_threads, demo.include_voice_channels, demo.discover) == ("none", False, Discover.ALWAYS)
    assert (other.include_threads, other.include_voice_channels, other.enabled) == ("active", True, True)
    assert made.archive_root == tmp_path / "archives"


@pytest.mark.contract("R-1.14")
def test_yaml_says_the_same_as_json(tmp_path: Path) -> None:
    given_config = config(tmp_path)
    from_json = parse(tmp_path, given_config)
    path = tmp_path / "scrape-targets.yml"
    path.write_text(
        f"archive_root: {tmp_path}/archives\ntargets:\n  - name: demo\n    output_dir: {tmp_path}/archives/demo\n"
    )
    assert parse_targets(load_document(path)).targets == from_json.targets


@pytest.mark.contract("R-1.01", "R-1.02", "R-1.03", "R-1.04", "D-36", "D-37", "E-05", "E-07")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda top, _: top.pop("archive_root"), "needs archive_root"),
        (lambda top, _: top.update(archive_root="archives"), "must be an absolute path"),
        (lambda top, _: top.update(archive_root="../here"), "write /"),
        (lambda top, _: top.update(targets=[]), "at least one target"),
        (lambda top, _: top.update(targets={}), "must be a list"),
        (lambda top, _: top.update(chanels=1), "unknown key 'chanels'"),
        (lambda _, target: target.pop("name"), "needs name"),
        (lambda _, target: target.pop("output_dir"), "needs output_dir"),
        (lambda _, target: target.update(chanel_ids=[]), 'did you mean "channel_ids"'),
        (lambda _, target: target.update(kind="server"), "kind cannot be 'server'"),
        (lambda _, target: target.update(enabled="false"), "must be true or false"),
        (lambda _, target: target.update(include_threads="some"), "include_threads cannot be"),
        (lambda _, target: target.update(container_memory="lots"), "not a size"),
        (lambda _, target: target.update(channel_ids=["123"]), "not a Discord id"),
        (lambda _, target: target.update(channel_ids="1234567890123456789"), "must be a list"),
        (lambda _, target: target.update(name="a\tb"), "printable"),
        (lambda top, _: top.update(defaults=[]), "defaults must be a mapping"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, change: Change, words: str) -> None:
    target: dict[str, object] = {"name": "demo", "output_dir": str(tmp_path / "archives/demo")}
    top = config(tmp_path, target)
    change(top, target)
    assert words in refusal(tmp_path, top)


@pytest.mark.contract("R-1.01", "E-07")
def test_all_mistakes_of_a_file_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    first: dict[str, object] = {"name": "a", "output_dir": str(tmp_path / "archives/x"), "kind": "server"}
    second: dict[str, object] = {"name": "a", "output_dir": str(tmp_path / "elsewhere"), "colour": "red"}
    told = refusal(tmp_path, config(tmp_path, first, {**second, "name": 7}))
    assert len(told.splitlines()) == 3
    assert [line.split(":")[0] for line in told.splitlines()] == ["7", "10", "12"]


@pytest.mark.contract("R-1.05", "D-27")
def test_an_id_written_as_a_number_is_refused_with_all_its_digits(tmp_path: Path) -> None:
    text = json.dumps(config(tmp_path)).replace('"name"', '"channel_ids": [1234567890123456789], "name"')
    told = refusal(tmp_path, text)
    assert "1234567890123456789 is a number" in told
    assert '"1234567890123456789"' in told


@pytest.mark.contract("R-1.06", "R-1.08", "D-26", "E-03")
@pytest.mark.parametrize(
    "place", ["archives-other/demo", "archives/../demo", "archives/./demo", "archives", "archives/", "elsewhere"]
)
def test_a_folder_outside_the_root_is_refused(tmp_path: Path, place: str) -> None:
    refusal(tmp_path, config(tmp_path, {"name": "demo", "output_dir": f"{tmp_path}/{place}"}))


@pytest.mark.contract("R-1.06")
def test_a_relative_folder_is_refused(tmp_path: Path) -> None:
    assert "absolute" in refusal(tmp_path, config(tmp_path, {"name": "demo", "output_dir": "archives/demo"}))


@pytest.mark.contract("R-1.06", "D-26")
def test_a_symlink_out_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "archives/demo").symlink_to(tmp_path / "outside")
    told = refusal(tmp_path, config(tmp_path))
    assert "outside archive_root" in told
    assert str(tmp_path / "outside") in told


@pytest.mark.contract("R-1.07", "D-26", "E-07")
@pytest.mark.parametrize("other", ["demo", "demo/", "/demo", "demo/inner", "link"])
def test_folders_that_are_equal_or_nested_are_refused(tmp_path: Path, other: str) -> None:
    root = tmp_path / "archives"
    (root / "demo").mkdir(parents=True)
    (root / "link").symlink_to(root / "demo")
    first: dict[str, object] = {"name": "one", "output_dir": f"{root}/demo"}
    second: dict[str, object] = {"name": "two", "output_dir": f"{root}/{other}"}
    told = refusal(tmp_path, config(tmp_path, first, second))
    assert "'two'" in told
    assert "'one'" in told


@pytest.mark.contract("R-1.01")
def test_two_targets_of_one_name_are_refused(tmp_path: Path) -> None:
    targets: list[dict[str, object]] = [
        {"name": "demo", "output_dir": f"{tmp_path}/archives/{folder}"} for folder in ("a", "b")
    ]
    assert "duplicate target name 'demo'" in refusal(tmp_path, config(tmp_path, *targets))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["archive_root", "targets", "defaults", "name", "output_dir", "kind", "channel_ids"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_the_values_are_there_are_problems_or_a_targets_file(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    path = tmp_path_factory.mktemp("any") / "t.json"
    path.write_text(json.dumps(value))
    made, problems = check_targets(load_document(path))
    assert (made is None) == bool(problems)


@pytest.mark.parametrize("jobs", [0, MOST_JOBS + 1, True, "4"])
def test_so_many_media_are_fetched_at_a_time_and_no_more(tmp_path: Path, jobs: object) -> None:
    def target(value: object) -> dict[str, object]:
        return {"name": "demo", "output_dir": str(tmp_path / "archives/demo"), "media_jobs": value}

    for good in (1, MOST_JOBS):
        assert parse(tmp_path, config(tmp_path, target(good))).targets[0].media.jobs == good
    assert f"media_jobs must be a whole number from 1 to {MOST_JOBS}" in refusal(
        tmp_path, config(tmp_path, target(jobs))
    )
