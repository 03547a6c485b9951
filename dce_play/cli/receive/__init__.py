"""``dce-play receive``: the receiver and what looks after its store."""
