"""``dce-play ship``: sending episodes, seeing where they are, and draining what no receiver takes."""
