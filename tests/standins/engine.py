#!/usr/bin/env python3
"""A stand-in for a container engine, under whatever name it is called. It runs no containers.

``ENGINE_STANDIN`` names a JSON file: ``{"log": "<file>", "answers": ["podman info"], "containers": ["a"], "dce":
"<program>"}``. A ``run`` starts the program on this machine in place of the container, with the env file's variables.
Each call is added to the log as one JSON line.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVICE = "discord-scraper"


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def inner_arguments(arguments: list[str]) -> list[str]:
    start = arguments.index(SERVICE) if SERVICE in arguments else arguments.index("the/image:1")
    return arguments[start + 1 :]


def main(program: str, arguments: list[str]) -> int:
    script = json.loads(Path(os.environ["ENGINE_STANDIN"]).read_text())
    name = Path(program).name
    call: dict[str, object] = {"program": name, "argv": arguments}
    env_file = option(arguments, "--env-file")
    inner: dict[str, str] = {}
    if env_file is not None:
        inner = dict(line.split("=", 1) for line in Path(env_file).read_text().splitlines())
        call["env_file"] = env_file
        call["modes"] = {path.name: oct(path.stat().st_mode & 0o777) for path in Path(env_file).parent.iterdir()}
        call["inner"] = inner
        call["variables"] = {key: value for key, value in os.environ.items() if key.startswith("DCE_")}
    if arguments[0] == "rm":
        time.sleep(0.5)  # what is ended meanwhile has removed nothing, and is not in the log
    with Path(script["log"]).open("a") as log:
        log.write(json.dumps(call) + "\n")
    if "run" in arguments:
        token = {"DISCORD_TOKEN": inner["DISCORD_TOKEN"]}
        with tempfile.TemporaryDirectory() as inside:  # a container's /tmp is its own
            words = [
                word.replace("/tmp/", f"{inside}/", 1) if word.startswith("/tmp/probe") else word
                for word in inner_arguments(arguments)
            ]
            return subprocess.run([script["dce"], *words], env=dict(os.environ) | token, check=False).returncode
    if "ps" in arguments:
        print("\n".join(script.get("containers", [])))
        return 0
    if "rm" in arguments:
        return 0
    return 0 if " ".join([name, *arguments]) in script.get("answers", []) else 1


if __name__ == "__main__":
    code = main(sys.argv[0], sys.argv[1:])
    sys.exit(128 - code if code < 0 else code)
