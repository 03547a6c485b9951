"""Whole rounds: ``ship once`` to the real receiver beside ``tar | zstd``, ``sync``, ``curl -T`` to the plain server."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable

from benchmarks.shipping.stand import Stand
from tests.support.lab_hosts import LabHost

_SHELL = """
set -e
cd "$1/episodes"
for name in *; do
  tar -cf - "$name" | zstd -q -3 -T0 -o "../outbox/$name.tar.zst"
  sync
  curl -sS --fail --cacert "$2/ca.pem" --cert "$2/lab.pem" --key "$2/lab.key" -T "../outbox/$name.tar.zst" \
    "https://localhost:$3/v1/episodes/$name"
  mv "$name" ../shipped/
done
"""


def measure_round(stand: Stand, what: str, write: Callable[[LabHost], None], *, rounds: int) -> None:
    """Let both ship the same, in turns; print the best of each and their ratio."""
    best = {"shell": 1e9, "ship once": 1e9}
    for number in range(rounds):
        for name in ("shell", "ship once"):
            host = stand.host(f"{number}-{name.replace(' ', '-')}")
            write(host)
            for each in ("outbox", "shipped"):
                (host.data / each).mkdir(exist_ok=True)
            os.sync()
            shell = ["bash", "-c", _SHELL, "shell", str(host.data), str(stand.receiver.folder), str(stand.plain_port)]
            began = time.perf_counter()
            subprocess.run(
                shell if name == "shell" else host.argv("ship", "once"),
                check=True,
                env=host.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            best[name] = min(best[name], time.perf_counter() - began)
            shutil.rmtree(host.folder)
        stand.forget_stored()
    stand.tell(what, "the shell", best["shell"], "ship once", best["ship once"])
