"""A declarative runner for operators who keep archives growing."""

__version__ = "0.1.0"
"""Also in ``pyproject.toml``; a test compares the two. Read from here, as asking the package index costs 50 ms."""
