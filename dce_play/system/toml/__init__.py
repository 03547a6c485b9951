"""TOML files against a declared table of keys."""
