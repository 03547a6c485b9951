"""The wheel has all that it needs: built, installed into a fresh environment, run from there."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(TOP)], check=True, timeout=120)
    (path,) = folder.glob("dce_play-*.whl")
    return path


def test_playbooks_roles_and_schemas_are_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("playbooks", "roles", "schemas"):
        for path in (TOP / folder).rglob("*"):
            if path.is_file():
                assert f"dce_play/shipped/{path.relative_to(TOP)}" in names
    for path in (TOP / "dce_play" / "pages" / "templates").iterdir():
        assert str(path.relative_to(TOP)) in names


def test_an_installed_wheel_rehearses_the_main_job(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "env"
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, timeout=120)
    # The dependencies of this environment serve that one too: tests fetch nothing. What is installed there comes first.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    done = subprocess.run(
        [str(place / "bin" / "dce-play"), "run", "proof", "--rehearse"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rehearsal passed" in done.stderr
    where = subprocess.run(
        [str(python), "-c", "import dce_play.resources as r; print(r.playbooks_folder())"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert where.stdout.strip() == str(site / "dce_play" / "shipped" / "playbooks")
