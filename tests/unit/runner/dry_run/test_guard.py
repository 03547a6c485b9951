"""A dry run that would change something is found out, also when the step looks away."""

import _posixsubprocess
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dce_play.errors import ExitCode
from dce_play.runner.dry_run.guard import DryRunBroken, dry_run
from dce_play.system.landlock import landlock_version
from tests.support.processes import python


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "file").write_text("kept", encoding="utf-8")
    (folder / "sub").mkdir()
    return folder


def send_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("192.0.2.1", 9))


def remove_by_folder(place: Path) -> None:
    folder = os.open(place, os.O_RDONLY)
    try:
        os.unlink("file", dir_fd=folder)
    finally:
        os.close(folder)


def attach(place: Path, words: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(words, (str(place / "new"),))


def fork_exec(_place: Path) -> None:
    _posixsubprocess.fork_exec(["true"], [b"/bin/true"])  # type: ignore[call-arg]  # refused before it looks


def bind(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "new"))


def listen(host: str) -> None:
    with socket.socket() as server:
        server.bind((host, 0))


def listen_unbound(family: socket.AddressFamily) -> None:
    with socket.socket(family) as server:
        server.listen()


DEEDS: dict[str, Callable[[Path], object]] = {
    "write": lambda place: (place / "file").write_text("x", encoding="utf-8"),
    "append": lambda place: (place / "file").open("ab"),
    "make": lambda place: os.open(place / "new", os.O_WRONLY | os.O_CREAT),
    "touch": lambda place: (place / "new").touch(),
    "touch again": lambda place: os.utime(place / "file"),
    "remove": lambda place: (place / "file").unlink(),
    "remove by folder": remove_by_folder,
    "rename": lambda place: (place / "file").rename(place / "new"),
    "replace": lambda place: (place / "file").replace(place / "new"),
    "make folder": lambda place: (place / "new").mkdir(),
    "remove folder": lambda place: (place / "sub").rmdir(),
    "remove tree": shutil.rmtree,
    "copy": lambda place: shutil.copyfile(place / "file", place / "new"),
    "truncate": lambda place: os.truncate(place / "file", 0),
    "link": lambda place: (place / "new").hardlink_to(place / "file"),
    "symlink": lambda place: (place / "new").symlink_to("file"),
    "chmod": lambda place: (place / "file").chmod(0o600),
    "database": lambda place: sqlite3.connect(place / "new"),
    "program": lambda _place: subprocess.run(["true"], check=True),
    "shell": lambda _place: os.system("true"),  # noqa: S605
    "spawn": lambda _place: os.posix_spawn("/bin/true", ["true"], {}),
    "connect": lambda _place: socket.create_connection(("192.0.2.1", 80), timeout=1),
    "look up": lambda _place: socket.getaddrinfo("discord.invalid", 443),
    "datagram": lambda _place: send_datagram(),
    "attach": lambda place: attach(place, "ATTACH ? AS other"),
    "vacuum into": lambda place: attach(place, "VACUUM INTO ?"),
    "unix socket": bind,
    "listen everywhere": lambda _place: listen("0.0.0.0"),
    "listen anywhere": lambda _place: listen(""),
    "listen without an address": lambda _place: listen_unbound(socket.AF_INET),
    "listen without an address of six": lambda _place: listen_unbound(socket.AF_INET6),
    "program by the back door": fork_exec,
    "signal": lambda _place: os.kill(os.getpid(), signal.SIGUSR1),
}


@pytest.mark.contract("R-8.02", "F-DRY")
@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_deed_is_refused_and_nothing_has_happened(place: Path, deed: Callable[[Path], object]) -> None:
    with pytest.raises(DryRunBroken) as broken, dry_run():
        deed(place)
    assert broken.value.exit_code == ExitCode.BUG
    assert sorted(path.name for path in place.iterdir()) == ["file", "sub"]
    assert (place / "file").read_text(encoding="utf-8") == "kept"
    assert (place / "file").stat().st_mode & 0o777 == 0o644


def test_a_swallowed_refusal_fails_the_run_all_the_same(place: Path) -> None:
    def clean_up() -> None:
        for path in (place / "file", place / "new"):
            with suppress(Exception):
                path.unlink()

    with pytest.raises(DryRunBroken, match=r"a dry run tried to remove .*/file, and 1 more") as broken, dry_run():
        clean_up()
    assert len(broken.value.deeds) == 2


def test_looking_is_free(place: Path) -> None:
    with dry_run() as wire:
        assert (place / "file").read_text(encoding="utf-8") == "kept"
        assert [path.name for path in sorted(place.iterdir())] == ["file", "sub"]
        os.kill(os.getpid(), 0)
        sqlite3.connect(":memory:").close()
        with Path("/dev/null").open("w", encoding="utf-8") as null:
            null.write("x")
    assert wire.deeds == ()


