"""Our block in a crontab: put in, replaced, taken out; every other line stays byte for byte."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from dce_play.errors import DcePlayError, ExitCode

_JOB_NAME = re.compile(r"[A-Za-z0-9._-]+")


class InvalidCrontab(DcePlayError):
    """The crontab's markers do not pair up, so nobody can say which lines are ours."""


class InvalidJob(DcePlayError):
    """A job that cannot be written into a crontab."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One scheduled command."""

    name: str
    schedule: str
    """Five checked fields."""
    folder: str
    """The folder the job runs in. Absolute."""
    environment: tuple[tuple[str, str], ...]
    argv: tuple[str, ...]


def job_line(job: Job) -> str:
    """Return the crontab line. Blanks, quotes and dollars are quoted for the shell, ``%`` for cron.

    Raises: InvalidJob, for a line break anywhere.
    """
    words = [f"{name}={shlex.quote(value)}" for name, value in job.environment]
    words += [shlex.quote(word) for word in job.argv]
    command = f"cd {shlex.quote(job.folder)} && {' '.join(words)}"
    if any(not character.isprintable() for character in command):
        raise InvalidJob("a path or argument of the job holds a line break or control character")
    return f"{job.schedule} {command.replace('%', chr(92) + '%')}"


def check_name(name: str) -> str:
    """Return a job's name: letters, digits, dot, underscore, hyphen.

    Raises: InvalidJob.
    """
    if _JOB_NAME.fullmatch(name) is None:
        raise InvalidJob(f"invalid job name {name!r}", hint="use letters, digits, dot, underscore and hyphen")
    return name


def install(crontab: str, job: Job) -> str:
    """Return the crontab with exactly one block of this job, where the old one stood or at the end.

    Raises: InvalidCrontab, InvalidJob.
    """
    block = [f"# BEGIN {check_name(job.name)}", job_line(job), f"# END {job.name}"]
    lines = crontab.split("\n")
    place = _find(lines, job.name)
    if place is not None:
        return "\n".join([*lines[: place[0]], *block, *lines[place[1] :]])
    if crontab and not crontab.endswith("\n"):
        crontab += "\n"
    gap = "\n" if crontab else ""
    return crontab + gap + "\n".join(block) + "\n"


def remove(crontab: str, name: str) -> str:
    """Return the crontab without the job's block, and without the blank line that we put before it.

    Raises: InvalidCrontab, InvalidJob.
    """
    lines = crontab.split("\n")
    place = _find(lines, check_name(name))
    if place is None:
        return crontab
    begin, end = place
    if begin > 0 and not lines[begin - 1]:
        begin -= 1
    return "\n".join([*lines[:begin], *lines[end:]])


def _find(lines: Sequence[str], name: str) -> tuple[int, int] | None:
    """Return the block's first line and the line after its last."""
    begins = [number for number, line in enumerate(lines) if line.strip() == f"# BEGIN {name}"]
    ends = [number for number, line in enumerate(lines) if line.strip() == f"# END {name}"]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        where = ", ".join(str(number + 1) for number in sorted([*begins, *ends]))
        raise InvalidCrontab(
            f"the markers of job {name!r} do not pair up (crontab lines {where}); nothing was changed",
            hint=f"run crontab -e and leave one '# BEGIN {name}' followed by one '# END {name}', or neither",
        )
    return begins[0], ends[0] + 1
