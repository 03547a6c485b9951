"""From YAML text to a plan."""
