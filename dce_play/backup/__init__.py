"""Backups of modules, made by hand before a change: taken, verified, drilled, restored, kept."""
