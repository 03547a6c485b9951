"""The most memory that shipper and receiver take, for a small and for a large episode."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.shipping.stand import large_episode, open_stand


def measure_memory(sizes: tuple[int, ...]) -> None:
    """Print the greatest resident size of both, for one episode of each size in MiB."""
    for mebibytes in sizes:
        with open_stand() as stand:
            host = stand.host("memory")
            large_episode(host, mebibytes)
            process = subprocess.Popen(host.argv("ship", "once"), env=host.environment, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            told = Path(f"/proc/{stand.process.pid}/status").read_text()
            peak = re.search(r"VmHWM:\s+(\d+)", told)
            receiver_mib = int(peak[1]) / 1024 if peak else 0.0
            shutil.rmtree(host.folder)
        print(
            f"memory, one episode of {mebibytes} MiB (exit {process.returncode}):"
            f" shipper {usage.ru_maxrss / 1024:.0f} MiB, receiver {receiver_mib:.0f} MiB",
            flush=True,
        )
