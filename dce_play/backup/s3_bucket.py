"""From a definition's ``s3`` keys to an open bucket, and from its errors to those of the closed set."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dce_play.backup.definitions.model import S3Keys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.protocols import Services
from dce_play.errors import ExitCode
from dce_play.system.process.executor import Command, NoSuchProgram
from dce_play.system.s3.bucket import Bucket
from dce_play.system.s3.errors import (
    S3Corrupt,
    S3Error,
    S3Forbidden,
    S3KeyRefused,
    S3Missing,
    S3NotFound,
    S3Unreachable,
)
from dce_play.system.s3.place import S3Place

_IDS: tuple[tuple[type[S3Error], ErrorId], ...] = (
    (S3KeyRefused, ErrorId.AUTH),
    (S3Forbidden, ErrorId.FORBIDDEN),
    (S3NotFound, ErrorId.NOT_FOUND),
    (S3Unreachable, ErrorId.UNREACHABLE),
    (S3Corrupt, ErrorId.VERIFY_FAILED),
)


@contextmanager
def in_our_words(always: ErrorId | None = None, *, has_begun: bool = False) -> Iterator[None]:
    """Turn the client's errors into ours; ``always`` names the id whatever happened.

    Once the work has begun nothing is refused any more: but for a key that is not accepted, the exit code is 1 then.

    Raises: BackupError.
    """
    try:
        yield
    except S3Missing as error:
        raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
    except S3Error as error:
        found = next((error_id for kind, error_id in _IDS if isinstance(error, kind)), ErrorId.ENGINE_FAILED)
        error_id = found if always is None else always
        code = ExitCode.PREFLIGHT if error_id is ErrorId.NOT_FOUND else None
        if has_begun and error_id not in {ErrorId.AUTH, ErrorId.FORBIDDEN}:
            code = ExitCode.FAILED
        raise BackupError(error_id, str(error), hint=error.hint, exit_code=code) from error


def open_bucket(keys: S3Keys, services: Services, *, patience_s: float | None = None) -> Bucket:
    """Return the bucket, its credentials taken from their references or from an alias of ``mc``.

    With ``patience_s`` each request is made once, and ended by so long a silence.

    Raises: BackupError: ``invalid``, when something is not given; ``no-tool``, without boto3 or ``mc``.
    """
    if not keys.bucket:
        raise BackupError(ErrorId.INVALID, "no bucket is named", hint="set bucket")
    with in_our_words():
        place = _place(keys, services)
        return Bucket(place if patience_s is None else replace(place, silence_s=patience_s, attempts=1))


def _place(keys: S3Keys, services: Services) -> S3Place:
    if keys.endpoint:
        if keys.access_key is None or keys.secret_key is None:
            raise BackupError(
                ErrorId.INVALID,
                "a bucket needs access_key and secret_key",
                hint="as env:NAME, file:PATH or keyring:NAME",
            )
        return S3Place(
            endpoint=keys.endpoint,
            bucket=keys.bucket,
            region=keys.region,
            path_style=keys.path_style,
            access_key=services.secret(keys.access_key),
            secret_key=services.secret(keys.secret_key),
        )
    alias = alias_of(keys, services)
    if not alias:
        raise BackupError(ErrorId.INVALID, "no endpoint of the object store", hint="set endpoint, or an alias of mc")
    return _place_of_alias(alias, keys, services)


def alias_of(keys: S3Keys, services: Services) -> str:
    """Return the alias of ``mc``: the definition's, else ``MINIO_MC_ALIAS``; empty where there is none."""
    return keys.alias or services.environment.get("MINIO_MC_ALIAS", "")


def _place_of_alias(alias: str, keys: S3Keys, services: Services) -> S3Place:
    """Return what ``mc`` knows of an alias; the bytes go through our own client all the same."""
    try:
        said = services.executor.run(Command(argv=("mc", "--json", "alias", "list", alias), timeout_s=30.0))
    except NoSuchProgram as error:
        raise BackupError(
            ErrorId.NO_TOOL, f'the alias "{alias}" needs the program mc', hint="or set endpoint"
        ) from error
    try:
        known = json.loads(said.stdout.splitlines()[0])
        return S3Place(
            endpoint=known["URL"],
            bucket=keys.bucket,
            region=keys.region,
            path_style=known.get("path") != "off",
            access_key=known["accessKey"],
            secret_key=known["secretKey"],
        )
    except (ValueError, KeyError, IndexError, TypeError):
        # What mc said is not repeated: it holds the secret key.
        raise BackupError(ErrorId.INVALID, f'mc knows no alias "{alias}"', hint="see: mc alias list") from None
