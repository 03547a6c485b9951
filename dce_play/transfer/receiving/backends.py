"""Which storage and which list of tokens a configuration asks for."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.secret_reference import NoSecret, read_reference
from dce_play.transfer.receiving.config import ReceiveConfig
from dce_play.transfer.receiving.file_store import FileStore
from dce_play.transfer.receiving.folders import StoreFolders
from dce_play.transfer.receiving.storage import Storage
from dce_play.transfer.receiving.store_check import BackfillReport, VerifyReport, backfill, verify
from dce_play.transfer.receiving.tokens import FileTokens, Tokens
from dce_play.transfer.wire import IndexRow


class SecretUnreadable(DcePlayError):
    """A secret that the configuration names cannot be read."""

    exit_code: ClassVar[ExitCode] = ExitCode.PREFLIGHT

    def __init__(self, name: str, reference: str, reason: str) -> None:
        super().__init__(f"{name}: {reference}: {reason}", hint=f"set it, or name another one as {name}")


def open_storage(
    config: ReceiveConfig, environment: Mapping[str, str], *, on_row: Callable[[IndexRow], None] | None = None
) -> Storage:
    """Return the storage; ``on_row`` hears of every listed episode, those of before included.

    Raises: DcePlayError, when a secret or a package is missing.
    """
    if config.store.kind == "file":
        return FileStore(config, on_row=on_row)
    # Here because boto3 and psycopg are extras and take 300 ms to import.
    from dce_play.system.s3.place import S3Place
    from dce_play.transfer.receiving.s3_store import S3Store

    store = config.store
    place = S3Place(
        endpoint=store.endpoint or f"https://s3.{store.region}.amazonaws.com",
        bucket=store.bucket,
        access_key=_secret(config, "store.access_key", store.access_key, environment),
        secret_key=_secret(config, "store.secret_key", store.secret_key, environment),
        region=store.region,
        connections=config.limits.max_inflight + 8,
    )
    return S3Store(config, place, _dsn(config, environment), on_row=on_row)


def open_tokens(config: ReceiveConfig, environment: Mapping[str, str]) -> Tokens:
    """Return the list of tokens.

    Raises: DcePlayError, when a secret or a package is missing, or the database does not answer.
    """
    if config.index.kind == "file":
        return FileTokens(StoreFolders(config.store_dir).tokens)
    from dce_play.transfer.receiving.postgres import Database, PostgresTokens  # psycopg is an extra

    return PostgresTokens(Database(_dsn(config, environment)))


def backfill_store(config: ReceiveConfig, environment: Mapping[str, str], *, dry_run: bool) -> BackfillReport:
    """List what is stored and not listed; see ``store_check.backfill``."""
    if config.store.kind == "file":
        return backfill(StoreFolders(config.store_dir), receiver=config.name, dry_run=dry_run)
    from dce_play.transfer.receiving.s3_check import backfill_bucket, s3_store  # boto3 is an extra

    return backfill_bucket(s3_store(open_storage(config, environment)), dry_run=dry_run)


def verify_store(config: ReceiveConfig, environment: Mapping[str, str], *, deep: bool) -> VerifyReport:
    """Compare what is stored with its receipts; see ``store_check.verify``."""
    if config.store.kind == "file":
        return verify(StoreFolders(config.store_dir), deep=deep)
    from dce_play.transfer.receiving.s3_check import s3_store, verify_bucket  # boto3 is an extra

    return verify_bucket(s3_store(open_storage(config, environment)), deep=deep)


def _dsn(config: ReceiveConfig, environment: Mapping[str, str]) -> str:
    return _secret(config, "index.dsn", config.index.dsn, environment)


def _secret(config: ReceiveConfig, name: str, reference: str, environment: Mapping[str, str]) -> str:
    try:
        return read_reference(reference, environment=environment, folder=config.path.parent)
    except NoSecret as error:
        raise SecretUnreadable(name, reference, str(error)) from error
