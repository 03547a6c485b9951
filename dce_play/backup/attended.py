"""Is a person there? A pure decision over what was seen, and the look itself.

Source: docs/reference/backup.md, "Who is there".
"""

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from dce_play.backup.errors import BackupError, ErrorId
from dce_play.backup.manifest import OperatorRecord

CI_VARIABLES = (
    "CI", "GITHUB_ACTIONS", "GITLAB_CI", "FORGEJO_ACTIONS", "GITEA_ACTIONS", "JENKINS_URL", "BUILDKITE", "TF_BUILD",
)  # fmt: skip
_NOT_SET = frozenset({"", "0", "false"})
SCHEDULERS = frozenset({
    "cron", "crond", "CRON", "anacron", "atd", "fcron", "supercronic",
    "act_runner", "forgejo-runner", "gitlab-runner", "Runner.Worker", "Runner.Listener",
})  # fmt: skip
"""None is longer than the 15 characters after which the kernel cuts a process's name."""
_DEEPEST = 256


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the look gave."""

    terminal: str
    """The path of the terminal that could be opened; empty when there is none."""
    environment: Mapping[str, str]
    ancestors: tuple[str, ...]
    """Names of the processes above ours, nearest first."""
    pid: int
    parent_pid: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody is there, and if not, why we think so."""

    attended: bool
    reason: str = ""
    way_out: str = "run it at a terminal (over ssh: ssh -t)"


def decide(seen: Seen) -> Answer:
    """Return whether a person is there."""
    for name in CI_VARIABLES:
        if seen.environment.get(name, "") not in _NOT_SET:
            return Answer(attended=False, reason=f"{name} is set", way_out=f"if it is you who types, unset {name}")
    for ancestor in seen.ancestors:
        if ancestor in SCHEDULERS:
            return Answer(attended=False, reason=f"{ancestor} started it")
    unit = seen.environment.get("SYSTEMD_EXEC_PID", "")
    if unit in {str(seen.pid), str(seen.parent_pid)}:
        return Answer(attended=False, reason="a systemd unit started it")
    if not seen.terminal:
        return Answer(attended=False, reason="there is no terminal")
    return Answer(attended=True)


def look(environment: Mapping[str, str]) -> Seen:
    """Return what there is to see. Opens the terminal for a moment, changes nothing."""
    return Seen(
        terminal=_terminal(),
        environment=environment,
        ancestors=tuple(_ancestors()),
        pid=os.getpid(),
        parent_pid=os.getppid(),
    )


def admit(seen: Seen, *, allow_unattended: bool, what: str) -> OperatorRecord:
    """Return who is there.

    Raises: BackupError (``unattended``), when nobody is and the command line does not allow that.
    """
    answer = decide(seen)
    if not answer.attended and not allow_unattended:
        raise BackupError(
            ErrorId.UNATTENDED,
            f"{what} needs a person: {answer.reason}",
            hint=f"{answer.way_out}, or say --allow-unattended on the command line",
        )
    uid = os.getuid()
    user = seen.environment.get("USER", "")
    with suppress(KeyError):
        user = pwd.getpwuid(uid).pw_name
    return OperatorRecord(
        user=user,
        uid=uid,
        sudo_user=seen.environment.get("SUDO_USER", ""),
        attended=answer.attended,
        terminal=seen.terminal,
        allowed_by="terminal" if answer.attended else "--allow-unattended",
    )


def _terminal() -> str:
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return ""
    os.close(descriptor)
    for standard in (0, 1, 2):
        with suppress(OSError):
            return os.ttyname(standard)
    return "/dev/tty"


def _ancestors() -> Iterator[str]:
    pid = os.getppid()
    for _ in range(_DEEPEST):
        if pid <= 0:
            return
        folder = Path(f"/proc/{pid}")
        try:
            yield (folder / "comm").read_text(encoding="utf-8", errors="replace").removesuffix("\n")
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return
        pid = int(fields[1])
