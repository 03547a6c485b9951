"""What each exit code means, for the pages and manuals that are made from it."""

from collections.abc import Mapping

from dce_play.errors import ExitCode

EXIT_WORDS: Mapping[ExitCode, str] = {
    ExitCode.OK: "all well",
    ExitCode.FAILED: "a step failed, an audit has findings, a proof is not given, something could not be written",
    ExitCode.USAGE: "the command line cannot be understood or done",
    ExitCode.INVALID: "a playbook, role, targets file, configuration or plugin is not valid",
    ExitCode.PREFLIGHT: "a preflight check failed; nothing was changed",
    ExitCode.NOTHING_SELECTED: "what was asked for does not exist: a tag, step, target, playbook, run",
    ExitCode.RESUME_REFUSED: "resume refused: something changed, or the run cannot be resumed",
    ExitCode.AUTHENTICATION: "the other side does not accept our token, certificate or password",
    ExitCode.SKIPS: "finished, but with skips, under --strict",
    ExitCode.CHANGES_PENDING: "something would change, with --detailed-exitcode or --diff",
    ExitCode.BUG: "a bug of ours; the traceback is in a file that is named",
    ExitCode.LOCKED: "the archive, a store or a run is in somebody else's hands",
    ExitCode.UNATTENDED: "a question came up, and nobody was there to answer",
    ExitCode.TIMEOUT: "--timeout is over",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C (SIGINT)",
    ExitCode.TERMINATED: "stopped by SIGTERM or SIGHUP",
}
