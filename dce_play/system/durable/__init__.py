"""Files that survive a crash: the disk behind one seam, and whole files written atomically."""
