"""Commands on channel files."""
