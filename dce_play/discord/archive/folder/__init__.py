"""Which files of a target's folder belong to which channel, and what they are called."""
