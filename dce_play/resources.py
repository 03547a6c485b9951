"""Where the shipped playbooks, roles, schemas and examples lie: in the wheel, or at the top of a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder() -> Path:
    """Return the folder that holds ``playbooks``, ``roles`` and ``schemas``."""
    in_wheel = _PACKAGE / "shipped"
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent


def playbooks_folder() -> Path:
    """Return the folder of the shipped playbooks."""
    return shipped_folder() / "playbooks"


def roles_folder() -> Path:
    """Return the folder of the shipped roles."""
    return shipped_folder() / "roles"


def schemas_folder() -> Path:
    """Return the folder of the generated JSON Schemas."""
    return shipped_folder() / "schemas"


def examples_folder() -> Path:
    """Return the folder of the commented example configurations."""
    return shipped_folder() / "examples"
