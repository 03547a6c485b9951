"""The operating system's side: files, processes, locks, time."""
