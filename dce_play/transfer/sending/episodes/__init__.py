"""What lies on disk: episodes, the spool they wait in, how they are packed, moved, set aside and cleaned up."""
