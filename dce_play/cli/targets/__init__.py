"""Commands on the targets file."""
