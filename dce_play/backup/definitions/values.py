"""The kinds of values in a definition that a plain type does not tell: durations, references to secrets, names."""

from typing import Annotated

import msgspec

from dce_play.system.quantities import DURATION_PATTERN

ENGINES = ("compose", "files", "meilisearch", "postgres", "redis", "s3", "vault")
"""The names of all engines."""
KIND = "kind"
DURATION = "duration"
SECRET = "secret"  # noqa: S105 - the name of a kind

SECRET_PATTERN = r"^(env|file|keyring):.+$"  # noqa: S105 - as above
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"

Seconds = Annotated[
    float,
    msgspec.Meta(
        extra={KIND: DURATION},
        extra_json_schema={"type": ["string", "number"], "pattern": DURATION_PATTERN, "examples": ["30s", "10m"]},
    ),
]
"""In a file ``90s``, ``10m``, ``2h`` or a bare number; in the record seconds."""
SecretRef = Annotated[
    str,
    msgspec.Meta(
        pattern=SECRET_PATTERN,
        extra={KIND: SECRET},
        description="A reference to a secret: env:NAME, file:PATH or keyring:NAME. Never the secret itself.",
    ),
]
"""``env:NAME``, ``file:PATH`` or ``keyring:NAME``; a literal is refused and not repeated."""
ModuleName = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
AbsolutePath = Annotated[str, msgspec.Meta(pattern="^/")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
