"""The type check: every name and expression looked at before a run."""
