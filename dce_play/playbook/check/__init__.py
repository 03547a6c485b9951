"""The type check: every name and expression proved before a run."""