def test_allowed_folders_stay_writable_and_only_they(place: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "runs"
    run_folder.mkdir()
    (tmp_path / "runs-of-others").mkdir()
    (run_folder / "out").symlink_to(place)
    with suppress(DryRunBroken), dry_run(allowed_writable=(run_folder,)) as wire:
        (run_folder / "events.jsonl").write_text("{}", encoding="utf-8")
        (run_folder / "events.jsonl").replace(run_folder / "moved")
        assert wire.deeds == ()
        for path in (tmp_path / "runs-of-others" / "x", run_folder / ".." / "x", run_folder / "out" / "x"):
            with pytest.raises(DryRunBroken):
                path.write_text("x", encoding="utf-8")
    assert len(wire.deeds) == 3


def test_a_file_cannot_be_moved_out_of_an_archive_into_an_allowed_folder(place: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "runs"
    run_folder.mkdir()
    with pytest.raises(DryRunBroken, match="rename"), dry_run(allowed_writable=(run_folder,)):
        (place / "file").rename(run_folder / "file")


def test_declared_programs_may_start() -> None:
    with dry_run(allowed_programs=("true",)):
        subprocess.run(["/bin/true"], check=True)


def test_loopback_may_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, dry_run():
        socket.create_connection(server.getsockname()).close()
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_other_threads_are_watched_too(place: Path) -> None:
    def write() -> None:
        with suppress(DryRunBroken):
            (place / "new").touch()

    thread = threading.Thread(target=write)

    def work() -> None:
        thread.start()
        thread.join()

    with pytest.raises(DryRunBroken), dry_run():
        work()
    assert not (place / "new").exists()


def test_afterwards_everything_is_allowed_again(place: Path) -> None:
    bytecode = sys.dont_write_bytecode
    with dry_run():
        pass
    (place / "new").touch()
    assert sys.dont_write_bytecode == bytecode


def test_a_first_import_in_a_dry_run_is_no_deed(tmp_path: Path) -> None:
    (tmp_path / "fresh_module.py").write_text("x = 1", encoding="utf-8")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from dce_play.runner.dry_run.guard import dry_run\n"
        "with dry_run(): import fresh_module"
    )
    subprocess.run(python(script, tmp_path), check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["fresh_module.py"]


def test_a_refusal_told_as_another_error_is_still_a_refusal(place: Path) -> None:
    def fail() -> None:
        try:
            (place / "file").unlink()
        except DryRunBroken as error:
            raise ValueError("something else") from error

    with pytest.raises(DryRunBroken) as broken, dry_run():
        fail()
    assert isinstance(broken.value.__cause__, ValueError)


def test_an_error_of_the_step_itself_is_not_hidden(place: Path) -> None:
    with pytest.raises(KeyError), dry_run():
        raise KeyError(place)


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_a_sealed_process_cannot_write_by_way_of_a_declared_program(place: Path, tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; from pathlib import Path\n"
        "from dce_play.runner.dry_run.guard import dry_run, seal_process\n"
        "assert seal_process((Path(sys.argv[1]),))\n"
        "with dry_run(allowed_programs=('touch',)): print(subprocess.run(['touch', sys.argv[2]]).returncode)"
    )
    argv = python(script, tmp_path, place.parent.parent / "elsewhere")
    assert subprocess.run(argv, check=True, capture_output=True).stdout == b"1\n"


@pytest.mark.contract("F-DRY")
def test_a_thread_of_the_block_is_waited_for_and_one_that_goes_on_stays_watched(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused: list[Exception] = []
    go, done = threading.Event(), threading.Event()

    def late() -> None:
        go.wait(20)
        try:
            (place / "new").write_text("x", encoding="utf-8")
        except DryRunBroken as error:
            refused.append(error)
        done.set()

    with dry_run():
        threading.Thread(target=time.sleep, args=(0.2,)).start()
        threading.Thread(target=late, name="late", daemon=True).start()
    go.set()
    assert done.wait(20)
    assert refused
    assert not (place / "new").exists()
    assert "the thread 'late' outlives its dry run" in caplog.text


@pytest.mark.contract("F-DRY")
def test_loopback_may_be_listened_on() -> None:
    with dry_run() as tripwire:
        listen("127.0.0.1")
        socket.create_server(("127.0.0.1", 0)).close()
    assert tripwire.deeds == ()


def test_a_thread_with_the_id_of_one_that_outlived_its_dry_run_may_write(place: Path) -> None:
    enough = threading.Event()
    late = threading.Thread(target=enough.wait, args=(60,))
    with dry_run():
        late.start()
    enough.set()
    late.join(60)
    written: list[int] = []
    for number in range(20):  # the system gives the id of an ended thread to one that comes after
        one = threading.Thread(target=lambda name=str(number): (place / name).write_text("x", encoding="utf-8"))
        one.start()
        one.join(60)
        written += [number] if (place / str(number)).exists() else []
    assert written == list(range(20))
