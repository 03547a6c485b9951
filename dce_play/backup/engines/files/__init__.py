"""Folders and files as one archive: class E, and whatever has no engine of its own."""
