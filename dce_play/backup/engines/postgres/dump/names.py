"""Names as a dump spells them: quoted identifiers, and the database of a ``\\connect`` line.

Names are bytes in the dump; as text they are UTF-8 with ``surrogateescape``, so that every name comes back the same.
"""

import re

_PLAIN = rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*"
_PART = re.compile(rb'"(?:[^"]|"")*"|[^".]+')
_CREATE = {
    kind: re.compile(rb"CREATE " + kind.encode() + rb' ("(?:[^"]|"")*"|' + _PLAIN + rb")", re.DOTALL)
    for kind in ("ROLE", "DATABASE", "TABLESPACE")
}
_CONNECT = re.compile(rb"\\connect (?:-reuse-previous=on )?(.+?)\s*\Z", re.DOTALL)
_CONNECTION_STRING = re.compile(rb"dbname=(?:'((?:[^'\\]|\\.)*)'|(\S+))\Z", re.DOTALL)


def text(name: bytes) -> str:
    """Return a name as text."""
    return name.decode("utf-8", "surrogateescape")


def unquoted(identifier: bytes) -> str:
    """Return the name that an identifier stands for."""
    if identifier.startswith(b'"'):
        return text(identifier[1:-1].replace(b'""', b'"'))
    return text(identifier)


def quoted(name: str) -> str:
    """Return a name as an identifier that the server takes as it is."""
    return '"' + name.replace('"', '""') + '"'


def qualified(identifier: str) -> tuple[str, str]:
    """Return the schema and the table that a dump's qualified identifier names; an empty schema where it has none."""
    parts = [unquoted(part) for part in _PART.findall(identifier.encode("utf-8", "surrogateescape"))]
    return (parts[0], parts[1]) if len(parts) == 2 else ("", parts[0])


def literal(value: str) -> str:
    """Return a text as a string constant, whatever ``standard_conforming_strings`` is."""
    doubled = value.replace("'", "''")
    return f" E'{doubled}'".replace("\\", "\\\\") if "\\" in value else f"'{doubled}'"


def connection_string(database: str) -> str:
    """Return a connection string for a database: a bare name with ``=`` or ``:`` in it would be taken for one."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def created(kind: str, statement: bytes) -> str | None:
    """Return whose ``CREATE ROLE``, ``DATABASE`` or ``TABLESPACE`` a statement is; None for any other."""
    found = _CREATE[kind].match(statement)
    return unquoted(found[1]) if found else None


def connected(line: bytes) -> str | None:
    """Return the database that a line of psql's own connects to; None when it is another command."""
    found = _CONNECT.match(line)
    if found is None:
        return None
    name = found[1]
    if name.startswith(b'"'):
        name = name[1:-1].replace(b'""', b'"')
    if b"-reuse-previous=on" not in line:
        return text(name)
    pairs = _CONNECTION_STRING.match(name)
    if pairs is None:
        return text(name)
    return text(re.sub(rb"\\(.)", rb"\1", pairs[1], flags=re.DOTALL) if pairs[1] is not None else pairs[2])
