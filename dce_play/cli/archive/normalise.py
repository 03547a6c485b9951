"""``dce-play archive normalise``: the step ``archive.normalise`` as a command."""

from collections.abc import Iterator

from dce_play.cli.app.step_verb import Facts, Wording, step_command
from dce_play.steps.archive import normalise as step
from dce_play.system.counted import counted

_HELP = """Write a channel file anew in the exporter's layout, with its messages in order and its count right.

A file that needs none of this is left alone. The messages stay the bytes they are; a digest over ids and contents
proves it. The original is kept among our records until --confirm removes it.

\b
Example:
  dce-play archive normalise "Guild - room [123456789012345678].json"
  dce-play archive normalise --confirm "Guild - room [123456789012345678].json"

Exit 0: done, or there was nothing to do. Exit 1: failed, and the file is as it was.
"""


def _lines(facts: Facts) -> Iterator[str]:
    file, dry_run = facts["path"], facts["dry_run"]
    yield from (f"{'Would remove' if dry_run else 'Removed'} {path}" for path in facts["removed"])
    if facts["confirm"]:
        return
    if not facts["changed"]:
        yield f"Nothing to normalise: {file}"
    elif dry_run:
        yield f"Would normalise {file}"
    else:
        counts = f"{facts['before_count']} -> {counted(facts['message_count'], 'message')}"
        yield f"Original kept: {facts['original']}"
        yield f"Normalised: {file} ({counts}, digest {facts['digest']})"


normalise_verb = step_command(
    step,
    Wording(arguments=("file",), guards="file", lines=_lines),
    help=_HELP,
    short_help="Write a channel file anew so that it can be appended to.",
)
