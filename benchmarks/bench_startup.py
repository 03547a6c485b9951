"""What it costs to start: ``dce-play --version``, ``--help`` and a one-step run beside ``python -c pass``.

Run: ``python benchmarks/bench_startup.py [rounds]``. The commands take turns, so that all see the same neighbours.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def cpu_ms(argv: list[str], environment: dict[str, str]) -> float:
    """Return user and system time of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    """Print the median of each command and its ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as name:
        playbook = Path(name) / "one.yml"
        playbook.write_text("name: one\nsteps: [{report.say: {text: x}}]\n", encoding="utf-8")
        environment = dict(os.environ) | {"DCE_PLAY_STATE_DIR": name}
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "dce-play --version": [sys.executable, "-m", "dce_play", "--version"],
            "dce-play --help": [sys.executable, "-m", "dce_play", "--help"],
            "dce-play run, one step": [sys.executable, "-m", "dce_play", "run", str(playbook)],
        }
        peer = shutil.which("ansible-playbook")
        if peer is not None:
            commands["ansible-playbook --version"] = [peer, "--version"]
        seen: dict[str, list[float]] = {title: [] for title in commands}
        for _ in range(rounds):
            for title, argv in commands.items():
                seen[title].append(cpu_ms(argv, environment))
    base = statistics.median(seen["python -c pass"])
    for title, values in seen.items():
        median = statistics.median(values)
        print(f"{title:<28} {median:7.1f} ms of CPU   {median / base:5.2f} x python -c pass")


if __name__ == "__main__":
    main()
