"""``dce-play archive append``: the step ``archive.append`` as a command."""

from collections.abc import Iterator

from dce_play.cli.app.step_verb import Facts, Wording, step_command
from dce_play.steps.archive import append as step
from dce_play.system.counted import counted

_HELP = """Put the messages of DELTA files into the channel file ARCHIVE.

Costs as much as the new messages, however large the archive is. Nothing that is stored changes, except where a hole
is filled or --edits rewrite takes newer copies. The DELTA files are left alone; giving one again adds nothing.

\b
Example:
  dce-play archive append "Guild - room [123456789012345678].json" new.json

Exit 0: every message is in the archive. Exit 1: failed and unchanged, or holes stay (--holes report).
"""


def _lines(facts: Facts) -> Iterator[str]:
    added, archive = facts["appended"], facts["path"]
    if added:
        verb = "Would append" if facts["dry_run"] else "Appended"
        yield f"{verb} {counted(added, 'message')} to {archive} ({facts['before_count']} -> {facts['after_count']})"
    else:
        yield f"Nothing new for {archive}"
    for name, one, several in (
        (
            "holes_filled",
            "of them fills a hole: the file is written anew",
            "of them fill holes: the file is written anew",
        ),
        ("edited", "stored message has a newer copy", "stored messages have newer copies"),
        (
            "behind",
            "message is missing and stays so (--holes report)",
            "messages are missing and stay so (--holes report)",
        ),
    ):
        if facts[name]:
            yield f"  {counted(facts[name], one, several)}"


append_verb = step_command(
    step,
    Wording(arguments=("archive", "deltas"), guards="archive", lines=_lines),
    help=_HELP,
    short_help="Put new messages into a channel file.",
)
