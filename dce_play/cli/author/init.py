"""``dce-play init``: a folder of the operator's own, with playbooks, schemas for editors and a targets file.

What was written is remembered by its digest in ``.dce-play-init.json``, so that a later ``--update`` knows which files
nobody has changed since: those are brought up to date, and what somebody changed stays.
"""

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from dce_play.cli.author.targets_template import targets_template
from dce_play.discord.auth.git_ignore import IGNORED, add_lines
from dce_play.errors import ExitCode
from dce_play.resources import playbooks_folder, schemas_folder
from dce_play.system.durable.named_outputs import write_named

RECORD = ".dce-play-init.json"
_TARGETS = "scrape-targets.yml"


class Standing(StrEnum):
    """How a file of the folder stands to the one that comes with this dce-play."""

    MISSING = "missing"
    SAME = "same"
    OLD = "old"
    """As an earlier ``init`` wrote it."""
    CHANGED = "changed"
    """Somebody's own."""
    ELSEWHERE = "elsewhere"
    """A link leads out of the folder: what is there, or would be, is not ours to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file of the folder."""

    name: str
    path: Path
    ours: bytes
    standing: Standing


@click.command(name="init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--archive-root", type=click.Path(path_type=Path), help="Where archives will live; FOLDER/archives else.")
@click.option("--diff", is_flag=True, help="Show how files differ from those of this dce-play; change nothing.")
@click.option("--update", is_flag=True, help="Bring files up to date that nobody changed; schemas always.")
def command(folder: Path, archive_root: Path | None, *, diff: bool, update: bool) -> int:
    """Copy the shipped playbooks, their schemas and a commented targets file into FOLDER. Keeps what is there.

    Git is told, in .gitignore, to leave out scrape.env, archives and logs. After an upgrade of dce-play, --diff shows
    what is different, and --update takes what is new into files that are still as init wrote them.

    \b
    Examples:
      dce-play init ~/archives --archive-root /srv/archives
      dce-play init --diff
      dce-play init --update

    Exit 0: all is there. Exit 1: a file cannot be written. Exit 10: --diff found a difference.
    """
    folder = folder.absolute()
    root = (archive_root or folder / "archives").absolute()
    record = _record(folder)
    pieces = [_piece(folder, name, data, record) for name, data in _contents(root)]
    if diff:
        return _show_differences(pieces)
    for piece in pieces:
        _settle(piece, record, update=update)
    text = json.dumps(record, indent=2, sort_keys=True) + "\n"
    if not _stays_inside(folder, RECORD):
        _tell_elsewhere(RECORD)
    elif not (folder / RECORD).is_file() or (folder / RECORD).read_text(encoding="utf-8") != text:
        write_named(folder / RECORD, text.encode(), what="the record of init", make_folder=True)
    if not _stays_inside(folder, ".gitignore"):
        _tell_elsewhere(".gitignore")
    elif add_lines(folder / ".gitignore", IGNORED):
        click.echo("wrote    .gitignore")
    click.echo("next: edit scrape-targets.yml, then dce-play lint, then dce-play run proof --dry-run")
    return ExitCode.OK


def _contents(root: Path) -> Iterator[tuple[str, bytes]]:
    yield _TARGETS, targets_template(root).encode("utf-8")
    for source in sorted(playbooks_folder().glob("*.yml")):
        yield f"playbooks/{source.name}", source.read_bytes()
    for source in sorted(schemas_folder().glob("*.schema.json")):
        yield f"schemas/{source.name}", source.read_bytes()


def _piece(folder: Path, name: str, ours: bytes, record: Mapping[str, str]) -> Piece:
    path = folder / name
    standing = Standing.MISSING
    if not _stays_inside(folder, name):
        standing = Standing.ELSEWHERE
    elif path.exists():
        theirs = path.read_bytes()
        unchanged = name.startswith("schemas/") or record.get(name) == _digest(theirs)
        standing = Standing.SAME if theirs == ours else Standing.OLD if unchanged else Standing.CHANGED
    return Piece(name=name, path=path, ours=ours, standing=standing)


def _stays_inside(folder: Path, name: str) -> bool:
    """Return whether no link on the way, dangling or not, leads out of the folder."""
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _tell_elsewhere(name: str) -> None:
    click.echo(f"kept     {name}: a link leads out of this folder")


def _settle(piece: Piece, record: dict[str, str], *, update: bool) -> None:
    """Write the file where it is missing, or old and to be updated; tell what was done."""
    wanted = piece.standing is Standing.OLD and update and piece.name != _TARGETS
    if piece.standing is Standing.MISSING or wanted:
        write_named(piece.path, piece.ours, what=piece.path.name, make_folder=True)
        record[piece.name] = _digest(piece.ours)
        click.echo(f"{'wrote' if piece.standing is Standing.MISSING else 'updated':<7}  {piece.name}")
    elif piece.standing is Standing.ELSEWHERE:
        _tell_elsewhere(piece.name)
    elif piece.standing is Standing.SAME:
        record[piece.name] = _digest(piece.ours)
        click.echo(f"kept     {piece.name}")
    else:
        why = "changed here" if piece.standing is Standing.CHANGED else "older than this dce-play"
        more = "" if piece.name == _TARGETS else f": {why}; dce-play init --diff shows how"
        click.echo(f"kept     {piece.name}{more}")


def _show_differences(pieces: list[Piece]) -> int:
    """Print a diff from each file to this dce-play's; the targets file is somebody's own in any case."""
    found = [each for each in pieces if each.standing is not Standing.SAME and each.name != _TARGETS]
    for piece in found:
        if piece.standing is Standing.MISSING:
            click.echo(f"missing  {piece.name}")
            continue
        if piece.standing is Standing.ELSEWHERE:
            _tell_elsewhere(piece.name)
            continue
        theirs = piece.path.read_bytes().decode("utf-8", "replace").splitlines(keepends=True)
        ours = piece.ours.decode("utf-8").splitlines(keepends=True)
        for line in difflib.unified_diff(theirs, ours, piece.name, f"{piece.name} (of this dce-play)"):
            click.echo(line, nl=not line.endswith("\n"))
    return ExitCode.CHANGES_PENDING if found else ExitCode.OK


def _record(folder: Path) -> dict[str, str]:
    """Return the digests of what ``init`` wrote; none where the record is not there or is not readable."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in found.items()} if isinstance(found, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
