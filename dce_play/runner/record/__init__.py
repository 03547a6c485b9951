"""What a run writes down as it goes, and what is read from that: events, journal, run folders, progress."""
