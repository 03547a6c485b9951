"""The folder of backups: names, the writer, the reader, locks, and what lies there."""
