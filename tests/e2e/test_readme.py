"""The README's steps with a real token, in order, against a simulated Discord."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dce_play.discord.simulator.server import running_simulator
from dce_play.discord.simulator.worlds import Size, build_world
from tests.support.channel_files import ids_in

README = Path(__file__).parent.parent.parent / "README.md"


def commands() -> list[str]:
    text = README.read_text(encoding="utf-8")
    block = re.search(r"## With a real token\n\n```console\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return [line.partition("#")[0].strip() for line in block[1].splitlines()]


@pytest.mark.contract("O28")
def test_the_steps_with_a_real_token_work_in_order(tmp_path: Path) -> None:
    with running_simulator(build_world(3, size=Size(channels=2, messages=120))) as simulator:
        (guild,) = simulator.world.guilds
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "DCE_DISCORD_API_BASE": simulator.base_url,
            "DCE_MIN_FREE_MB": "1",
        }
        ran = commands()
        assert len(ran) == 5
        for command in ran:
            line = command.replace("/srv/archives", str(tmp_path / "archives")).replace("123456789012345678", guild)
            done = subprocess.run(
                line.split(),
                cwd=tmp_path,
                env=environment,
                input=f"{simulator.token}\n",
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            assert simulator.token not in done.stdout + done.stderr
    files = sorted((tmp_path / "archives" / "my-server").glob("*.json"))
    assert [len(ids_in(path)) for path in files] == [120, 120]
