"""Is a person there: the decision over what was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.backup import attended
from dce_play.backup.attended import CI_VARIABLES, SCHEDULERS, Seen, admit, decide
from dce_play.backup.errors import BackupError
from dce_play.errors import ExitCode


def seen(**changes: object) -> Seen:
    facts: dict[str, object] = {
        "terminal": "/dev/pts/3", "environment": {}, "ancestors": ("bash", "sshd", "systemd"), "pid": 100,
        "parent_pid": 99, **changes,
    }  # fmt: skip
    return Seen(**facts)  # type: ignore[arg-type]  # facts of a test


@pytest.mark.contract("B1", "N13")
@pytest.mark.parametrize("name", CI_VARIABLES)
@pytest.mark.parametrize(("value", "there"), [("true", False), ("1", False), ("", True), ("0", True), ("false", True)])
def test_a_variable_of_a_ci_says_nobody(name: str, value: str, *, there: bool) -> None:
    assert decide(seen(environment={name: value})).attended is there


@pytest.mark.contract("B1", "N13")
@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_scheduler_above_says_nobody_though_the_kernel_cuts_its_name(name: str) -> None:
    assert not decide(seen(ancestors=("sh", name[:15], "init"))).attended


@pytest.mark.contract("N13")
@pytest.mark.parametrize(
    ("environment", "there"),
    [
        ({"SYSTEMD_EXEC_PID": "100"}, False),
        ({"SYSTEMD_EXEC_PID": "99"}, False),
        ({"SYSTEMD_EXEC_PID": "1"}, True),
        ({"INVOCATION_ID": "0123"}, True),
    ],
)
def test_a_unit_says_nobody_and_an_inherited_id_proves_nothing(environment: dict[str, str], *, there: bool) -> None:
    assert decide(seen(environment=environment)).attended is there


@pytest.mark.contract("N13")
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8)), st.lists(st.text(max_size=15), max_size=5))
def test_without_a_terminal_nobody_is_there(environment: dict[str, str], ancestors: list[str]) -> None:
    assert not decide(seen(terminal="", environment=environment, ancestors=tuple(ancestors))).attended


def test_refused_is_77_with_what_to_do_and_allowed_is_on_record() -> None:
    nobody = seen(terminal="")
    with pytest.raises(BackupError) as caught:
        admit(nobody, allow_unattended=False, what="taking a backup")
    assert caught.value.exit_code == ExitCode.UNATTENDED
    assert "ssh -t" in caught.value.hint
    record = admit(nobody, allow_unattended=True, what="taking a backup")
    assert (record.attended, record.allowed_by) == (False, "--allow-unattended")
    assert admit(seen(), allow_unattended=True, what="x").allowed_by == "terminal"


def test_so_many_processes_above_ours_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    all_of_them = list(attended._ancestors())
    assert 2 <= len(all_of_them) < attended._DEEPEST
    monkeypatch.setattr(attended, "_DEEPEST", len(all_of_them))
    assert list(attended._ancestors()) == all_of_them
    monkeypatch.setattr(attended, "_DEEPEST", len(all_of_them) - 1)
    assert list(attended._ancestors()) == all_of_them[:-1]
