"""What comes with ``receive.toml``: its JSON Schema and its example."""

from typing import Any

from dce_play.system.toml.config import toml_schema
from dce_play.system.toml.example import toml_example
from dce_play.transfer.receiving.config_keys import KEYS


def receive_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``receive.toml``."""
    return toml_schema(KEYS, title="receive.toml: the configuration of a dce-play receiver")


def receive_example() -> str:
    """Return the example of ``receive.toml``."""
    return toml_example(
        KEYS,
        {
            "name": "hub",
            "store_dir": "/var/lib/dce-play/received",
            "bind": "0.0.0.0:8490",
            "tls.cert": "/etc/dce-play/receiver.pem",
            "tls.key": "/etc/dce-play/receiver.key",
            "tls.client_ca": "/etc/dce-play/ca.pem",
            "version_gate.enabled": True,
            "version_gate.repo_path": "/opt/cis490",
            "version_gate.remediation": [
                "cd /opt/cis490 && sudo -u cis490 git pull origin main",
                "sudo /opt/cis490/venv/bin/dce-play service install shipper --source /opt/cis490",
                "sudo systemctl restart dce-play-orchestrator",
            ],
        },
        head="receive.toml: how this receiver takes episodes. Lines that begin with # show the defaults.\n"
        "Sizes are bytes or texts such as 64MiB; a secret is named env:NAME, file:PATH or keyring:NAME.",
    )
