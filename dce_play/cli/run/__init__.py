"""Commands around runs."""
