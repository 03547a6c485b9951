import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dce_play.cli.app.main import main, root

GUILD = "754679440998400000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DCE_CONFIG_FILE", raising=False)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(root, ["targets", *words], catch_exceptions=False)


def test_adding_the_first_target_makes_a_file_that_is_sound(folder: Path) -> None:
    run("add", "lab", "--archive-root", str(folder / "archives"), "--guild", GUILD)
    assert run("check").output.endswith("1 target, 1 enabled, sound\n")
    assert run("list").output == f"lab\tguild\t{folder}/archives/lab\n"


@pytest.mark.contract("R-1.16", "E-14")
def test_the_list_is_tab_separated_and_has_disabled_targets_too(folder: Path) -> None:
    targets = [
        {"name": "a b", "output_dir": f"{folder}/x/a"},
        {"name": "off", "output_dir": f"{folder}/x/off", "enabled": False, "kind": "dms"},
    ]
    (folder / "scrape-targets.json").write_text(json.dumps({"archive_root": f"{folder}/x", "targets": targets}))
    assert run("list").output == f"a b\tguild\t{folder}/x/a\noff\tdms\t{folder}/x/off\n"


def test_adding_to_a_yaml_file_keeps_comments_order_and_quotes(folder: Path) -> None:
    path = folder / "scrape-targets.yml"
    before = f"""# ours, since 2019
archive_root: "{folder}/x"   # the big disk
targets:
  # the first one
  - name: 'one'
    output_dir: {folder}/x/one
"""
    path.write_text(before)
    run("add", "two", "--channel", GUILD)
    after = path.read_text()
    assert after.startswith(before)
    assert GUILD in after
    assert run("list").output.count("\n") == 2


@pytest.mark.contract("R-1.01")
def test_a_target_that_would_make_the_file_unsound_is_refused_and_nothing_is_written(folder: Path) -> None:
    run("add", "one", "--archive-root", str(folder / "x"))
    before = (folder / "scrape-targets.yml").read_bytes()
    assert main(["targets", "add", "one"]) == 3
    assert main(["targets", "add", "two", "--output-dir", "/elsewhere"]) == 3
    assert main(["targets", "add", "two", "--guild", "12"]) == 3
    assert (folder / "scrape-targets.yml").read_bytes() == before


def test_a_dry_run_prints_and_writes_nothing(folder: Path) -> None:
    assert "name: " in run("add", "lab", "--archive-root", str(folder / "x"), "--dry-run").output
    assert list(folder.iterdir()) == []


@pytest.mark.contract("E-02", "E-11")
def test_a_missing_file_is_a_clear_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "check", "--config", "nothing.json"]) == 2
    assert "nothing.json" in capsys.readouterr().err


@pytest.mark.contract("F-L6", "O17")
def test_a_new_target_of_a_guild_looks_for_new_channels(folder: Path) -> None:
    run("add", "lab", "--archive-root", str(folder / "x"), "--guild", GUILD)
    assert "discover: always" in (folder / "scrape-targets.yml").read_text().replace('"', "").replace("'", "")
    run("add", "one", "--channel", GUILD)
    assert (folder / "scrape-targets.yml").read_text().count("discover") == 1
