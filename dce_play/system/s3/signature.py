"""The headers that sign one GET. Source: the S3 API, "Authenticating Requests (AWS Signature Version 4)"."""

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache

from dce_play.system.s3.place import S3Place

_NO_BODY = hashlib.sha256(b"").hexdigest()
_SIGNED = "host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date"


def signed_headers(place: S3Place, netloc: str, path: str, query: str) -> dict[str, str]:
    """Return a request's headers as of now. ``path`` and ``query`` are escaped, the query's parts in order."""
    now = datetime.now(UTC)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    scope = f"{day}/{place.region}/s3/aws4_request"
    canonical = "\n".join(
        (
            "GET", path, query, f"host:{netloc}", "x-amz-checksum-mode:ENABLED",
            f"x-amz-content-sha256:{_NO_BODY}", f"x-amz-date:{stamp}", "", _SIGNED, _NO_BODY,
        )
    )  # fmt: skip
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(place.secret_key, day, place.region)
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": netloc,
        "Accept-Encoding": "identity",
        "x-amz-checksum-mode": "ENABLED",
        "x-amz-content-sha256": _NO_BODY,
        "x-amz-date": stamp,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={place.access_key}/{scope}, "
        f"SignedHeaders={_SIGNED}, Signature={signature}",
    }


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
