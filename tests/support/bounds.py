"""The bounds of ``dce_play/bounds.tsv``, for tests that meet them."""

from importlib import import_module
from typing import Any

import pytest

from dce_play.bounds import all_bounds

_PLACES = {bound.place: bound for bound in all_bounds()}


def at_most(place: str) -> int:
    """Return how much a bound is, where it is a whole number."""
    return int(_PLACES[place].amount)


def lower(monkeypatch: pytest.MonkeyPatch, place: str, amount: Any) -> None:
    """Make a bound small for one test: what the real one takes would be too long to wait for."""
    module, _, name = _PLACES[place].place.partition(":")
    monkeypatch.setattr(import_module(f"dce_play.{module}"), name, amount)
