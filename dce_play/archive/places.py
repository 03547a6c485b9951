"""Which target's folder a file belongs to, when only the file is named."""

from pathlib import Path

from dce_play.archive.seeds import find_seeds
from dce_play.layout import META_FOLDER, TEMP_FOLDER, TargetLayout


def layout_of(path: Path) -> TargetLayout:
    """Return the target's folder of a channel file: the nearest above it with our records, else its own folder."""
    start = path.absolute() if path.is_dir() else path.absolute().parent
    for folder in (start, *start.parents):
        if (folder / META_FOLDER).is_dir():
            return TargetLayout(folder)
    return TargetLayout(start)


def target_folders(root: Path) -> list[Path]:
    """Return the targets' folders at and below a root, when no targets file names them.

    A folder with our records or with exports under way is one. Where there is none: the root itself if channel files
    stand directly in it, else each folder in it that holds any.
    """
    known = sorted({path.parent for name in (META_FOLDER, TEMP_FOLDER) for path in root.rglob(name) if path.is_dir()})
    if known:
        return known
    seeds = find_seeds(root)
    if any(seed.path.parent == root for seed in seeds):
        return [root]
    return sorted({root / seed.path.relative_to(root).parts[0] for seed in seeds})
