"""Units are judged by systemd itself: ``systemd-analyze verify`` may say nothing at all about them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from dce_play.host.systemd_units import (
    InvalidUnit,
    Service,
    Timer,
    check_unit_name,
    command_line,
    service_text,
    timer_text,
)

ODD = ("/bin/sh", "-c", "echo 100% of $HOME \"quoted\" back\\slash 'single'", "")


def verified(folder: Path, **units: str) -> str:
    """Return what systemd says about units; nothing when they are sound."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    paths = []
    for name, text in units.items():
        path = folder / name.replace("_", ".")
        path.write_text(text, encoding="utf-8")
        paths.append(str(path))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stderr


@pytest.mark.parametrize("notify", [True, False])
def test_systemd_has_nothing_to_say_about_a_service(tmp_path: Path, notify: bool) -> None:
    service = Service(
        description="a test",
        argv=("/bin/true", "--x", "a b"),
        user="root",
        writable=(Path("/var/lib"), Path("/srv/with blank")),
        notify=notify,
        environment=(("A", "b c"),),
    )
    assert verified(tmp_path, test_service=service_text(service)) == ""


def test_systemd_takes_a_timer_with_its_service(tmp_path: Path) -> None:
    service = Service(description="a test", argv=("/bin/true",), user="root", notify=False)
    timer = Timer(description="when", on_calendar="Sun 03:15")
    assert verified(tmp_path, test_service=service_text(service), test_timer=timer_text(timer)) == ""
    assert "Persistent=true" in timer_text(timer)


def test_an_unknown_key_would_be_told(tmp_path: Path) -> None:
    text = service_text(Service(description="a test", argv=("/bin/true",), user="root")) + "[Service]\nWachtdogSec=1\n"
    assert "WachtdogSec" in verified(tmp_path, test_service=text)


def test_words_reach_the_program_as_they_were_given() -> None:
    line = command_line(ODD)
    assert line.startswith('/bin/sh -c "echo 100%% of $$HOME \\"quoted\\" back\\\\slash \'single\'" ""')


@pytest.mark.parametrize("argv", [(), ("sh",), ("/bin/sh", "a\nExecStart=/bin/evil")])
def test_what_systemd_would_read_otherwise_is_refused(argv: tuple[str, ...]) -> None:
    with pytest.raises(InvalidUnit):
        command_line(argv)


@pytest.mark.parametrize("name", ["", "../x", "a b", "a/b", "x" * 300])
def test_names_that_are_no_unit_are_refused(name: str) -> None:
    with pytest.raises(InvalidUnit):
        check_unit_name(name)


def test_a_names_ending_does_not_matter() -> None:
    assert check_unit_name("lab-shipper.service") == check_unit_name("lab-shipper") == "lab-shipper"
