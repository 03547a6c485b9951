"""A running PostgreSQL server as a module reaches it: programs with its address, queries, and what failures mean."""

import dataclasses
import json
import math
import re
from pathlib import Path

import msgspec

from dce_play.backup.definitions.model import Module, PostgresKeys
from dce_play.backup.engines.postgres.dump.names import connection_string
from dce_play.backup.engines.postgres.peer import become_role
from dce_play.backup.engines.postgres.tools import Tools, ToolVersion, parse_version, tools_here, tools_inside
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import ContainerFacts, SourceFacts
from dce_play.backup.protocols import Services
from dce_play.errors import DcePlayError, ExitCode
from dce_play.system.process.executor import Command, Finished, NoSuchProgram, ProgramTimedOut

DEFAULT_USER = "postgres"
_QUERY_S = 60.0
_READY_REJECTS = 1
_READY_ANSWERS = 0
_FACTS = """
SELECT json_build_object(
  'version', current_setting('server_version'),
  'databases', (SELECT json_agg(json_build_object(
    'name', datname,
    'connectable', datallowconn AND datconnlimit <> -2,
    'bytes', CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END)
    ORDER BY datname) FROM pg_database WHERE datname <> 'template0'),
  'roles', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles),
  'tablespaces', (SELECT json_agg(spcname ORDER BY spcname) FROM pg_tablespace))
"""
_AUTH = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|role \"[^\"]*\" does not exist|"
    r"not permitted to log in|pg_hba\.conf rejects|certificate|SSL (?:error|connection is required)"
)
_UNREACHABLE = re.compile(
    r"could not (?:connect|translate|receive)|Connection refused|No such file or directory|timeout expired|"
    r"server closed the connection|No route to host|Network is unreachable"
)
_NOT_READY = re.compile(
    r"is (?:starting up|shutting down|in recovery mode|not yet accepting)|too many clients|remaining"
)
_FORBIDDEN = re.compile(r"permission denied|must be superuser|must be owner")
_ERROR_LINE = re.compile(r"error:|FATAL:|ERROR:|PANIC:|aborting")
_MOST_WORDS = 500
_OLDER = re.compile(r"server version mismatch")


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database of the server. One that is not ``connectable`` cannot be dumped."""

    name: str
    connectable: bool
    bytes: int


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself: its version, and all its databases but template0."""

    version: str
    databases: tuple[Database, ...]
    roles: tuple[str, ...]
    tablespaces: tuple[str, ...]

    @property
    def parsed(self) -> ToolVersion:
        return parse_version(self.version) or ToolVersion(major=0, minor=0)


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server's address, and the programs that speak to it. The password travels in the environment alone."""

    module: str
    keys: PostgresKeys
    tools: Tools
    services: Services
    password: str = ""

    def command(self, program: str, *arguments: str, timeout_s: float, database: str = "") -> Command:
        """Return a command with the server's address, and never a prompt. With ``database``: ``-d`` that one."""
        address = []
        place = self.keys.socket or self.keys.host
        if place:
            address += ["-h", place, "-p", str(self.keys.port)]
        elif self.keys.port != PostgresKeys().port:
            address += ["-p", str(self.keys.port)]
        address += ["-U", self.keys.user or DEFAULT_USER, "-w"]
        if database:
            address += ["-d", connection_string(database)]
        env = {"PGPASSWORD": self.password} if self.password else {}
        # the words that failures are told apart by are English; a server may still answer in its own language
        env |= {"LC_ALL": "C", "PGCONNECT_TIMEOUT": str(max(2, math.ceil(min(timeout_s, 30.0))))}
        return Command(
            argv=self.tools.argv(program, *address, *arguments, env=tuple(env)),
            timeout_s=timeout_s,
            cwd=Path("/") if self.tools.run_as else None,  # another user may not be let into ours
            env=env,
            secrets=frozenset({self.password} if self.password else ()),
        )

    def query(self, sql: str, *, database: str = "", timeout_s: float = _QUERY_S) -> str:
        """Return what psql prints for a query: no header, no alignment, ``|`` between columns.

        Raises: BackupError.
        """
        command = self.command(
            "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql,
            database=database or self.keys.database, timeout_s=timeout_s,
        )  # fmt: skip
        finished = self.run(command)
        if finished.exit_code != 0:
            raise self.failure("psql", finished)
        return finished.stdout

    def run(self, command: Command) -> Finished:
        """Run a program to its end.

        Raises: BackupError (``no-tool``, ``unreachable``), when it cannot be run or gets no answer in time.
        """
        try:
            return self.services.executor.run(command)
        except NoSuchProgram as error:
            raise BackupError(ErrorId.NO_TOOL, str(error), hint=error.hint) from error
        except ProgramTimedOut as error:
            raise BackupError(ErrorId.UNREACHABLE, f"{self.where}: no answer in {error.timeout_s:g} s") from error

    def facts(self) -> ServerFacts:
        """Ask the server what it is.

        Raises: BackupError.
        """
        answer = json.loads(self.query(_FACTS))
        return msgspec.convert({key: value or () for key, value in answer.items()}, ServerFacts)

    @property
    def where(self) -> str:
        """Return the server in words: its container, its socket's folder, or host and port."""
        if self.tools.container is not None:
            return f"container {self.tools.container.name}"
        return self.keys.socket or f"{self.keys.host or 'the local socket'}:{self.keys.port}"

    def source_facts(self) -> SourceFacts:
        """Return where the data came from, for the manifest."""
        container = self.tools.container
        if container is not None:
            facts = ContainerFacts(name=container.name, image=container.image, image_digest=container.image_digest)
            return SourceFacts(kind="container", where=container.name, container=facts)
        return SourceFacts(kind="tcp" if self.keys.host and not self.keys.socket else "socket", where=self.where)

    def failure(self, program: str, finished: Finished) -> BackupError:
        """Return what a program's failure means, by its last words, and by asking the server where they do not tell."""
        said = finished.stderr.strip()
        last = _last_words(said) or f"exit code {finished.exit_code}"
        error_id, hint = self._meaning(program, said)
        if error_id is ErrorId.ENGINE_FAILED and program == "psql" and finished.exit_code == 2:
            error_id = self._why_no_connection()
        in_the_middle = ExitCode.FAILED if program != "psql" and error_id is ErrorId.UNREACHABLE else None
        return BackupError(error_id, f"{self.where}: {program}: {last}", hint=hint, exit_code=in_the_middle)

    def _meaning(self, program: str, said: str) -> tuple[ErrorId, str]:
        if _AUTH.search(said):
            hint = "look at postgres.user and postgres.password"
            if "Peer authentication failed" in said:
                hint = f'give postgres.password, or let pg_hba.conf and pg_ident.conf admit you as "{self.keys.user}"'
            return ErrorId.AUTH, hint
        if _OLDER.search(said):
            return ErrorId.VERSION, "install the client package of the server's version, or set postgres.tools"
        if _NOT_READY.search(said):
            return ErrorId.UNHEALTHY, ""
        if _FORBIDDEN.search(said):
            hint = "postgres.role_passwords: false, for a server that gives no superuser" if "pg_authid" in said else ""
            return ErrorId.FORBIDDEN, hint or "the role of postgres.user may not read this; a dump needs a superuser"
        if _UNREACHABLE.search(said):
            return ErrorId.UNREACHABLE, "does the server run, and is its address right?"
        if program == "psql" and 'database "' in said and "does not exist" in said:
            return ErrorId.NOT_FOUND, "postgres.database names the database to connect to first"
        if "contains a newline or carriage return" in said:
            return ErrorId.ENGINE_FAILED, "pg_dumpall cannot take this name: postgres.format: custom can, or rename it"
        return ErrorId.ENGINE_FAILED, ""

    def _why_no_connection(self) -> ErrorId:
        """Tell why there was no connection when the server's words are in a language that we do not know."""
        try:
            ready = self.services.executor.run(self._ready_command())
        except DcePlayError:
            return ErrorId.ENGINE_FAILED
        known = {_READY_ANSWERS: ErrorId.AUTH, _READY_REJECTS: ErrorId.UNHEALTHY}
        return known.get(ready.exit_code, ErrorId.UNREACHABLE)

    def _ready_command(self) -> Command:
        command = self.command("pg_isready", timeout_s=10.0)
        argv = tuple(word for word in command.argv if word != "-w")  # it never asks, and does not know the option
        return dataclasses.replace(command, argv=argv)


