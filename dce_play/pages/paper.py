"""The templates, and how they are filled: whatever is put in is escaped, and what is missing is an error."""

from functools import cache
from pathlib import Path
from typing import Any

from dce_play import __version__
from dce_play.system.foreign_text import clean

_TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, /, **facts: Any) -> bytes:
    """Return the filled template as UTF-8. Texts are escaped and lose what would move or turn text around."""
    text: str = _environment().get_template(template).render(version=__version__, **facts)
    return text.encode("utf-8", "backslashreplace")


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # 20 ms that only pages need

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
