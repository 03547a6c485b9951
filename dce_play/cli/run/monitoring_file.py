"""The table ``[monitoring]`` of the project's file, and the secrets behind its references."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dce_play.cli.app.project_file import PROJECT_FILE
from dce_play.errors import DcePlayError
from dce_play.host.monitoring.config import KEYS as MONITORING_KEYS
from dce_play.host.monitoring.config import Monitoring, monitoring_from
from dce_play.runner.secrets import RunSecrets, SecretMissing
from dce_play.system.redact import SHORTEST_SECRET, SecretTooShort
from dce_play.system.toml.config import read_toml, toml_schema
from dce_play.system.toml.keys import Key, Kind

_TELLING_PART = 8
"""Characters. Shorter parts of an address, such as ``ping``, are words that stand elsewhere too."""
KEYS = (
    Key(
        name="plugins",
        kind=Kind.SWITCH,
        help="Load the step plugins of ./steps, ./playbooks/steps and of installed packages.",
        default=False,
    ),
    Key(
        name="keep_runs",
        kind=Kind.WHOLE,
        minimum=1,
        help="Keep so many of the newest runs, and those that can be resumed; without it all are kept.",
    ),
    *MONITORING_KEYS,
)


class NotOneWord(DcePlayError):
    """What stands behind a reference is no address and no token: it has blanks or several lines."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"{reference} holds more than one word, where one address or token is expected",
            hint="keep one in it, on one line; then: dce-play monitoring show",
        )


def project_monitoring(folder: Path) -> Monitoring | None:
    """Return who is told of the runs of a project; ``None`` when it says of nobody.

    Raises: InvalidDocument; NoConfig.
    """
    path = folder / PROJECT_FILE
    if not path.is_file():
        return None
    config = read_toml(path, KEYS, example=str(path))
    found = monitoring_from(config)
    config.check()
    return found


def project_schema() -> dict[str, Any]:
    """Return the JSON Schema of the project's file."""
    return toml_schema(KEYS, title="dce-play.toml: the settings of a project")


def resolver(environment: Mapping[str, str], folder: Path) -> Callable[[str], str]:
    """Return what leads from a reference to its secret, and has the secret and its parts masked from then on.

    It raises NotOneWord for a secret that cannot be an address or a token.
    """
    secrets = RunSecrets(environment=environment, folder=folder)

    def resolve(reference: str) -> str:
        secret = secrets.resolve(reference)
        for word in secret.split():
            for part in telling_parts(word):
                secrets.protect(part)
        if len(secret.split()) != 1:
            raise NotOneWord(reference)
        return secret

    return resolve


def secrets_behind(monitoring: Monitoring, environment: Mapping[str, str], folder: Path) -> frozenset[str]:
    """Return every secret that can be had now, and its parts; whoever lacks one is told when it is needed."""
    resolve = resolver(environment, folder)
    found: set[str] = set()
    for reference in monitoring.references:
        with suppress(SecretMissing, SecretTooShort, NotOneWord):
            secret = resolve(reference)
            found |= {secret, *telling_parts(secret)}
    return frozenset(secret for secret in found if len(secret.strip()) >= SHORTEST_SECRET)


def variables_of(monitoring: Monitoring) -> frozenset[str]:
    """Return the environment variables that hold the monitors' secrets: no program of a run gets them."""
    references = (reference.partition(":") for reference in monitoring.references)
    return frozenset(name for kind, _, name in references if kind == "env")


def telling_parts(address: str) -> Iterator[str]:
    """Yield the parts of an address that are secrets by themselves: path, its segments, user, password, query."""
    try:
        parts = urlsplit(address.strip())
        inner = (
            parts.path,
            *parts.path.split("/"),
            parts.username,
            parts.password,
            *dict(parse_qsl(parts.query)).values(),
        )
    except ValueError:
        return
    if parts.scheme:
        yield from (part for part in inner if part and len(part) >= _TELLING_PART)
