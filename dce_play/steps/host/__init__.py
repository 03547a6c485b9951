"""Steps on this machine: files, programs, disk, lock, schedule."""
