"""Databases renamed out of the way before a restore, and back again if it fails."""

import secrets
from contextlib import suppress

import msgspec

from dce_play.backup.engines.postgres.dump.names import literal, quoted
from dce_play.backup.engines.postgres.session import Session
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.errors import ExitCode

_LONGEST_NAME_BYTES = 63
_PROCEDURES = 11
"""From this version on a block of the server's own language may commit in between."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A database and the name under which it waits."""

    name: str
    aside: str
    connectable: bool


def aside_name(name: str, stamp: str) -> str:
    """Return ``<name>_before_<stamp>``, with the name cut where the server would cut the whole and lose the stamp."""
    suffix = f"_before_{stamp}"
    room = _LONGEST_NAME_BYTES - len(suffix)
    return name.encode("utf-8", "surrogateescape")[:room].decode("utf-8", "ignore") + suffix


def planned(name: str, *, stamp: str, connectable: bool) -> Moved:
    """Return how a database is put aside."""
    return Moved(name=name, aside=aside_name(name, stamp), connectable=connectable)


def put_aside(held: Session, moved: Moved) -> None:
    """End a database's sessions and rename it.

    Raises: BackupError, with the database as it was.
    """
    _rename(held, moved.name, moved.aside, connectable=moved.connectable)


def _rename(held: Session, name: str, to: str, *, connectable: bool) -> None:
    """Keep new sessions out, end those that are there, rename, and let sessions in as before, whether it fails or not.

    The server does it as one: it comes to its end also when we are killed, or our connection goes.
    """
    if held.major < _PROCEDURES:
        try:
            held.do(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS false")
            _end_sessions(held, name)
            held.do(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(to)}")
        except BaseException:
            _allow(held, name, connectable=connectable)
            raise
        _allow(held, to, connectable=connectable)
        return
    old, new = literal(name).strip(), literal(to).strip()
    tag = f"$dce{secrets.token_hex(8)}$"
    held.do(
        f"""DO {tag} DECLARE failed text; BEGIN
        EXECUTE pg_catalog.format('ALTER DATABASE %I ALLOW_CONNECTIONS false', {old});
        COMMIT;
        PERFORM pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
            WHERE datname = {old} AND pid <> pg_catalog.pg_backend_pid();
        BEGIN
            EXECUTE pg_catalog.format('ALTER DATABASE %I RENAME TO %I', {old}, {new});
        EXCEPTION WHEN OTHERS THEN failed := SQLERRM;
        END;
        EXECUTE pg_catalog.format('ALTER DATABASE %I ALLOW_CONNECTIONS {str(connectable).lower()}',
            CASE WHEN failed IS NULL THEN {new} ELSE {old} END);
        COMMIT;
        IF failed IS NOT NULL THEN RAISE EXCEPTION '%', failed; END IF;
        END {tag}""",
        told=f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(to)}",
    )


def _end_sessions(held: Session, name: str) -> None:
    held.do(
        # the name is quoted as a constant
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"  # noqa: S608
        f" WHERE datname = {literal(name).strip()} AND pid <> pg_catalog.pg_backend_pid()"
    )


def _allow(held: Session, name: str, *, connectable: bool) -> None:
    held.do(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS {str(connectable).lower()}")


def put_back(held: Session, moved: list[Moved], created: list[str], *, force: bool) -> None:
    """Remove the databases that the load has made, and give those that wait their names again.

    ``moved`` may name one that was not renamed any more. A lost connection is opened anew.

    ``force``: the server is 13 or newer, and ends the sessions of what it drops.

    Raises: BackupError, which says what waits where, after all that can be put back is back.
    """
    if not moved and not created:
        return
    try:
        with held.alive() as whole:
            failures = _all_back(whole, moved, created, force=force)
    except BackupError as error:
        failures = [*(f"{each.name} may wait as {each.aside}" for each in moved), str(error)]
    if failures:
        raise BackupError(
            ErrorId.ENGINE_FAILED,
            f"not all could be put back: {'; '.join(failures)}",
            hint="rename what waits by hand: ALTER DATABASE … RENAME TO …",
            exit_code=ExitCode.FAILED,
        )


def _all_back(held: Session, moved: list[Moved], created: list[str], *, force: bool) -> list[str]:
    """Return what could not be put back, and why."""
    failures = []
    for name in created:
        try:
            _remove(held, name, force=force)
        except BackupError as error:
            failures.append(str(error))
    for each in moved:
        try:
            if held.has(each.aside):
                _rename(held, each.aside, each.name, connectable=each.connectable)
        except BackupError as error:
            failures.append(f"{each.name} may wait as {each.aside}: {error}")
    return failures


def _remove(held: Session, name: str, *, force: bool) -> None:
    """Remove a database that our own load has made; nothing happens when it was not made."""
    with suppress(BackupError):  # it may not have been made
        held.do(f"ALTER DATABASE {quoted(name)} IS_TEMPLATE false")
    _end_sessions(held, name)
    held.do(f"DROP DATABASE IF EXISTS {quoted(name)}{' WITH (FORCE)' if force else ''}")
