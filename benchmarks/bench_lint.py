"""How long ``dce-play lint`` takes, beside yamllint and ansible-lint where they are installed.

    python benchmarks/bench_lint.py [ROUNDS]

Prints medians of whole processes, all commands in turn within each round, with ``python -c pass`` as the yardstick.
Budgets: 100 steps in at most 500 ms cold and 150 ms with the cache.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_HEAD = """\
# yaml-language-server: $schema=../schemas/playbook.schema.json
name: big
params:
  full: {type: bool, default: false, help: Everything}
steps:
"""
_STEP = """\
  - name: Step {number} of {{{{ params.full }}}}
    when: params.full
    command.run:
      argv: [echo, "hello {number}", "x-{{{{ run.id }}}}"]
      cwd: work
      timeout: 10m
    tags: [all, tag{number}]
"""
_TASK = """\
    - name: Step {number}
      ansible.builtin.debug:
        msg: "hello {number} {{{{ full }}}}"
      when: full
      tags: [all, tag{number}]
"""
_TASKS = "---\n- name: Big\n  hosts: localhost\n  vars:\n    full: true\n  tasks:\n"


def _run(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, env=environment, capture_output=True, check=False)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        play, tasks, many = folder / "play.yml", folder / "tasks.yml", folder / "many"
        play.write_text(_HEAD + "".join(_STEP.format(number=number) for number in range(100)), encoding="utf-8")
        tasks.write_text(_TASKS + "".join(_TASK.format(number=number) for number in range(100)), encoding="utf-8")
        many.mkdir()
        for each in range(100):
            text = _HEAD + "".join(_STEP.format(number=number) for number in range(10))
            (many / f"play{each}.yml").write_text(text, encoding="utf-8")
        ours = [sys.executable, "-m", "dce_play", "lint"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "lint, 100 steps, cold": [*ours, "--no-cache", str(play)],
            "lint, 100 steps, cached": [*ours, str(play)],
            "lint, 100 files, cold": [*ours, "--no-cache", str(many)],
            "lint, 100 files, cached": [*ours, str(many)],
        }
        for tool, arguments in (("yamllint", []), ("ansible-lint", ["--offline"])):
            found = shutil.which(tool)
            if found:
                commands[f"{tool}, 100 tasks"] = [found, *arguments, str(tasks)]
        paths = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
        environment = dict(os.environ) | {"DCE_PLAY_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": paths}
        environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times: dict[str, list[tuple[float, float]]] = {label: [] for label in commands}
        for command in commands.values():
            _run(command, environment)  # writes bytecode and the cache
        for _ in range(rounds):
            for label, command in commands.items():
                times[label].append(_run(command, environment))
        for label, measured in times.items():
            wall, cpu = (statistics.median(column) * 1000 for column in zip(*measured, strict=True))
            print(f"{label:<26} {wall:8.0f} ms wall {cpu:8.0f} ms cpu")


if __name__ == "__main__":
    main()