def _last_words(said: str) -> str:
    """Return the last error that a program told, on one line; an error's text may itself have several."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    begins = [number for number, line in enumerate(lines) if _ERROR_LINE.search(line)]
    return " ".join(lines[begins[-1] if begins else 0 :])[-_MOST_WORDS:]


def become_admitted(server: Server) -> Server:
    """Return the server with programs that run as the role's own system user, where only that one is let in.

    A server as packages set it up admits ``postgres`` by its socket to the system user ``postgres`` alone, and backups
    are taken as root.
    """
    if server.tools.container is not None or server.keys.host or server.password:
        return server
    run_as = become_role(server.keys.user or DEFAULT_USER)
    if not run_as:
        return server
    try:
        server.query("SELECT 1")
    except BackupError as error:
        if error.error_id is ErrorId.AUTH and "Peer authentication failed" in str(error):
            return msgspec.structs.replace(server, tools=msgspec.structs.replace(server.tools, run_as=run_as))
    return server


def reach_server(module: Module, services: Services) -> Server:
    """Return the module's server with programs that can ask it, whatever its version.

    Raises: BackupError: ``no-tool``, ``ambiguous``, ``not-found``, ``invalid``.
    """
    keys = module.keys.postgres
    password = services.secret(keys.password) if keys.password else ""
    container = services.container(module)
    if container is not None:
        tools = tools_inside(container, keys.tools, services)
    else:
        tools = tools_here("psql", services, folder=keys.tools)
    server = Server(module=module.name, keys=keys, tools=tools, services=services, password=password)
    return become_admitted(server)


def open_server(module: Module, services: Services) -> tuple[Server, ServerFacts]:
    """Return the module's server with the programs that fit its version, and what it says of itself.

    Raises: BackupError: ``no-tool``, ``version``, ``auth``, ``unreachable``, ``unhealthy``, ``invalid``, …
    """
    server = reach_server(module, services)
    facts, container = server.facts(), server.tools.container
    if container is None:
        tools = tools_here("pg_dumpall", services, folder=server.keys.tools, at_least=facts.parsed.major)
        tools = msgspec.structs.replace(tools, run_as=server.tools.run_as)
        return msgspec.structs.replace(server, tools=tools), facts
    if server.tools.version.major < facts.parsed.major:
        raise BackupError(
            ErrorId.VERSION,
            f"the server is PostgreSQL {facts.parsed}, {container.name} has programs of {server.tools.version}",
            hint="set postgres.tools to the folder of the newer programs inside the container",
        )
    return server, facts
