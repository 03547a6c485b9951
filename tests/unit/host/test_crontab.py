import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.host.crontab import InvalidCrontab, InvalidJob, Job, install, job_line, remove

OTHERS = """MAILTO=ops@example.org
# backup
0 2 * * * /usr/local/bin/backup --all

30 4 * * 0 /usr/local/bin/logrotate
"""


def job(**changes: object) -> Job:
    facts: dict[str, object] = {
        "name": "discord-scrape",
        "schedule": "00 04 1 * *",
        "folder": "/srv/ops",
        "environment": (("DCE_ENV_FILE", "/srv/ops/scrape.env"),),
        "argv": ("/opt/dce-play", "run", "scrape"),
        **changes,
    }
    return Job(**facts)  # type: ignore[arg-type]  # test data


@pytest.mark.contract("R-12.01", "C-01", "C-09")
def test_installing_keeps_every_other_line(tmp_path: Path) -> None:
    assert install(OTHERS, job()).startswith(OTHERS)


@pytest.mark.contract("R-12.01", "C-02", "C-10")
def test_installing_twice_gives_the_same_bytes() -> None:
    once = install(OTHERS, job())
    assert install(once, job()) == once


@pytest.mark.contract("R-12.01", "C-11")
def test_a_changed_schedule_replaces_the_block_where_it_stands() -> None:
    crontab = install("", job()) + "5 5 * * * after\n"
    changed = install(crontab, job(schedule="15 03 * * 0"))
    assert changed == crontab.replace("00 04 1 * *", "15 03 * * 0")


@pytest.mark.contract("R-12.01", "C-04", "C-13")
@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)))
def test_removing_gives_back_what_was_there(lines: list[str]) -> None:
    before = "".join(f"{line}\n" for line in lines)
    assert remove(install(before, job()), "discord-scrape") == before


@pytest.mark.contract("R-12.02", "D-21")
@pytest.mark.parametrize(
    "markers",
    [
        "# BEGIN discord-scrape\n0 0 * * * other\n",
        "# END discord-scrape\n",
        "# END discord-scrape\n# BEGIN discord-scrape\n",
        "# BEGIN discord-scrape\n# BEGIN discord-scrape\n# END discord-scrape\n",
        "# BEGIN discord-scrape\n# END discord-scrape\n# BEGIN discord-scrape\n# END discord-scrape\n",
    ],
)
def test_markers_that_do_not_pair_up_are_refused(markers: str) -> None:
    with pytest.raises(InvalidCrontab, match="nothing was changed"):
        install(OTHERS + markers, job())
    with pytest.raises(InvalidCrontab, match="nothing was changed"):
        remove(OTHERS + markers, "discord-scrape")


@pytest.mark.contract("R-12.05")
def test_the_shell_sees_the_words_that_were_meant(tmp_path: Path) -> None:
    words = ("it's", "50%", "$HOME", 'a "b"', "c d", "`x`", "e\\f")
    folder = tmp_path / "odd % 'folder'"
    folder.mkdir()
    line = job_line(job(folder=str(folder), argv=("printf", "%s\\n", *words), environment=(("X", "a b"),)))
    command = line.removeprefix("00 04 1 * * ").replace("\\%", "%")
    shown = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=10)
    assert shown.stdout.splitlines() == list(words)
    assert "%" not in line.replace("\\%", "")


@pytest.mark.contract("R-12.05")
def test_a_line_break_in_a_path_is_refused() -> None:
    with pytest.raises(InvalidJob):
        job_line(job(folder="/srv/a\nb"))


@pytest.mark.contract("R-12.07")
@pytest.mark.parametrize("name", ["", "a b", "../x", "x;y", "x\n"])
def test_a_job_name_with_other_characters_is_refused(name: str) -> None:
    with pytest.raises(InvalidJob):
        install("", job(name=name))


def test_quoting_survives_a_round_trip_through_the_shells_own_rules() -> None:
    line = job_line(job(argv=("/opt/dce play", "run")))
    assert shlex.split(line.split(" && ", 1)[1])[-2:] == ["/opt/dce play", "run"]
