"""What is kept, what is demanded, what is missing: decisions over the backups that are there."""
