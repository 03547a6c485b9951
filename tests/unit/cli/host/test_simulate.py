"""``dce-play simulate`` as a process of its own."""

import re
import signal
import subprocess
import sys

import httpx2

from dce_play.discord.simulator.worlds import build_world

MAIN = "from dce_play.cli.host.simulate import command; command()"


def test_it_says_that_it_is_a_simulator_and_answers_until_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-c", MAIN, "--messages", "5", "--seed", "7"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "Ctrl+C ends it.\n"))
        assert "not Discord" in said
        address = re.search(r"http://127\.0\.0\.1:\d+/api/v10", said)
        token = re.search(r"user token: (\S+)", said)
        assert address
        assert token
        me = httpx2.get(f"{address[0]}/users/@me", headers={"Authorization": token[1]}, trust_env=False).json()
        assert me["id"] == build_world(7).user.user_id
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "ended\n"
        assert process.wait(timeout=10) == 0
