"""Where a bucket is, how to get in, and the client that does.

No file, variable or metadata service of the cloud's own tools is read.
"""

from dataclasses import dataclass, field
from typing import Any

from dce_play.system.s3.errors import S3Missing, translated

_CONNECT_S = 10
_SILENCE_S = 60


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

    @property
    def where(self) -> str:
        """The bucket's address for people."""
        return f"{self.endpoint.rstrip('/')}/{self.bucket}"


def new_client(place: S3Place) -> Any:
    """Return boto3's client for the place.

    Raises: S3Missing, when boto3 is not installed.
    """
    try:
        # Here because it takes 200 ms to import, and only object stores need it.
        import boto3
        import botocore.session
        from botocore.config import Config
    except ImportError as error:
        raise S3Missing from error
    # Nothing of the cloud's own configuration is read: what is not in the place does not count.
    unread = (None, None, "/dev/null", None)
    core = botocore.session.Session(
        session_vars={"profile": (None, None, None, None), "config_file": unread, "credentials_file": unread}
    )
    session = boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=place.access_key,
        aws_secret_access_key=place.secret_key,
        region_name=place.region,
    )
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if place.path_style else "virtual"},
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=_CONNECT_S,
        read_timeout=_SILENCE_S,
        max_pool_connections=place.connections,
    )
    with translated(place.where):
        return session.client("s3", endpoint_url=place.endpoint, config=config)
