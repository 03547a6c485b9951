"""Which target's folder a file belongs to, when only the file is named."""

from pathlib import Path

from dce_play.discord.archive.folder.seeds import find_seeds
from dce_play.layout import META_FOLDER, TEMP_FOLDER, TargetLayout


def layout_of(path: Path) -> TargetLayout:
    """Return the target's folder of a channel file: the nearest above it with our records, else its own folder.

    A link, to the file or to a folder above it, counts as what it leads to: the file's journal has to be found
    whatever name an append was given.
    """
    place = path.resolve()
    start = place if place.is_dir() else place.parent
    for folder in (start, *start.parents):
        if (folder / META_FOLDER).is_dir():
            return TargetLayout(folder)
    return TargetLayout(start)


def target_folders(root: Path) -> list[Path]:
    """Return the targets' folders at and below a root, when no targets file names them. None lies in another.

    A folder with our records or with exports under way is one. Besides, each folder in the root that holds channel
    files and no such folder is one; where there is nothing but channel files directly in the root, the root is.
    """
    known = {path.parent for name in (META_FOLDER, TEMP_FOLDER) for path in root.rglob(name) if path.is_dir()}
    known = {folder for folder in known if not known.intersection(folder.parents)}
    places = [seed.path.relative_to(root) for seed in find_seeds(root)]
    if not known and any(len(place.parts) == 1 for place in places):
        return [root]
    others = {root / place.parts[0] for place in places if len(place.parts) > 1}
    taken = {ancestor for folder in known for ancestor in (folder, *folder.parents)}
    return sorted(known | {folder for folder in others - taken if root not in known})
