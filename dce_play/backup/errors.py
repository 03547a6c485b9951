"""The closed set of what can go wrong with a backup, and the exit code of each."""

from enum import StrEnum

from dce_play.errors import DcePlayError, ExitCode


class ErrorId(StrEnum):
    """Every failure that a backup command names.

    Source: docs/reference/backup.md, "Errors".
    """

    UNHEALTHY = "unhealthy"
    HEALTH_AFTER = "health-after"
    NO_SPACE = "no-space"
    WRITE_FAILED = "write-failed"
    ENGINE_FAILED = "engine-failed"
    INCOMPLETE = "incomplete"
    TRUNCATED = "truncated"
    VERIFY_FAILED = "verify-failed"
    CHANGED = "changed"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    SEALED = "sealed"
    NOT_RAFT = "not-raft"
    VERSION = "version"
    NO_TOOL = "no-tool"
    UNSAFE_ROOT = "unsafe-root"
    AMBIGUOUS = "ambiguous"
    NOT_FOUND = "not-found"
    UNREACHABLE = "unreachable"
    HOOK_FAILED = "hook-failed"
    QUIESCE_FAILED = "quiesce-failed"
    LOCK_HELD = "lock-held"
    INTERRUPTED = "interrupted"
    UPLOAD_FAILED = "upload-failed"
    TIMEOUT = "timeout"
    EXCLUDED = "excluded"
    UNATTENDED = "unattended"
    INVALID = "invalid"
    USAGE = "usage"


_REFUSED_BEFORE = frozenset(
    {
        ErrorId.UNHEALTHY, ErrorId.NO_SPACE, ErrorId.SEALED, ErrorId.NOT_RAFT, ErrorId.VERSION, ErrorId.NO_TOOL,
        ErrorId.UNSAFE_ROOT, ErrorId.AMBIGUOUS, ErrorId.UNREACHABLE, ErrorId.EXCLUDED,
    }
)  # fmt: skip
_CODES = {
    **dict.fromkeys(_REFUSED_BEFORE, ExitCode.PREFLIGHT),
    ErrorId.AUTH: ExitCode.AUTHENTICATION,
    ErrorId.FORBIDDEN: ExitCode.AUTHENTICATION,
    ErrorId.NOT_FOUND: ExitCode.NOTHING_SELECTED,
    ErrorId.LOCK_HELD: ExitCode.LOCKED,
    ErrorId.INTERRUPTED: ExitCode.INTERRUPTED,
    ErrorId.TIMEOUT: ExitCode.TIMEOUT,
    ErrorId.UNATTENDED: ExitCode.UNATTENDED,
    ErrorId.INVALID: ExitCode.INVALID,
    ErrorId.USAGE: ExitCode.USAGE,
}


class BackupError(DcePlayError):
    """A backup command failed in one of the ways of the closed set.

    The exit code follows from the id; who raises it in the middle of the work, where nothing can be refused any
    more, says ``exit_code=ExitCode.FAILED`` (no room half-way, a server that goes away).
    """

    def __init__(self, error_id: ErrorId, message: str, *, hint: str = "", exit_code: ExitCode | None = None) -> None:
        super().__init__(message, hint=hint)
        self.error_id = error_id
        code = _CODES.get(error_id, ExitCode.FAILED) if exit_code is None else exit_code
        self.exit_code = code  # type: ignore[misc]  # one class for a closed set: the code is each failure's own


class WarningId(StrEnum):
    """Every warning that a backup may carry."""

    SHRUNK = "shrunk"
    FALLBACK = "fallback"
    LIVE_CHANGED = "live-changed"
    CRASH = "crash"
    NO_RESTORE_NOTES = "no-restore-notes"
    NO_HEALTH = "no-health"
    CLIENT_OLDER = "client-older"
    COMPOSE_DIGEST_UNKNOWN = "compose-digest-unknown"
    MEMORY_FOR_FORK = "memory-for-fork"
    SAMPLED = "sampled"
    LEFTOVERS = "leftovers"
    UNATTENDED = "unattended"
    LEVEL_LOWERED = "level-lowered"
