"""Adopting archives that others made: what each file is, what we can do with it as it is, and the map of them all."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dce_play.discord.archive.folder.channel_map import Bootstrap, ChannelMap
from dce_play.discord.archive.folder.seeds import channel_id_of, json_files, twins_among
from dce_play.discord.archive.proof.snapshot import target_seeds
from dce_play.discord.archive.salvage.repair import NothingToRecover, find_boundary
from dce_play.discord.archive.scan.channel_bytes import open_bytes
from dce_play.discord.archive.scan.damage import DamagedFile
from dce_play.discord.archive.scan.head import Head, read_head
from dce_play.discord.archive.scan.tail import NotCanonical, read_tail
from dce_play.layout import TargetLayout


class Fitness(StrEnum):
    """What can be done with a file as it is."""

    AS_IS = "as-is"
    """Appended to as it is; its style is kept."""
    NORMALISE = "normalise"
    """Whole, but laid out so that nothing can be appended; ``archive normalise`` rewrites it once."""
    DAMAGED = "damaged"
    TWIN = "twin"
    """Another file claims the same channel; ``archive merge`` makes one of them."""
    OTHER_CHANNEL = "other-channel"
    UNNAMED = "unnamed"
    """A JSON file whose name says no channel: left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedFile:
    """One JSON file, and what can be done with it."""

    path: Path
    fitness: Fitness
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What a target's folder holds, and what that did to its map."""

    folder: Path
    files: tuple[AdoptedFile, ...]
    bootstrap: Bootstrap

    @property
    def undecided(self) -> tuple[AdoptedFile, ...]:
        """The files that need a decision before a run can go on with them."""
        return tuple(file for file in self.files if file.fitness not in {Fitness.AS_IS, Fitness.UNNAMED})

    @property
    def ok(self) -> bool:
        """Whether a run can go on with every file."""
        return not self.undecided


def adopt_target(layout: TargetLayout, *, dry_run: bool = False) -> Adoption:
    """Look at every JSON file of a target, and enter the channel files into its map.

    Entries that lead nowhere are corrected, so a moved archive root is repaired by this alone. No channel file is
    touched. With ``dry_run`` nothing is written at all.

    Raises: DamagedChannelMap.
    """
    seeds = {seed.path: seed.channel_id for seed in target_seeds(layout.folder)}
    twins = {path for paths in twins_among(target_seeds(layout.folder)).values() for path in paths}
    files = [look_at(path, seeds.get(path), is_twin=path in twins) for path in json_files(layout.folder)]
    channel_map = ChannelMap(layout)
    bootstrap = channel_map.plan_bootstrap(repair=True) if dry_run else channel_map.bootstrap(repair=True)
    return Adoption(folder=layout.folder, files=tuple(files), bootstrap=bootstrap)


def look_at(path: Path, channel_id: str | None, *, is_twin: bool = False) -> AdoptedFile:
    """Return what can be done with a file whose name says this channel.

    Reads its start and its end, and all of it only where that end is none that can be appended to.
    """
    if channel_id is None:
        told = channel_id_of(path.name)
        detail = f"{told} is too short for an id" if told else "no [channel id] at the end of its name"
        return AdoptedFile(path=path, fitness=Fitness.UNNAMED, detail=detail)
    if is_twin:
        return AdoptedFile(path=path, fitness=Fitness.TWIN, detail=f"channel {channel_id} has another file")
    try:
        head = read_head(path)
        if head.channel_id != channel_id:
            return AdoptedFile(path=path, fitness=Fitness.OTHER_CHANNEL, detail=f"it holds channel {head.channel_id}")
        with open_bytes(path) as channel:
            read_tail(channel)
    except NotCanonical as error:
        fitness = Fitness.NORMALISE if error.whole or _is_sound(path) else Fitness.DAMAGED
        return AdoptedFile(path=path, fitness=fitness, detail=error.reason)
    except (DamagedFile, OSError) as error:
        return AdoptedFile(path=path, fitness=Fitness.DAMAGED, detail=str(error))
    return AdoptedFile(path=path, fitness=Fitness.AS_IS, detail=_covered(head))


def _is_sound(path: Path) -> bool:
    """Return whether a file is whole, such as one with other keys behind its messages."""
    try:
        return find_boundary(path).damage is None
    except NothingToRecover:
        return False


def _covered(head: Head) -> str:
    """Return the dates that the file's export was limited to, if it was: what is outside them was never asked for."""
    limits = (("after", head.after), ("before", head.before))
    told = " and ".join(f"{word} {moment}" for word, moment in limits if moment)
    return f"only messages {told} were exported" if told else ""


def needs_normalising(path: Path) -> bool:
    """Return whether writing a channel file anew would mend something: its layout, its count, or the order of its ids.

    Reads all of it.
    Raises: DamagedFile, as that is for a salvage; NothingToRecover, OSError.
    """
    boundary = find_boundary(path)
    if boundary.damage is not None:
        raise boundary.damage
    if not (boundary.complete and boundary.ordered):
        return True
    return boundary.head.states_count or look_at(path, boundary.head.channel_id).fitness is Fitness.NORMALISE
