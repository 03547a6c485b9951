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
        super().__init__("object stores need the packages boto3 and pycurl", hint="run: pip install 'dce-play[s3]'")


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
    try:
        yield
    except DcePlayError:
        raise
    except Exception as error:
        failure = _in_our_words(where, error)
        if failure is None:
            raise
        raise failure from error


def _in_our_words(where: str, error: Exception) -> S3Error | None:
    # Here because botocore takes 200 ms to import, and only what it does not answer for comes this far.
    from botocore import exceptions as boto
    from urllib3.exceptions import HTTPError

    unfinished = (
        boto.IncompleteReadError, boto.ResponseStreamingError, boto.ConnectionError, boto.ReadTimeoutError,
        boto.HTTPClientError, HTTPError,
    )  # fmt: skip
    match error:
        case boto.ClientError():
            return _refusal(where, error)
        case boto.FlexibleChecksumError() | boto.ChecksumError():
            return S3Corrupt(where, f"the checksum differs: {error}")
        case _ if isinstance(error, unfinished):
            return S3Unreachable(where, f"no whole answer: {error}")
        case boto.BotoCoreError():
            return S3Error(where, f"{type(error).__name__}: {error}")
        case OSError():
            return S3Unreachable(where, str(error))
        case _:
            return None


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
