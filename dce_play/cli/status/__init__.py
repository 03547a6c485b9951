"""``dce-play status``."""
