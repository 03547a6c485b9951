"""``dce-play archive merge``: the step ``archive.merge`` as a command."""

from collections.abc import Iterator

from dce_play.cli.app.step_verb import Facts, Wording, step_command
from dce_play.steps.archive import merge as step
from dce_play.system.counted import counted

_HELP = """Make one channel file of several exports of one channel, each message once, in order of the ids.

The FILES are only read. The new file takes its name when it is whole and on disk. Copies that differ are told, and
the one that is not kept stays in its file, so keep those until you are content.

\b
Example:
  dce-play archive merge part1.json part2.json --into "Guild - room [123456789012345678].json"

Exit 0: merged. Exit 1: failed, and nothing changed. Exit 2: --into exists and is none of the FILES.
"""


def _lines(facts: Facts) -> Iterator[str]:
    path = facts["path"]
    if facts["dry_run"]:
        yield f"Would merge {counted(len(facts['files']), 'file')} of channel {facts['channel_id']} into {path}"
        return
    left_out = counted(facts["duplicates"], "copy", "copies")
    yield f"Merged into {path}: {counted(facts['message_count'], 'message')}, {left_out} left out"
    if facts["conflicts"]:
        yield f"  {facts['conflicts']} of the copies differ"


merge_verb = step_command(
    step,
    Wording(arguments=("files",), guards="into", lines=_lines),
    help=_HELP,
    short_help="Make one file of several exports of one channel.",
)
