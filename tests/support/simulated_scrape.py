"""A folder from which a simulated Discord is scraped by ``dce-play run scrape``: its targets file, its environment."""

import json
import os
from pathlib import Path
from typing import Any

from dce_play.discord.simulator.server import Simulator

REPOSITORY = str(Path(__file__).parents[2])


def write_targets(folder: Path, **keys: Any) -> Path:
    """Write a targets file with the one target ``demo``, with these keys more, and return that target's folder."""
    archives = folder / "archives"
    demo = {"name": "demo", "output_dir": str(archives / "demo"), **keys}
    (folder / "scrape-targets.json").write_text(json.dumps({"archive_root": str(archives), "targets": [demo]}))
    return archives / "demo"


def scrape_environment(folder: Path, simulator: Simulator) -> dict[str, str]:
    """Return the environment of a command that asks the simulator and nobody else, however full the disk is."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": REPOSITORY,
        "DISCORD_TOKEN": simulator.token,
        "DCE_DISCORD_API_BASE": simulator.base_url,
        "DCE_MIN_FREE_MB": "0",
    }
