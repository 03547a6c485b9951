"""A dump is cut into pieces at the right places, whatever stands in strings, names and rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce_play.backup.engines.postgres.dump.edits import Edits
from dce_play.backup.engines.postgres.dump.names import connected, connection_string, qualified
from dce_play.backup.engines.postgres.dump.pieces import (
    _LONGEST_TAG_BYTES,
    LONGEST_STATEMENT_BYTES,
    DumpPieces,
    Kind,
    Piece,
)
from dce_play.backup.engines.postgres.dump.record import DumpCounter, DumpRecord

DUMP = rb"""--
-- PostgreSQL database cluster dump
--

\restrict abc
SET client_encoding = 'UTF8';
CREATE ROLE bob;
ALTER ROLE bob WITH LOGIN PASSWORD 'SCRAM-SHA-256$4096:x==$y=:z=';
CREATE ROLE "odd ""role";
CREATE TABLESPACE fast OWNER bob LOCATION '/srv/it''s fast';
\unrestrict abc
\connect template1

--
-- PostgreSQL database dump
--
SET lock_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
--
-- PostgreSQL database dump complete
--
--
-- PostgreSQL database dump
--
CREATE DATABASE app WITH TEMPLATE = template0;
\connect -reuse-previous=on "dbname='a''pp \\\\ ""x'"
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $_$ select '$$ ; COPY public.no FROM stdin;
' || E'\'; \\' $_$;
CREATE FUNCTION g() RETURNS text LANGUAGE sql AS $$ a;b $$;
CREATE VIEW v AS SELECT E'it''s \'' || U&'\0061' AS "a;b" /* ; */ -- ; '
;
COPY public."two
lines" (id, "semi;(colon)") FROM stdin;
1	a\nb
2	\\.
\.

COPY empty  FROM stdin;
\.
COPY public.last (a$b) FROM stdin;
x
\.
SELECT pg_catalog.setval('s', 1, false);
--
-- PostgreSQL database dump complete
--

--
-- PostgreSQL database cluster dump complete
--

"""


def pieces_of(dump: bytes, sizes: list[int]) -> list[tuple[Kind, bytes, bytes | None]]:
    """Cut a dump that comes in chunks of these sizes, over and over; join what chunks alone have parted."""
    cutter = DumpPieces()
    found: list[Piece] = []
    at = turn = 0
    while at < len(dump):
        size = sizes[turn % len(sizes)]
        found += cutter.feed(dump[at : at + size])
        at, turn = at + size, turn + 1
    assert b"".join(piece.data for piece in found) + cutter.close() == dump
    joined: list[tuple[Kind, bytes, bytes | None]] = []
    for piece in found:
        if joined and piece.kind in {Kind.ROWS, Kind.SPACE} and joined[-1][0] is piece.kind:
            joined[-1] = (piece.kind, joined[-1][1] + piece.data, None)
        else:
            joined.append((piece.kind, piece.data, piece.table))
    return joined


def record_of(dump: bytes) -> DumpRecord:
    counter = DumpCounter()
    counter.feed(dump)
    return counter.finish()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
@pytest.mark.contract("P3")
def test_the_pieces_do_not_depend_on_the_chunks(sizes: list[int]) -> None:
    assert pieces_of(DUMP, sizes) == pieces_of(DUMP, [len(DUMP)])


@pytest.mark.contract("P3")
def test_rows_are_counted_per_table_and_traps_are_not_followed() -> None:
    record = record_of(DUMP)
    assert record.flaw == ""
    assert [(qualified(table.table), table.rows) for table in record.tables] == [
        (("public", "two\nlines"), 2),
        (("", "empty"), 0),
        (("public", "last"), 1),
    ]
    assert record.roles == ("bob", 'odd "role')
    assert record.own_objects == ()
    assert len(record.databases) == 2


@pytest.mark.parametrize("cut", range(5, len(DUMP) - 12, 37))
@pytest.mark.contract("P1", "N2")
def test_a_dump_that_is_cut_anywhere_has_a_flaw(cut: int) -> None:
    assert record_of(DUMP[:cut]).flaw


@pytest.mark.contract("P6")
def test_a_dump_without_its_middle_has_a_flaw() -> None:
    end = DUMP.rindex(b"--\n-- PostgreSQL database cluster dump complete")
    assert record_of(DUMP[: DUMP.index(b"CREATE VIEW")] + DUMP[end:]).flaw


@pytest.mark.contract("P10")
def test_objects_of_the_maintenance_databases_are_named() -> None:
    own = DUMP.replace(b"SET lock_timeout = 0;", b"CREATE TABLE public.mine (i integer);")
    assert record_of(own).own_objects == ("template1",)


@pytest.mark.parametrize("opening", [b"SELECT '", b"SELECT $x$", b"SELECT E'\\'", b'SELECT "', b"SELECT 1 /*"])
@pytest.mark.contract("P6")
def test_a_statement_that_never_ends_is_not_kept(opening: bytes) -> None:
    cutter = DumpPieces()
    given = 0
    for _ in range(40):
        given += sum(len(piece.data) for piece in cutter.feed(opening + b"x" * 100_000))
        opening = b""
    assert 4_000_000 - given < 2 * LONGEST_STATEMENT_BYTES
    assert cutter.unfinished


@pytest.mark.parametrize("name", ["plain", "dbname=other host=evil", "it's", 'quo"te', "back\\slash", "postgresql://x"])
@pytest.mark.contract("P3")
def test_a_database_of_any_name_is_recognised_in_its_connect_line(name: str) -> None:
    quoted = connection_string(name).replace('"', '""')
    assert connected(f'\\connect -reuse-previous=on "{quoted}"\n'.encode()) == name


@pytest.mark.contract("P9")
def test_what_exists_is_left_out_and_all_else_stays_byte_for_byte() -> None:
    edits = Edits(roles=frozenset({"bob"}), place_tablespace=lambda name: f"/drill/it's {name}")
    edited = b"".join(edits.apply(piece) for piece in DumpPieces().feed(DUMP))
    expected = DUMP.replace(b"CREATE ROLE bob;", b"").replace(b"'/srv/it''s fast'", b"'/drill/it''s fast'")
    assert edited == expected


@pytest.mark.contract("P3")
@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize(("more", "statements"), [(0, 1), (1, 2)])
def test_a_dollar_quotes_tag_is_so_long_at_most_whatever_the_chunks(size: int, more: int, statements: int) -> None:
    tag = b"$" + b"t" * (_LONGEST_TAG_BYTES - 2 + more) + b"$"
    data = b"SELECT " + tag + b"a;b" + tag + b";\n"
    cutter = DumpPieces()
    pieces = [piece for at in range(0, len(data), size) for piece in cutter.feed(data[at : at + size])]
    assert sum(piece.kind is Kind.STATEMENT for piece in pieces) == statements
    assert b"".join(piece.data for piece in pieces) + cutter.close() == data
