"""Whole messages out of files that were cut off or damaged."""
