"""Backups brought back: drilled in a throw-away engine, restored in place, or into a folder."""
