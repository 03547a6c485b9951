"""A database that takes the connection and says nothing is given up."""

import socket

import pytest

from dce_play.transfer.receiving import postgres
from dce_play.transfer.receiving.postgres import Database, DatabaseFailed


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr(postgres, "_CONNECT_S", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as listening:
        database = Database(f"host=127.0.0.1 port={listening.getsockname()[1]} dbname=x user=x password=s3cret")
        with pytest.raises(DatabaseFailed, match="timeout") as failed:
            database.take()
    assert failed.value.exit_code == 4
    assert "s3cret" not in f"{failed.value}{failed.value.hint}"
