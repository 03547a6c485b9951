"""Hooks of the docs site: pages made from the code join those that are written; ``folder/*.md`` in the navigation."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent.parent))  # mkdocs loads this file by its path

from tools.reference_pages import PAGES


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of a folder that the navigation does not name in the place of its ``folder/*.md``."""
    named = {each for each in _leaves(config.nav) if not each.endswith("*.md")}
    config.nav = _expanded(config.nav, Path(config.docs_dir), named)
    return config


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for each in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _leaves(each)


def _expanded(nav: Any, top: Path, named: set[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _expanded(each, top, named) for title, each in nav.items()}
    if isinstance(nav, str):
        return _pages(nav, top, named) if nav.endswith("*.md") else nav
    entries: list[Any] = []
    for each in nav:
        found = _expanded(each, top, named)
        entries += found if isinstance(each, str) and isinstance(found, list) else [found]
    return entries


def _pages(pattern: str, top: Path, named: set[str]) -> list[str]:
    found = [path.relative_to(top).as_posix() for path in sorted(top.glob(pattern))]
    return [each for each in found if each not in named]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the made pages to docs/reference."""
    for name, make in PAGES.items():
        files.append(File.generated(config, f"reference/{name}", content=make()))
    return files
