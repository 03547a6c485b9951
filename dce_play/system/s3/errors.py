"""What an object store can refuse, and how boto3's many errors become these few."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode

_BAD_KEYS = frozenset(
    {
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
        "AuthorizationHeaderMalformed", "RequestTimeTooSkewed", "ExpiredTokenException",
    }
)  # fmt: skip
_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NoSuchUpload", "404", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_DAMAGED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"})


class S3Error(DcePlayError):
    """An object store did not do what was asked. ``where`` is ``endpoint/bucket[/key]``."""

    def __init__(self, where: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{where}: {message}", hint=hint)
        self.where = where


class S3Missing(DcePlayError):
    """The S3 client is an extra that is not installed."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self) -> None:
        super().__init__("object stores need the package boto3", hint="run: pip install 'dce-play[s3]'")


class S3KeyRefused(S3Error):
    """The store does not know the access key, or its secret does not fit, or it has expired."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION


class S3Forbidden(S3Error):
    """The access key is good and may not do this."""

    exit_code: ClassVar[ExitCode] = ExitCode.AUTHENTICATION


class S3NotFound(S3Error):
    """There is no such bucket, object or upload."""


class S3Taken(S3Error):
    """The key was to be written only if it is new, and it is not."""


class S3Unreachable(S3Error):
    """No whole answer came: no connection, a time-out, or a connection that was cut."""


class S3Corrupt(S3Error):
    """What arrived is not what the other side says it is: a checksum or a length differs."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn boto3's, botocore's and urllib3's errors into ours.

    Raises: S3Error and its kinds.
    """
    # Here because boto3 takes 200 ms to import, and only object stores need it.
    from botocore import exceptions as boto
    from urllib3.exceptions import HTTPError

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(where, error) from error
    except (boto.FlexibleChecksumError, boto.ChecksumError) as error:
        raise S3Corrupt(where, f"the checksum differs: {error}") from error
    except (
        boto.IncompleteReadError,
        boto.ResponseStreamingError,
        boto.ConnectionError,
        boto.ReadTimeoutError,
        boto.HTTPClientError,
    ) as error:
        raise S3Unreachable(where, f"no whole answer: {error}") from error
    except HTTPError as error:
        raise S3Unreachable(where, f"no whole answer: {error}") from error
    except boto.BotoCoreError as error:
        raise S3Error(where, f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise S3Unreachable(where, str(error)) from error


def _refusal(where: str, error: Exception) -> S3Error:
    response = getattr(error, "response", {})
    said = response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", "")) or str(error)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _BAD_KEYS:
        return S3KeyRefused(where, f"the access key is not accepted ({code})", hint="check access_key and secret_key")
    if code in _TAKEN or status == 412:
        return S3Taken(where, "there is an object of that name")
    if code in _ABSENT or status == 404:
        return S3NotFound(where, f"not found ({code})")
    if code in _DAMAGED:
        return S3Corrupt(where, f"the store received other bytes than were sent ({code})")
    if status in {401, 403}:
        return S3Forbidden(
            where, f"the access key may not do this ({code})", hint="give it ListBucket and GetObject on the bucket"
        )
    return S3Error(where, f"{code or status}: {text}")
