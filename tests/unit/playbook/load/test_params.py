"""Values of declared params: types, precedence, provenance, mistakes."""

from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.playbook.document.document import read_document
from dce_play.playbook.language.model import CallKind, ParamSpec
from dce_play.playbook.language.parse import parse
from dce_play.playbook.load.params import WrongParams, as_names, as_recorded, resolve_params

_TEXT = """\
name: params
params:
  full: {type: bool, default: false, env: DCE_FULL, conflicts: [half]}
  half: {type: bool, default: false}
  days: {type: int, default: 7, min: 1, max: 30}
  ratio: {type: float}
  mode: {type: choice, choices: [fast, slow], default: fast}
  names: {type: list, default: []}
  wait: {type: duration, default: 10m}
  room: {type: size, default: 64MiB}
  channel: {type: snowflake}
  token: {type: secret, default: "env:TOKEN"}
  at: {type: str, pattern: "^[0-9]{2}:[0-9]{2}$"}
steps: []
"""


def _specs(text: str = _TEXT) -> dict[str, ParamSpec]:
    parsed = parse(read_document(Path("/p.yml"), text.encode()), CallKind.PLAYBOOK)
    assert parsed.problems == ()
    return dict(parsed.playbook.params)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("full=false", False), ("full=YES", True), ("full=0", False), ("days=30", 30), ("ratio=0.5", 0.5),
        ("mode=slow", "slow"), ("names=a, b", ["a", "b"]), ('names=["a,b"]', ["a,b"]), ("wait=1h30m", 5400.0),
        ("room=2GB", 2_000_000_000), ("channel=123456789012345678", "123456789012345678"), ("at=04:00", "04:00"),
    ],
)  # fmt: skip
def test_a_text_becomes_its_declared_type(argument: str, value: object) -> None:
    name = argument.partition("=")[0]
    found = resolve_params(_specs(), extra=[argument])[name]
    assert (found.value, type(found.value), found.origin) == (value, type(value), "-e")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("full=maybe", "not a bool"), ("days=31", "above 30"), ("days=1.5", "not a whole number"),
        ("ratio=nan", "not a number"), ("ratio=inf", "not a number"),
        ("mode=fsat", "one of fast, slow"), ("wait=soon", "not a duration"), ("room=big", "not a size"),
        ("channel=general", "not a snowflake"), ("token=hunter2", "env:NAME"), ("at=4 pm", "does not match"),
        ("dayz=3", 'no param "dayz"'), ("days", "name=value"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(argument: str, words: str) -> None:
    with pytest.raises(WrongParams, match=words) as caught:
        resolve_params(_specs(), extra=[argument])
    assert caught.value.exit_code is ExitCode.USAGE


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(WrongParams) as caught:
        resolve_params(_specs(), extra=["dayz=3"])
    assert caught.value.hint == 'did you mean "days"?'


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(WrongParams) as caught:
        resolve_params(_specs(), extra=["days=0", "full=x"], options={"mode": "no"})
    assert len(caught.value.mistakes) == 3


def test_later_sources_win_and_each_is_told(tmp_path: Path) -> None:
    values = tmp_path / "values.yml"
    values.write_text("days: 3\nmode: slow\nwait: 5s\n", encoding="utf-8")
    found = resolve_params(
        _specs(),
        extra=["mode=fast", f"@{values}", "days=4"],
        options={"days": "5"},
        environment={"DCE_FULL": "true", "UNRELATED": "x"},
    )
    origins = {name: each.origin for name, each in found.items()}
    assert found["days"].value == 5
    assert (origins["days"], origins["mode"], origins["full"], origins["half"]) == (
        "--days",
        "-e",
        "DCE_FULL",
        "default",
    )
    assert (found["wait"].value, origins["wait"]) == (5.0, f"{values}:3:1")


def test_defaults_have_their_types_too() -> None:
    found = as_names(resolve_params(_specs()))
    assert (found["wait"], found["room"], found["ratio"]) == (600.0, 64 << 20, None)


def test_conflicts_and_missing_params_are_refused() -> None:
    with pytest.raises(WrongParams, match="--full and --half cannot go together"):
        resolve_params(_specs(), extra=["full=true", "half=true"])
    resolve_params(_specs(), extra=["full=true", "half=false"])
    with pytest.raises(WrongParams, match="give --where"):
        resolve_params(_specs("name: x\nparams: {where: {type: path, required: true}}\nsteps: []\n"))


@pytest.mark.contract("R-11.13")
def test_a_secret_is_only_ever_a_reference() -> None:
    found = resolve_params(_specs(), extra=["token=keyring:discord"])
    assert as_recorded(found)["token"] == "keyring:discord"
    assert "hunter" not in repr(found)
