"""Where a bucket is, how to get in, and the client that does.

No file, variable or metadata service of the cloud's own tools is read.
"""

import threading
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import Any

from dce_play.system.s3.errors import S3Missing, translated

CONNECT_S = 10
SILENCE_S = 60
_ONE_AT_A_TIME = threading.Lock()
"""A session makes one client at a time; the clients are for all threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """Where a bucket is and how to get in. The secret key does not show in ``repr``."""

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    path_style: bool = True
    connections: int = 16
    silence_s: float = SILENCE_S
    """How long an answer may be silent."""
    attempts: int = 4

    @property
    def where(self) -> str:
        """The bucket's address for people."""
        return f"{self.endpoint.rstrip('/')}/{self.bucket}"


def look_for_packages() -> None:
    """See that the packages of the extra are there; boto3's takes too long to import for that.

    Raises: S3Missing.
    """
    try:
        import pycurl  # noqa: F401  # 5 ms, and only object stores need it

        is_there = find_spec("botocore") is not None
    except ImportError:
        is_there = False
    if not is_there:
        raise S3Missing


def new_client(place: S3Place) -> Any:
    """Return boto3's client for the place."""
    from botocore.config import Config  # 100 ms to import, and only object stores need it

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if place.path_style else "virtual"},
        retries={"mode": "standard", "total_max_attempts": place.attempts},
        connect_timeout=min(CONNECT_S, place.silence_s),
        read_timeout=place.silence_s,
        max_pool_connections=place.connections,
    )
    with translated(place.where), _ONE_AT_A_TIME:
        return _session().create_client(
            "s3",
            endpoint_url=place.endpoint,
            region_name=place.region,
            aws_access_key_id=place.access_key,
            aws_secret_access_key=place.secret_key,
            config=config,
        )


@cache
def _session() -> Any:
    """Return the session that all clients come from: reading the API's description takes longest. It holds no secret.

    Nothing of the cloud's own configuration is read: what is not in the place does not count.
    """
    import botocore.session  # as above

    unread = (None, None, "/dev/null", None)
    return botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": unread, "credentials_file": unread}
    )
