"""Kernel locks on files, and the notes that tell people who holds them."""
