"""What it costs to start: the commands that scripts call often, and a run of one step, beside ``python -c pass``.

Run: ``python -m benchmarks.bench_startup [rounds]``. The commands take turns, so that all see the same neighbours.
Fails when one is over its budget in ``budgets.tsv``.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.budget import hold
from benchmarks.generate import CHANNEL_ID, write_export

BASE = "python -c pass"
ARCHIVE = f"room [{CHANNEL_ID}].json"


def cpu_ms(argv: list[str], environment: dict[str, str]) -> float:
    """Return user and system time of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def commands_in(folder: Path) -> dict[str, list[str]]:
    """Return what is measured, with the files that it works on."""
    playbook = folder / "one.yml"
    playbook.write_text("name: one\nsteps: [{assert.that: {conditions: [true]}}]\n", encoding="utf-8")
    write_export(folder / "delta.json", range(1000, 1100))
    for each in ("grown", "growing"):
        begin_archive(folder / each)
    words = {
        "dce-play --version": ["--version"],
        "dce-play --help": ["--help"],
        "archive append of 100": ["archive", "append", str(folder / "growing" / ARCHIVE), str(folder / "delta.json")],
        "archive cursor": ["archive", "cursor", str(folder / "grown" / ARCHIVE)],
        "lock status": ["lock", "status", "--root", str(folder / "grown")],
        "runs list": ["runs", "list"],
        "run of one no-op step": ["run", str(playbook)],
        "lint, cold": ["lint", "--no-cache", str(playbook)],
    }
    commands = {name: [sys.executable, "-m", "dce_play", *rest] for name, rest in words.items()}
    grow = [word.replace("/growing/", "/grown/") for word in commands["archive append of 100"]]
    subprocess.run(grow, check=True, stdout=subprocess.DEVNULL)  # so that the cursor's file has its record
    return commands


def begin_archive(folder: Path) -> None:
    """Make an archive of one channel, as it was before anything was appended."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_export(folder / ARCHIVE, range(1000))


def main() -> None:
    """Print the median of each command and its ratio, and hold the budgets."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = dict(os.environ) | {"DCE_PLAY_STATE_DIR": name, "DCE_PLAY_CACHE_DIR": str(folder / "cache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling is what the first start costs, not what each does
        commands = {BASE: [sys.executable, "-c", "pass"], **commands_in(folder)}
        peer = shutil.which("ansible-playbook")
        if peer is not None:
            commands["ansible-playbook --version"] = [peer, "--version"]
        seen: dict[str, list[float]] = {title: [] for title in commands}
        for number in range(rounds + 1):
            begin_archive(folder / "growing")
            for title, argv in commands.items():
                spent = cpu_ms(argv, environment)
                if number:  # the round before the first one compiles
                    seen[title].append(spent)
    medians = {title: statistics.median(values) for title, values in seen.items()}
    for title, median in medians.items():
        print(f"{title:<28} {median:7.1f} ms of CPU   {median / medians[BASE]:5.2f} x {BASE}")
    hold("startup", {title: median / medians[BASE] for title, median in medians.items()})


if __name__ == "__main__":
    main()
