"""YAML text as values with positions."""
