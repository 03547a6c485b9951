"""Places off the machine to which backups are copied."""
