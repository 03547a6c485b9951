"""Steps on channel files."""
