#!/usr/bin/env python3
"""A stand-in for systemctl(1) that notes what it is asked, and says that a systemd runs. It is not systemd."""

import os
import sys
from pathlib import Path

with Path(os.environ["STANDIN_SYSTEMCTL"]).open("a") as log:
    log.write(" ".join(sys.argv[1:]) + "\n")
if "is-system-running" in sys.argv:
    sys.stdout.write("running\n")
