"""Lint: what is valid and yet likely wrong."""
