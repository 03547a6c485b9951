"""``[monitoring]``: mistakes are told with their line, and no address is shown."""

from pathlib import Path

import pytest

from dce_play.cli.run.monitoring_file import project_monitoring, telling_parts
from dce_play.host.monitoring.config import ServiceKind, State, slug
from dce_play.render.problems import render_problems
from dce_play.source import InvalidDocument
from tests.support.bounds import at_most


def write(folder: Path, text: str) -> Path:
    (folder / "dce-play.toml").write_text(text, encoding="utf-8")
    return folder


def test_without_a_table_nobody_is_told(tmp_path: Path) -> None:
    assert project_monitoring(tmp_path) is None
    assert project_monitoring(write(tmp_path, "plugins = true\n")) is None


def test_healthchecks_hears_of_everything_and_the_others_of_failures(tmp_path: Path) -> None:
    text = (
        '[monitoring.healthchecks]\nurl = "env:A"\n[monitoring.ntfy]\nurl = "file:b"\ntoken = "keyring:c"\n'
        '[monitoring.apprise]\nurls = ["env:D", "file:e"]\nstates = ["finish", "fail"]\n'
    )
    found = project_monitoring(write(tmp_path, text))
    assert found is not None
    assert [(each.kind, each.references) for each in found.services] == [
        (ServiceKind.HEALTHCHECKS, ("env:A",)),
        (ServiceKind.NTFY, ("file:b", "keyring:c")),
        (ServiceKind.APPRISE, ("env:D", "file:e")),
    ]
    assert [each.kind for each in found.wanting(State.START)] == ["healthchecks"]
    assert [each.kind for each in found.wanting(State.FINISH)] == ["healthchecks", "apprise"]
    assert len(found.wanting(State.FAIL)) == 3
    assert found.timeout_s == 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[monitoring.ntfy]\nurl = "https://canary"\n', "a secret never stands in a file"),
        ('[monitoring.apprise]\nurls = ["mailto://me:canary@host"]\n', "a secret never stands in a file"),
        ('[monitoring.apprise]\nurls = [\n  "env:A",\n  "mailto://me:canary@host",\n]\n', "never stands in a file"),
        ('[monitoring.apprise]\nurls = "mailto://me:canary@host"\n', "a list of references"),
        ('[monitoring.apprise]\nurls = ["mailto://me:canary@host"\n', "not TOML"),
        ('[monitoring]\ntimeout = "5m"\n', "at most 120 s"),
        ('[monitoring]\ntimeout = "soon"\n', "not a duration"),
        ('[monitoring.ntfy]\nurl = "env:A"\nstates = ["failed"]\n', 'start, finish or fail, not "failed"'),
        ('[monitoring.ntfy]\nstates = ["fail"]\n', "[monitoring.ntfy] does not say where"),
        ('[monitoring.healtchecks]\nurl = "env:A"\n', 'did you mean "healthchecks"'),
    ],
)
def test_each_mistake_is_told_and_no_address_shown(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        project_monitoring(write(tmp_path, text))
    shown = render_problems(caught.value.problems, caught.value.texts, folder=tmp_path)
    assert told in shown
    assert "canary" not in shown
    assert "dce-play.toml:" in shown


def test_a_playbook_s_name_fits_into_an_address() -> None:
    assert slug("playbooks/Proof of Life.yml") == "proof-of-life"
    assert slug("nächtlich_1.yaml") == "n-chtlich_1"


def test_the_parts_of_an_address_that_are_secrets_by_themselves() -> None:
    parts = set(telling_parts("https://user:password1@hc.example/ping/0123456789?key=abcdefghi"))
    assert parts == {"/ping/0123456789", "0123456789", "password1", "abcdefghi"}
    assert not set(telling_parts("no address at all"))


def test_a_monitor_is_asked_for_so_long_and_no_longer(tmp_path: Path) -> None:
    longest = at_most("host.monitoring.config:_LONGEST_S")
    service = '[monitoring.ntfy]\nurl = "env:A"\n'
    found = project_monitoring(write(tmp_path, f'[monitoring]\ntimeout = "{longest}s"\n{service}'))
    assert found is not None
    assert found.timeout_s == longest
    with pytest.raises(InvalidDocument) as caught:
        project_monitoring(write(tmp_path, f'[monitoring]\ntimeout = "{longest + 1}s"\n'))
    assert f"at most {longest} s" in render_problems(caught.value.problems, caught.value.texts, folder=tmp_path)
