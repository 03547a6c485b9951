"""A running Redis server as a module reaches it: ``redis-cli`` with its address, its answers, what failures mean."""

import re

import msgspec

from dce_play.backup.definitions.model import Module, RedisKeys
from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.facts import ContainerFacts, SourceFacts
from dce_play.backup.protocols import Container, Services
from dce_play.errors import ExitCode
from dce_play.system.process.executor import Command, Finished, NoSuchProgram, ProgramTimedOut

ASK_S = 30.0
_ERROR = re.compile(r"(?:\(error\) )?([A-Z][A-Z0-9]+) (.*)")
_MEANINGS = {
    "NOAUTH": ErrorId.AUTH,
    "WRONGPASS": ErrorId.AUTH,
    "NOPERM": ErrorId.FORBIDDEN,
    "LOADING": ErrorId.UNHEALTHY,
    "BUSY": ErrorId.UNHEALTHY,
    "MASTERDOWN": ErrorId.UNHEALTHY,
}
_HINTS = {
    ErrorId.AUTH: "look at redis.user and redis.password",
    ErrorId.FORBIDDEN: "the user of redis.user lacks this command in its ACL",
    ErrorId.UNREACHABLE: "does the server run, and is its address right?",
}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A server's address. The password travels in ``REDISCLI_AUTH`` alone."""

    keys: RedisKeys
    services: Services
    container: Container | None
    password: str = ""

    def command(self, *words: str, timeout_s: float = ASK_S) -> Command:
        """Return a command of ``redis-cli`` to this server."""
        env = {"REDISCLI_AUTH": self.password} if self.password else {}
        keys = self.keys
        address = ["-s", keys.socket] if keys.socket else ["-h", keys.host or "127.0.0.1", "-p", str(keys.port)]
        address += ["--user", keys.user] if keys.user else []
        address += ["--tls"] if keys.tls else []
        argv = ("redis-cli", *address, *words)
        if self.container is not None:
            argv = self.container.exec_argv(*argv, env=tuple(env))
        secret = frozenset({self.password} if self.password else ())
        return Command(argv=argv, timeout_s=timeout_s, env=env, secrets=secret)

    def ask(self, *words: str, timeout_s: float = ASK_S) -> str:
        """Return the server's answer.

        Raises: BackupError, for an error that it answers with, and when there is no answer.
        """
        command = self.command(*words, timeout_s=timeout_s)
        try:
            finished = self.services.executor.run(command)
        except NoSuchProgram as error:
            raise BackupError(ErrorId.NO_TOOL, str(error), hint="install redis-tools") from error
        except ProgramTimedOut as error:
            raise BackupError(ErrorId.UNREACHABLE, f"{self.where}: no answer in {error.timeout_s:g} s") from error
        self.judge(words[0], finished)
        return finished.stdout.strip("\n")

    def judge(self, what: str, finished: Finished) -> None:
        """Raise what an answer or the client itself says that went wrong.

        A client whose password is refused says so, goes on without one, and may end with exit code 0.

        Raises: BackupError.
        """
        said = finished.stderr.strip()
        refused = re.search(r"AUTH failed: (.*)", said)
        answer = _ERROR.match(refused[1] if refused else finished.stdout.strip())
        if answer is not None:
            error_id = _MEANINGS.get(answer[1], ErrorId.ENGINE_FAILED)
            raise BackupError(error_id, f"{self.where}: {what}: {answer[0]}", hint=_HINTS.get(error_id, ""))
        if refused or finished.exit_code != 0:
            last = said.splitlines()[-1] if said else f"exit code {finished.exit_code}"
            code = re.search(r"(?:failed|error): -?([A-Z]+) ", last)
            error_id = _MEANINGS.get(code[1], ErrorId.ENGINE_FAILED) if code else ErrorId.ENGINE_FAILED
            if code is None and re.search(r"could not connect|connection|closed", last, re.IGNORECASE):
                error_id = ErrorId.UNREACHABLE
            elif self.container is not None and "not found" in last:
                error_id = ErrorId.NO_TOOL
            raise BackupError(error_id, f"{self.where}: {what}: {last}", hint=_HINTS.get(error_id, ""))

    def info(self, section: str) -> dict[str, str]:
        """Return a section of INFO.

        Raises: BackupError.
        """
        lines = (line.strip().partition(":") for line in self.ask("INFO", section).splitlines())
        return {name: value for name, colon, value in lines if colon}

    def setting(self, name: str) -> str | None:
        """Return a setting's value; ``None`` for one that this server does not have.

        Raises: BackupError.
        """
        found = self.ask("CONFIG", "GET", name).split("\n")
        return found[1] if len(found) > 1 else None

    @property
    def where(self) -> str:
        """Return the server in words."""
        if self.container is not None:
            return f"container {self.container.name}"
        return self.keys.socket or f"{self.keys.host or '127.0.0.1'}:{self.keys.port}"

    def source_facts(self) -> SourceFacts:
        """Return where the data came from, for the manifest."""
        if self.container is not None:
            name, image, digest = self.container.name, self.container.image, self.container.image_digest
            facts = ContainerFacts(name=name, image=image, image_digest=digest)
            return SourceFacts(kind="container", where=name, container=facts)
        return SourceFacts(kind="socket" if self.keys.socket else "tcp", where=self.where)


def open_link(module: Module, services: Services) -> Link:
    """Return the way to a module's server; asks it nothing yet.

    Raises: BackupError (``ambiguous``, ``not-found``, ``invalid``).
    """
    keys = module.keys.redis
    password = services.secret(keys.password) if keys.password else ""
    return Link(keys=keys, services=services, container=services.container(module), password=password)


def in_the_middle(error: BackupError) -> BackupError:
    """Return an error as it counts once the backup has begun: exit code 1."""
    return BackupError(error.error_id, str(error), hint=error.hint, exit_code=ExitCode.FAILED)
